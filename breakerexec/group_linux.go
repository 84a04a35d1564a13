package breakerexec

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// awaitExit waits until the command has ended, and leaves it to be reaped. It reports false if that
// can't be done.
//
// It blocks a thread, as os.Process.Wait does.
func (p *Process) awaitExit() bool {
	const byPid = 1     // P_PID
	var info [16]uint64 // a siginfo_t, which is 128 bytes long
	options := uintptr(syscall.WEXITED | syscall.WNOWAIT)
	for {
		_, _, err := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(p.cmd.Process.Pid), uintptr(unsafe.Pointer(&info)), options, 0, 0)
		if err != syscall.EINTR {
			return err == 0
		}
	}
}

// anyAlive reports whether a member of the group is still running. The command itself has ended,
// but is a member until it is reaped, so kill(-pid, 0) says nothing. Without /proc, anyAlive
// returns true.
func (p *Process) anyAlive() bool {
	if !p.group {
		return false
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer func() { _ = proc.Close() }()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return true
	}
	group := strconv.AppendInt(nil, int64(p.cmd.Process.Pid), 10)
	seen := false
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		seen = true
		// "pid (name) state ppid pgrp …", where the name may contain anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && bytes.Equal(fields[2], group) && fields[0][0] != 'Z' && fields[0][0] != 'X' {
			return true
		}
	}
	return !seen
}
