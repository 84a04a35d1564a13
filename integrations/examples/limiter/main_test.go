package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The program ends by itself, and every variant wakes everyone.
func TestBreakit_Run(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out, 100))
	for _, v := range variants {
		found := false
		for line := range strings.Lines(out.String()) {
			fields := strings.Fields(strings.TrimPrefix(line, v.name))
			found = found || strings.HasPrefix(line, v.name) && fields[0] == "100"
		}
		assert.True(t, found, "%s in\n%s", v.name, &out)
	}
}

// What the table says of goroutines doesn't depend on the machine.
func TestMeasure_Goroutines(t *testing.T) {
	for _, v := range variants {
		expected := 0.0
		if strings.HasSuffix(v.name, "by a goroutine") {
			expected = 1
		}
		assert.InDelta(t, expected, measure(v.make(), 200).goroutines, 0.1, v.name)
	}
}
