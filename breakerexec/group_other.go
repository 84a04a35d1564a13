//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package breakerexec

import (
	"os"
	"syscall"
)

// ownGroup leaves the attributes as they are: this system has no groups, or none that can be
// signalled safely.
func ownGroup(given *syscall.SysProcAttr) (*syscall.SysProcAttr, bool) { return given, false }

func (p *Process) send(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// terminate asks the command to end, and reports false where that can't be done.
func (p *Process) terminate() bool { return p.send(syscall.SIGTERM) == nil }

func (p *Process) awaitExit() bool { return false }

func (p *Process) anyAlive() bool { return false }
