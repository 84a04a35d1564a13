// Package examples_test runs the programs of this folder, so that none of them rots.
package examples_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// programs has what each program prints, line by line. The programs in profile and server have
// tests of their own.
var programs = map[string]string{
	"quickstart": `((callback: tripped|main: timed out|main: did some steps: true)\n){3}`,
	"sync":       `lock: gave up after 50ms\nsleeper: disk full\ngroup: disk full\n`,
	"semaphore":  `done: 2 refused: 2\nwhy: breaker: .+\n`,
	"retry":      `attempts: 3 error: <nil>\nbusy: true timed out: true\n`,
	"io":         `Read: true\nAccept: true\n`,
	"exec":       `stopped: breaker: .+\nwithin the grace: true\n`,
	"run":        `((server:  drained|client:  200 OK|worker:  a job from /last)\n){3}Run returned <nil>\n`,
	"leaktest":   `the test fails, and the report names forgetful: true\n`,
	"cluster":    `(node-\d: jobs/import.7 tripped by operator: wrong file\n){3}late: true\n`,
}

func TestPrograms_PrintWhatTheySay(t *testing.T) {
	folders, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	assert.Len(t, folders, len(programs)+2, "each program is in the table, but profile and server")

	bin := t.TempDir()
	output, err := exec.Command("go", "build", "-o", bin, "./...").CombinedOutput()
	require.NoError(t, err, "%s", output)
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for name, want := range programs {
		t.Run(name, func(t *testing.T) {
			if name == "exec" && runtime.GOOS == "windows" {
				return // it runs a shell
			}
			limit := breaker.BreakByTimeout(30 * time.Second)
			defer limit.Close()
			program := filepath.Join(bin, name+suffix)
			output, err := exec.CommandContext(breaker.ToContext(limit), program).CombinedOutput()
			require.NoError(t, err, "%s", output)
			assert.Regexp(t, "^"+want+"$", string(output))
		})
	}
}
