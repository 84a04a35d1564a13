package breakerio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

// Reader returns r with its reads bound to the breaker. When br trips, a blocked Read returns at
// once, and later ones fail without beginning. The error is the cause of br, in the form that Conn
// describes.
//
// Reader accepts
//
//   - anything with SetReadDeadline: connections, the ends of net.Pipe, and on Unix the *os.File of
//     pipes, FIFOs, terminals and sockets;
//   - on Linux and darwin any other *os.File as well, as Stdin does: blocking ones, and those whose
//     Fd was called before. On other systems only files with deadlines and regular files;
//   - what never blocks: a *bytes.Buffer, *bytes.Reader or *strings.Reader. On a regular file, each
//     Read runs to its end.
//
// For anything else it returns ErrNotInterruptible, unless you pass WithGoroutine. Put a
// bufio.Reader or a decompressor over the result, not under it. If Fd of an *os.File is called
// later, its deadlines stop working and a Read blocks. os/exec calls Fd of the files that you pass
// to it.
//
// Close unregisters from br and closes what was opened for waiting. It doesn't close r. Call it
// when no Read is blocked: it ends some of them, but not all. If the trip came first, the read
// deadline of r lies in the past: set another one before you use r again. If SetReadDeadline fails
// at the trip, r is closed, on a goroutine of its own.
//
// The result has SetReadDeadline if r has working deadlines. Use it instead of that of r: it can't
// undo the trip. Reader costs one registration and no goroutine. It panics if br or r is nil. The
// methods may be called concurrently if those of r may.
func Reader(br breaker.Interface, r io.Reader, how ...Option) (io.ReadCloser, error) {
	mustBreaker("Reader", br)
	if r == nil {
		panic("breakerio: Reader: the reader is nil")
	}
	return newReader("Reader", br, r, how)
}

func newReader(function string, br breaker.Interface, r io.Reader, how []Option) (io.ReadCloser, error) {
	o := optionsOf(function, how)
	e, err := sourceOf(r)
	if o.goroutine && errors.Is(err, ErrNotInterruptible) {
		e, err = end{reader: newPump(br, r.Read), path: e.path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("breakerio: %s: %w", function, err)
	}
	opened := &reader{}
	opened.open(br, e)
	if e.set != nil {
		return deadlineReader{opened}, nil
	}
	return opened, nil
}

// Writer returns w with its writes bound to the breaker, as Reader does for reads. When br trips, a
// blocked Write returns at once, and says how much was written. Writer accepts anything with
// SetWriteDeadline, a *bytes.Buffer, a *strings.Builder, io.Discard, and the same files as Reader.
// A blocking *os.File is accepted on Linux only, and only if it is a pipe, a FIFO or a terminal, or
// never blocks. For anything else Writer returns ErrNotInterruptible, unless you pass
// WithGoroutine.
//
// On Linux, a blocking pipe or terminal is opened anew. So a broken pipe is an error there, even
// for standard output, where it would otherwise kill the process.
//
// Close unregisters from br. It doesn't close w. Writer costs one registration and no goroutine. It
// panics if br or w is nil. The methods may be called concurrently if those of w may.
func Writer(br breaker.Interface, w io.Writer, how ...Option) (io.WriteCloser, error) {
	mustBreaker("Writer", br)
	if w == nil {
		panic("breakerio: Writer: the writer is nil")
	}
	o := optionsOf("Writer", how)
	e, err := sinkOf(w)
	if o.goroutine && errors.Is(err, ErrNotInterruptible) {
		e, err = end{writer: newPump(br, w.Write), path: e.path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("breakerio: Writer: %w", err)
	}
	opened := &writer{}
	opened.open(br, e)
	if e.set != nil {
		return deadlineWriter{opened}, nil
	}
	return opened, nil
}

// bound is what a reader and a writer have in common.
type bound struct {
	guard
	end
}

func (b *bound) open(br breaker.Interface, e end) {
	b.end = e
	b.arm(br, e.wake, e.abandon)
}

// begin returns an error if an operation may not begin.
func (b *bound) begin(op string) error {
	var why error
	switch {
	case b.released.Load():
		why = os.ErrClosed
	case b.tripped():
		why = causeOf(b.br)
	default:
		return nil
	}
	if b.path == "" {
		return why
	}
	return &fs.PathError{Op: op, Path: b.path, Err: why}
}

// Close may be called again, and then does nothing.
func (b *bound) Close() error {
	if b.released.Load() {
		return nil
	}
	b.release()
	if b.finish != nil {
		return b.finish()
	}
	return nil
}

type reader struct{ bound }

func (r *reader) Read(p []byte) (int, error) {
	if err := r.begin("read"); err != nil {
		return 0, err
	}
	n, err := r.end.reader.Read(p)
	return n, r.explain(err)
}

type deadlineReader struct{ *reader }

func (r deadlineReader) SetReadDeadline(t time.Time) error { return r.setDeadline(r.set, t) }

type writer struct{ bound }

func (w *writer) Write(p []byte) (int, error) {
	if err := w.begin("write"); err != nil {
		return 0, err
	}
	n, err := w.end.writer.Write(p)
	return n, w.explain(err)
}

type deadlineWriter struct{ *writer }

func (w deadlineWriter) SetWriteDeadline(t time.Time) error { return w.setDeadline(w.set, t) }
