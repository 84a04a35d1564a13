package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakerprof"
)

func TestBreakit_Profile(t *testing.T) {
	before := 0
	if profile := pprof.Lookup(breakerprof.Name); profile != nil {
		before = profile.Count() // the test may run more than once
	}
	name := filepath.Join(t.TempDir(), "breaker.pprof")
	require.NoError(t, run(name))
	written, err := os.Stat(name)
	require.NoError(t, err)
	assert.NotZero(t, written.Size())

	profile := pprof.Lookup(breakerprof.Name)
	assert.Equal(t, 200*2+50, profile.Count()-before, "what forgetful and retrying made")
	var text bytes.Buffer
	require.NoError(t, profile.WriteTo(&text, 1))
	assert.Contains(t, text.String(), ".forgetful+")
	assert.Contains(t, text.String(), ".retrying+")
	assert.NotContains(t, text.String(), ".tidy+")
}
