//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package breakerexec

import (
	"os"
	"syscall"
)

// kill is a variable so that a test can look at what is signalled.
var kill = syscall.Kill

// ownGroup returns attributes by which the command leads a process group, and whether it does.
func ownGroup(given *syscall.SysProcAttr) (*syscall.SysProcAttr, bool) {
	attributes := new(syscall.SysProcAttr)
	if given != nil {
		*attributes = *given
	}
	switch {
	case attributes.Setsid:
		return attributes, true // a session leader leads a group, and can't be moved
	case attributes.Setpgid || attributes.Foreground:
		return attributes, attributes.Pgid == 0
	default:
		attributes.Setpgid, attributes.Pgid = true, 0
		return attributes, true
	}
}

// send is called with mu held and gone false: the process hasn't been reaped, so no other process
// has its ID.
func (p *Process) send(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok || !p.group {
		return p.cmd.Process.Signal(sig)
	}
	err := kill(-p.cmd.Process.Pid, number)
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// terminate asks the group to end. A stopped process gets the signal only when it continues.
func (p *Process) terminate() bool {
	_ = p.send(syscall.SIGTERM)
	_ = p.send(syscall.SIGCONT)
	return true
}
