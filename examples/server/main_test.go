package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// runMain in the environment makes the test binary the program itself.
const runMain = "BREAKER_EXAMPLE_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestBreakit_Demonstration(t *testing.T) {
	limit := breaker.BreakByTimeout(10 * time.Second)
	defer limit.Close()
	cmd := exec.CommandContext(breaker.ToContext(limit), os.Args[0])
	cmd.Env = append(os.Environ(), runMain+"=1")
	var output, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &failure
	err := cmd.Run()
	require.NoError(t, errors.Join(err, limit.Cause()), "%s%s", &output, &failure)
	assert.Empty(t, failure.String())
	for _, line := range []string{
		`Package context would say .*`,
		`X-Timeout: 120ms  200 \d of 10 steps: breakerhttp: the client's .*`,
		`X-Timeout: 1h     200 \d of 10 steps: breakerhttp: the server's .*`,
		`X-Timeout: 0s     504 .*`,
		` +SIGINT, while a request is in flight:\nX-Timeout: 1h     200 \d+ of 10 steps: breakerhttp: the server's .*`,
		`Serve was stopped by .*interrupt and returned <nil>`,
	} {
		assert.Regexp(t, `(?m)^`+line+`$`, output.String())
	}
}
