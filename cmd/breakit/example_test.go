//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// A command that runs too long: the reason is on standard error, and the exit code is 124.
func Example() {
	self, _ := os.Executable()
	breakit := func(args ...string) {
		cmd := exec.Command(self, args...)
		cmd.Env = append(os.Environ(), asBreakit+"=1")
		out, err := cmd.CombinedOutput()
		exit := (*exec.ExitError)(nil)
		if errors.As(err, &exit) {
			fmt.Printf("%s%d\n", out, exit.ExitCode())
		} else {
			fmt.Printf("%s%d\n", out, 0)
		}
	}
	breakit("after", "100ms", "--", "sleep", "1000")
	breakit("idle", "100ms", "--", "sh", "-c", "echo working; sleep 1000")
	breakit("after", "1m", "--", "sh", "-c", "exit 7")
	breakit("after", "10", "--", "make")
	// Output:
	// breakit: stopped sleep: it has run for 100ms
	// 124
	// working
	// breakit: stopped sh: no output for 100ms
	// 124
	// 7
	// breakit: after: "10" has no unit: write 10s for seconds, or 10m for minutes
	// Try breakit -h.
	// 125
}
