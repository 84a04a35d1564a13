package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asBreakit makes the test binary breakit. All that it does is tested in package internal/breakit.
const asBreakit = "BREAKIT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBreakit) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}
