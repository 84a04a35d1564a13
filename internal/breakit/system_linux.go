package breakit

import (
	"runtime"
	"syscall"
	"unsafe"
)

const (
	getModes = syscall.TCGETS
	setModes = syscall.TCSETS + 1 // TCSETSW: when all output is written
)

// stopStatus is where a siginfo_t has si_status, in words: after si_signo, si_errno and si_code,
// and si_pid and si_uid, which are aligned to a pointer.
const stopStatus = 5 + int(unsafe.Sizeof(uintptr(0))/8)

// The command is killed when the thread ends that has started it, and the main thread ends last.
func init() { runtime.LockOSThread() }

// attributes has the command killed when breakit is: nothing else would stop it at its limit.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// defaultAction gives a signal its default action until restore is called.
//
// signal.Reset doesn't do that for SIGTSTP: package runtime keeps its handler, which then drops the
// signal. Nor is SIGSTOP as good: it also stops a group that no shell looks after.
func defaultAction(sig syscall.Signal) (restore func()) {
	// A kernel's sigaction, whose layout differs between processors, but all zero is the default
	// action in each.
	var zero, before [8]uint64
	set := func(action, old *[8]uint64) {
		const sizeOfMask = 8
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig),
			uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(old)), sizeOfMask, 0, 0)
	}
	set(&zero, &before)
	return func() { set(&before, nil) }
}
