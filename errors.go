package breaker

import (
	"context"
	"os"
)

// Interrupted is what Err returns once a breaker has tripped, or what its error matches; see
// Breaker.Err.
const Interrupted Error = "operation interrupted"

// Error is the type of Interrupted.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// ErrClosed is the cause of a breaker that was closed before anything tripped it. It matches
// Interrupted and context.Canceled.
var ErrClosed error = &endError{text: "breaker: closed", as: context.Canceled}

var (
	errExpired error = &endError{text: "breaker: timed out", as: context.DeadlineExceeded}
	errChannel error = &endError{text: "breaker: channel closed", as: context.Canceled}
	errNothing error = &endError{text: "breaker: nothing to wait for", as: context.Canceled}
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

// SignalError is the cause of a breaker that a signal tripped. It matches Interrupted and
// context.Canceled.
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

// endOf is the Err of a breaker whose own context has ended, or is about to be cancelled by the
// breaker: it matches Interrupted and what that context's Err says at the time (promise 5). A
// context can still end by itself before its breaker comes to cancel it.
func endOf(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}

// contextEnd is the Err of a breaker over that context. It holds one pointer, so that Err doesn't
// allocate.
type contextEnd struct{ b *contextBreaker }

func (e contextEnd) Error() string      { return string(Interrupted) + ": " + e.Unwrap().Error() }
func (contextEnd) Is(target error) bool { return target == Interrupted }
func (e contextEnd) Unwrap() error      { return endOf(e.b.ctx) }

// viewEnd is contextEnd for a context of ToContext.
type viewEnd struct{ b *viewBreaker }

func (e viewEnd) Error() string      { return string(Interrupted) + ": " + e.Unwrap().Error() }
func (viewEnd) Is(target error) bool { return target == Interrupted }
func (e viewEnd) Unwrap() error      { return endOf((*contextView)(e.b.array[0].source.Get())) }

// withExpiry calls then with flagExpired if the cause is a deadline's, else with 0. The cause's own
// methods are the user's: if one of them panics, or ends the goroutine, then is called all the
// same, once, and the cause counts as any other (promise 21). So it does if one of them comes back
// to trip the same breaker, or another goroutine with such a cause is about to.
func (b *Breaker) withExpiry(cause error, then func(mark uint32)) {
	mark := uint32(0)
	switch {
	case isTransparent(cause):
		if cause == context.DeadlineExceeded {
			mark = flagExpired
		}
		then(mark)
	case b.move(0, flagWeighing)&flagWeighing != 0:
		then(mark)
	default:
		defer func() {
			_ = recover()
			then(mark)
		}()
		mark = opaqueExpiry(cause)
	}
}

// isTransparent reports whether the cause has no methods that say what else it matches.
func isTransparent(cause error) bool {
	switch cause.(type) {
	case interface{ Is(error) bool }, interface{ Unwrap() error }, interface{ Unwrap() []error }:
		return false
	}
	return true
}

// manyCauses bounds how many errors a cause may wrap before it counts as one that never ends.
const manyCauses = 1_000

// opaqueExpiry is errors.Is(cause, context.DeadlineExceeded), but for a cause that wraps itself, on
// which that never returns.
func opaqueExpiry(cause error) uint32 {
	todo := []error{cause}
	for n := 0; len(todo) > 0 && n < manyCauses; n++ {
		err := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err == nil {
			continue
		}
		if err == context.DeadlineExceeded {
			return flagExpired
		}
		if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(context.DeadlineExceeded) {
			return flagExpired
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			todo = append(todo, e.Unwrap())
		case interface{ Unwrap() []error }:
			todo = append(todo, e.Unwrap()...)
		}
	}
	return 0
}
