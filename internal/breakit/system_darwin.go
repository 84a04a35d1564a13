package breakit

import "syscall"

const (
	getModes = syscall.TIOCGETA
	setModes = syscall.TIOCSETAW

	// stopStatus is where a siginfo_t has si_status, in words.
	stopStatus = 5
)

func attributes() *syscall.SysProcAttr { return nil }

// defaultAction returns nil: package runtime keeps its handler whatever signal.Reset is told. The
// caller has to do with SIGSTOP.
func defaultAction(syscall.Signal) (restore func()) { return nil }
