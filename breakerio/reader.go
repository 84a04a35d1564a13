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

// Reader returns r with its reads bound to the breaker: one that is blocked when br trips ends at
// once, with the cause of br as error, and later ones don't begin. Conn says what that error is.
//
// It takes
//
//   - whatever has SetReadDeadline: connections, the ends of net.Pipe, and on Unix the *os.File of
//     pipes, FIFOs, terminals and sockets;
//   - on Linux and darwin any other *os.File as well, as Stdin does: blocking ones, and those whose
//     Fd was called before. On other systems only those with deadlines and regular files;
//   - what never blocks: a *bytes.Buffer, *bytes.Reader or *strings.Reader. For a regular file,
//     each Read is let finish.
//
// Anything else gives ErrNotInterruptible, unless WithGoroutine is among the options. A
// bufio.Reader or a decompressor belongs over the result, and not under it. An *os.File whose
// method Fd is called later blocks, as its deadlines don't work any more (os/exec calls it for the
// files that it is given).
//
// Close unregisters from br and gives back what was opened for waiting. It doesn't close r. Call it
// when no Read is blocked: it ends some of them, and not others. If the trip came first, the read
// deadline of r lies in the past: set another one before you go on with r itself. If
// SetReadDeadline fails at the trip, r is closed, on a goroutine of its own.
//
// The result has SetReadDeadline if r has working deadlines; use that one, which can't undo the
// trip. Reader costs one registration and no goroutine. It panics if br or r is nil. Its methods
// may be called concurrently, as far as those of r may.
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

// Writer returns w with its writes bound to the breaker, as Reader does for reads: one that is
// blocked when br trips ends at once, and returns how much was written. It takes whatever has
// SetWriteDeadline, a *bytes.Buffer, a *strings.Builder, io.Discard, and the same files as Reader,
// but for a blocking *os.File only on Linux, and only a pipe, a FIFO, a terminal or what never
// blocks.
//
// On Linux, a blocking pipe or terminal is opened anew for it. So a broken pipe is an error there,
// even for standard output, where it would otherwise kill the process.
//
// Close unregisters from br. It doesn't close w. Writer panics if br or w is nil.
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

// begin returns the error of an operation that may not begin.
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
