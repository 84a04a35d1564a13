package lostclose

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

// What is known of functions in other packages.
func TestFacts(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), functions, "helpers")
}
