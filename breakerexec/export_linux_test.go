package breakerexec

import "syscall"

// WatchKill calls watch before each signal to a group, until the function returned is called.
func WatchKill(watch func(pid int)) (restore func()) {
	before := kill
	kill = func(pid int, sig syscall.Signal) error {
		watch(-pid)
		err := before(pid, sig)
		watch(-pid)
		return err
	}
	return func() { kill = before }
}
