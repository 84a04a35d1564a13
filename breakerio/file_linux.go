package breakerio

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"
)

// reopen opens a pipe or a terminal anew, in non-blocking mode. The new description has flags of
// its own, so other processes that share the old one notice nothing.
func reopen(f *os.File, info fs.FileInfo, access int) (*os.File, bool) {
	if info.Mode()&fs.ModeNamedPipe == 0 && !isTerminal(info) {
		return nil, false // opening another device may do anything, and a socket can't be opened
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, false
	}
	anew, errno := -1, error(nil)
	err = raw.Control(func(fd uintptr) {
		path := "/proc/self/fd/" + strconv.Itoa(int(fd))
		anew, errno = syscall.Open(path, access|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	})
	if err != nil || errno != nil {
		return nil, false
	}
	file := os.NewFile(uintptr(anew), f.Name())
	if file.SetDeadline(time.Time{}) != nil {
		_ = file.Close()
		return nil, false
	}
	return file, true
}

// isTerminal reports whether a device is a terminal that can be opened anew. The master of a
// pseudo-terminal can't: each open makes a new pair.
func isTerminal(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&fs.ModeCharDevice == 0 {
		return false
	}
	device := uint64(stat.Rdev)
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
	const (
		virtual  = 4 // and serial lines
		console  = 5
		master   = 2 // of console
		slaves   = 136
		slavesTo = 143
	)
	return major == virtual || major == console && minor != master || major >= slaves && major <= slavesTo
}

// poller is an epoll. Unlike select, it takes any descriptor, and rejects files that never block.
type poller struct {
	fd int
}

func (p *poller) open(fd, alarm int) (err error) {
	if p.fd, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	for _, watched := range []int{fd, alarm} {
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(watched)}
		err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, watched, &event)
		if err == syscall.EPERM {
			return errNeverBlocks
		}
		if err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

// wait returns nil if there is something to read, and os.ErrDeadlineExceeded at the alarm.
func (p *poller) wait(_, alarm int) error {
	var events [2]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(p.fd, events[:], -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range events[:n] {
			if event.Fd == int32(alarm) {
				return os.ErrDeadlineExceeded
			}
		}
		return nil
	}
}

func (p *poller) close() {
	if p.fd > 0 {
		_ = syscall.Close(p.fd)
	}
}
