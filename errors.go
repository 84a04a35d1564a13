package breaker

import (
	"context"
	"os"
)

// Interrupted is what Err returns once a breaker has tripped, or what its error matches; see Breaker.Err.
const Interrupted Error = "operation interrupted"

// Error is the type of Interrupted.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// ErrClosed is the cause of a breaker that was closed before anything tripped it. It matches Interrupted and
// context.Canceled.
var ErrClosed error = &endError{text: "breaker closed", as: context.Canceled}

var (
	errExpired error = &endError{text: "breaker deadline exceeded", as: context.DeadlineExceeded}
	errChannel error = &endError{text: "breaker channel closed or received from", as: context.Canceled}
	errNothing error = &endError{text: "breaker has nothing to wait for", as: context.Canceled}
)

// endError is a cause made by this package. It matches Interrupted and the error that a context
// which ended that way has, because callers look for either (promise 4).
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == Interrupted || target == e.as }

// Timeout makes the cause of a timeout a timeout for net.Error and os.IsTimeout, too.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary goes with Timeout to make a net.Error, as context.DeadlineExceeded is one.
func (e *endError) Temporary() bool { return e.Timeout() }

// SignalError is the cause of a breaker that a signal tripped. It matches Interrupted and context.Canceled.
type SignalError struct {
	// Signal is the one that arrived.
	Signal os.Signal
}

// Error says which signal it was.
func (e SignalError) Error() string {
	if e.Signal == nil {
		return "signal received"
	}
	return "signal received: " + e.Signal.String()
}

// Is reports whether the target is Interrupted or context.Canceled.
func (SignalError) Is(target error) bool { return target == Interrupted || target == context.Canceled }

// contextError is the Err of a breaker whose own context ended: it matches Interrupted and the context's error (promise 5).
type contextError struct {
	err error
}

func (e *contextError) Error() string { return string(Interrupted) + ": " + e.err.Error() }

func (e *contextError) Is(target error) bool { return target == Interrupted }

func (e *contextError) Unwrap() error { return e.err }

// The two errors that a context may have, made once, so that tripping on one doesn't allocate.
var (
	errContextCanceled = &contextError{context.Canceled}
	errContextExpired  = &contextError{context.DeadlineExceeded}
)

func contextErrorOf(err error) *contextError {
	switch err {
	case context.Canceled:
		return errContextCanceled
	case context.DeadlineExceeded:
		return errContextExpired
	default:
		return &contextError{err}
	}
}
