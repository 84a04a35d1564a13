//go:build linux || darwin

package breakit

import (
	"os"
	"syscall"
	"unsafe"
)

// terminal is the one that controls this process.
type terminal struct {
	fd int
	// lent says that the command has it.
	lent bool
	// modes are those before the command had it.
	modes *syscall.Termios
}

// openTerminal returns nil if there is no terminal.
func openTerminal() *terminal {
	fd, err := syscall.Open("/dev/tty", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return &terminal{fd: fd}
}

// lend gives the terminal to the group, and reports whether it was ours to give.
func (t *terminal) lend(group int) bool {
	if foreground(t.fd) != syscall.Getpgrp() {
		return false
	}
	if t.modes == nil {
		modes := new(syscall.Termios)
		if ioctl(t.fd, getModes, unsafe.Pointer(modes)) {
			t.modes = modes
		}
	}
	t.lent = setForeground(t.fd, group)
	return t.lent
}

// has reports whether the group has the terminal by our doing. A command that has asked for it just
// before is stopped, but has what it wants.
func (t *terminal) has(group int) bool { return t.lent && foreground(t.fd) == group }

// takeBack makes our group the foreground again, if the command's was by our doing, and sets the
// modes that were.
func (t *terminal) takeBack(modes bool) {
	if !t.lent {
		return
	}
	t.lent = false
	if setForeground(t.fd, syscall.Getpgrp()) && modes && t.modes != nil {
		ioctl(t.fd, setModes, unsafe.Pointer(t.modes))
	}
}

// isTerminal reports whether the file is our controlling terminal.
func isTerminal(f *os.File) bool { return foreground(int(f.Fd())) > 0 }

// foreground returns the foreground group of the terminal, or -1.
func foreground(fd int) int {
	group := int32(-1)
	if !ioctl(fd, syscall.TIOCGPGRP, unsafe.Pointer(&group)) {
		return -1
	}
	return int(group)
}

func setForeground(fd, group int) bool {
	number := int32(group)
	return ioctl(fd, syscall.TIOCSPGRP, unsafe.Pointer(&number))
}

// ioctl reports whether the call has succeeded.
func ioctl(fd int, request uintptr, argument unsafe.Pointer) bool {
	_, _, err := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	return err == 0
}

// stoppedBy returns the signal that has stopped the process, and whether it has been stopped since
// the last call. It never reaps.
func stoppedBy(pid int) (syscall.Signal, bool) {
	const byPid = 1 // P_PID
	var info [32]int32
	for {
		_, _, err := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(pid), uintptr(unsafe.Pointer(&info)), syscall.WSTOPPED|syscall.WNOHANG, 0, 0)
		if err != syscall.EINTR {
			return syscall.Signal(info[stopStatus]), err == 0 && info[0] != 0
		}
	}
}
