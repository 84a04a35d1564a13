//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package breakit

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/kamilsk/breaker/breakerexec"
)

// control does without job control. Ctrl-C reaches the command as it reaches breakit, which waits
// for what the command makes of it.
type control struct{}

func newControl() *control {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	return new(control)
}

func (*control) begin(*breakerexec.Process) {}

func (*control) until(ended <-chan error) error { return <-ended }

func (*control) end(error) {}

func (*control) follow(os.Signal) int { return ExitFailed }

func attributes() *syscall.SysProcAttr { return nil }

func endedBy(*exec.ExitError) os.Signal { return nil }

func byShell([]string, error) []string { return nil }

func inPath(string) bool { return false }

func isBrokenPipe(error) bool { return false }
