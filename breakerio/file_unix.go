//go:build linux || darwin

package breakerio

import (
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
)

// fileSource returns the end for reading from a file, by the first way that works.
func fileSource(f *os.File) (end, error) {
	info, nonblocking, err := inspect(f)
	switch {
	case err != nil:
		return end{}, err
	case isStored(info.Mode()):
		return end{reader: f}, nil
	case nonblocking:
		e := withDeadlines(f.SetReadDeadline)
		e.reader = f
		return e, nil
	}
	if anew, ok := reopen(f, info, syscall.O_RDONLY); ok {
		e := withDeadlines(anew.SetReadDeadline)
		e.reader, e.finish = anew, anew.Close
		return e, nil
	}
	w, err := newWaiter(f)
	switch {
	case err == errNeverBlocks:
		return end{reader: f}, nil
	case err != nil:
		return end{}, fmt.Errorf("%s %w: %w", f.Name(), ErrNotInterruptible, err)
	}
	return end{reader: w, wake: w.wakeUp, finish: w.close}, nil
}

// fileSink returns the end for writing to a file. Waiting before a blocking write doesn't help:
// there may be room for a part of it only.
func fileSink(f *os.File) (end, error) {
	info, nonblocking, err := inspect(f)
	switch {
	case err != nil:
		return end{}, err
	case isStored(info.Mode()), isNull(info):
		return end{writer: f}, nil
	case nonblocking:
		e := withDeadlines(f.SetWriteDeadline)
		e.writer = f
		return e, nil
	}
	if anew, ok := reopen(f, info, syscall.O_WRONLY); ok {
		e := withDeadlines(anew.SetWriteDeadline)
		e.writer, e.finish = anew, anew.Close
		return e, nil
	}
	return end{}, fmt.Errorf("%s %w", f.Name(), ErrNotInterruptible)
}

// inspect returns what kind of file it is, and whether it is in non-blocking mode. In that mode
// only the runtime waits, and deadlines end that. SetDeadline alone doesn't tell: it also succeeds
// after Fd has put the file into blocking mode.
func inspect(f *os.File) (info fs.FileInfo, nonblocking bool, err error) {
	info, err = f.Stat()
	if err != nil {
		return nil, false, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, false, err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		var flags uintptr
		flags, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
		nonblocking = flags&syscall.O_NONBLOCK != 0
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	return info, nonblocking, err
}

// isStored reports whether a file lies on a disk, so that a read or write ends by itself.
func isStored(mode fs.FileMode) bool {
	return mode.IsRegular() || mode.IsDir() || mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
}

func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// errNeverBlocks is what newWaiter returns for a file that never blocks.
var errNeverBlocks = fmt.Errorf("breakerio: it never blocks")

// waiter reads from a file in blocking mode, once there is something to read. It leaves that mode
// alone. Other processes may share the file description, and with it the flag: they would get
// EAGAIN.
type waiter struct {
	file *os.File
	raw  syscall.RawConn
	// alarm is a pipe that becomes readable at the trip or at Close, and stays so.
	alarm, ring *os.File
	alarmRaw    syscall.RawConn
	poll        poller
	// closed is written by close, before the alarm.
	closed atomic.Bool
}

func newWaiter(f *os.File) (w *waiter, err error) {
	w = &waiter{file: f}
	if w.raw, err = f.SyscallConn(); err != nil {
		return nil, err
	}
	if w.alarm, w.ring, err = os.Pipe(); err != nil {
		return nil, err
	}
	if w.alarmRaw, err = w.alarm.SyscallConn(); err == nil {
		err = w.both(w.poll.open)
	}
	if err != nil {
		_ = w.close() // there is an error to report already
		return nil, err
	}
	return w, nil
}

// both calls f with both descriptors, neither of which is closed meanwhile.
func (w *waiter) both(f func(fd, alarm int) error) (err error) {
	outer := w.raw.Control(func(fd uintptr) {
		inner := w.alarmRaw.Control(func(alarm uintptr) { err = f(int(fd), int(alarm)) })
		if inner != nil {
			err = inner
		}
	})
	if outer != nil {
		return outer
	}
	return err
}

func (w *waiter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// Not RawConn.Read: that would lock the file while this waits, so os.File.Close would wait too.
	if err := w.both(w.poll.wait); err != nil {
		if w.closed.Load() {
			err = os.ErrClosed
		}
		return 0, &fs.PathError{Op: "read", Path: w.file.Name(), Err: err}
	}
	return w.file.Read(p)
}

func (w *waiter) wakeUp() error {
	_, err := w.ring.Write([]byte{0}) // a new pipe has room for it
	return err
}

// close wakes up a blocked Read, and closes what was opened.
func (w *waiter) close() error {
	w.closed.Store(true)
	_ = w.wakeUp()
	err := w.alarm.Close() // waits until no Read uses the descriptor
	w.poll.close()
	_ = w.ring.Close()
	return err
}
