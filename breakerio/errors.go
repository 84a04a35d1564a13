package breakerio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"

	"github.com/kamilsk/breaker"
)

// ErrNotInterruptible is what Reader, Writer and Stdin return for something that has no deadlines,
// and that they can't wait for in another way. Nothing has changed then. With WithGoroutine they
// take such things, too.
var ErrNotInterruptible = errors.New("can't be interrupted without a goroutine")

// interrupted is the error of an operation that the trip has ended. It matches breaker.Interrupted
// and whatever the cause of the breaker matches.
type interrupted struct {
	cause   error
	expired bool
}

// causeOf returns the error for a breaker that has tripped.
func causeOf(br breaker.Interface) error {
	return &interrupted{
		cause: br.Cause(),
		// The breaker has called the methods of its cause already, once and guarded. Calling them
		// again would run the user's code, which may panic (promise 21).
		expired: breaker.ToContext(br).Err() == context.DeadlineExceeded,
	}
}

func (e *interrupted) Error() string { return e.cause.Error() }

func (e *interrupted) Is(target error) bool { return target == breaker.Interrupted }

func (e *interrupted) Unwrap() error { return e.cause }

// Timeout reports whether the breaker timed out, or was tripped by a timeout of another operation.
// net.OpError and fs.PathError ask it. There is no method Temporary: with it, net/http would keep
// accepting, and crypto/tls would read again.
func (e *interrupted) Timeout() bool {
	cause, ok := e.cause.(interface{ Timeout() bool })
	return e.expired || ok && cause.Timeout()
}

// explain replaces the timeout that the trip has provoked by the cause. It keeps the rest of the
// error.
func explain(br breaker.Interface, err error) error {
	why := causeOf(br)
	switch e := err.(type) {
	case *net.OpError:
		op := *e
		op.Err = why
		return &op
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: e.Path, Err: why}
	default:
		return why
	}
}

// isTimeout reports whether an error may come from an expired deadline.
func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isClosed reports whether an error says that there is nothing left to interrupt.
func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, fs.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// mustBreaker panics if a breaker is nil (promise 15).
func mustBreaker(function string, br breaker.Interface) {
	if b, ok := br.(*breaker.Breaker); br == nil || ok && b == nil {
		panic("breakerio: " + function + ": the breaker is nil")
	}
}
