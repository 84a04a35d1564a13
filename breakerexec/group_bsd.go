//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package breakerexec

import "syscall"

// awaitExit waits until the command has ended, and leaves it to be reaped. It reports false if that
// can't be done.
//
// waitid would do, but on darwin it returns for a process that has stopped, too (golang/go#19314).
func (p *Process) awaitExit() bool {
	queue, err := syscall.Kqueue()
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(queue) }()
	var change syscall.Kevent_t
	syscall.SetKevent(&change, p.cmd.Process.Pid, syscall.EVFILT_PROC, syscall.EV_ADD|syscall.EV_ONESHOT)
	change.Fflags = syscall.NOTE_EXIT
	for {
		var events [1]syscall.Kevent_t
		n, err := syscall.Kevent(queue, []syscall.Kevent_t{change}, events[:], nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ESRCH:
			return true // it has ended before
		case err != nil || n == 0:
			return false
		case events[0].Flags&syscall.EV_ERROR != 0:
			return syscall.Errno(events[0].Data) == syscall.ESRCH
		default:
			return true
		}
	}
}

// anyAlive reports whether a member of the group is still running. Some systems count the command
// itself, which has ended. There it returns true until the grace period is over.
func (p *Process) anyAlive() bool {
	return p.group && kill(-p.cmd.Process.Pid, 0) == nil
}
