package breakerio

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// reopen does nothing: /dev/fd gives the same description again, flags included.
func reopen(*os.File, fs.FileInfo, int) (*os.File, bool) { return nil, false }

// poller calls select: neither poll nor kqueue takes terminals on all versions of darwin.
type poller struct{}

const selectable = 1024 // descriptors in a set

func (p *poller) open(fd, alarm int) error {
	if fd >= selectable || alarm >= selectable {
		return errors.New("too many files are open to wait for this one")
	}
	return nil
}

// wait returns nil if there is something to read, and os.ErrDeadlineExceeded at the alarm.
func (p *poller) wait(fd, alarm int) error {
	for {
		var set syscall.FdSet
		for _, watched := range []int{fd, alarm} {
			set.Bits[watched/32] |= 1 << (watched % 32)
		}
		err := syscall.Select(max(fd, alarm)+1, &set, nil, nil, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("select", err)
		}
		if set.Bits[alarm/32]&(1<<(alarm%32)) != 0 {
			return os.ErrDeadlineExceeded
		}
		return nil
	}
}

func (p *poller) close() {}
