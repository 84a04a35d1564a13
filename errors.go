package breaker

import (
	"context"
	"os"
)

// Interrupted is what Err of a tripped breaker returns. Over a context, Err returns an error that
// matches Interrupted; see Breaker.Err.
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

// endError is a cause made by this package. Callers look for Interrupted, or for the error of a
// context that ended the same way. It matches both (promise 4).
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == Interrupted || target == e.as }

// Timeout lets net.Error and os.IsTimeout recognize the cause of a timeout.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary completes net.Error, which context.DeadlineExceeded implements, too.
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

// endOf returns what the context's Err says, or context.Canceled if the context is still open. In
// that case its breaker is about to cancel it. The context may still end by itself before that, so
// Err of the breaker asks each time (promise 5).
func endOf(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Canceled
}

// contextEnd is the Err of a breaker over a context. It holds one pointer, so that Err doesn't
// allocate.
type contextEnd struct{ b *contextBreaker }

func (e contextEnd) Error() string      { return string(Interrupted) + ": " + e.Unwrap().Error() }
func (contextEnd) Is(target error) bool { return target == Interrupted }
func (e contextEnd) Unwrap() error      { return endOf(e.b.ctx) }

// viewEnd is contextEnd for a context returned by ToContext.
type viewEnd struct{ b *viewBreaker }

func (e viewEnd) Error() string      { return string(Interrupted) + ": " + e.Unwrap().Error() }
func (viewEnd) Is(target error) bool { return target == Interrupted }
func (e viewEnd) Unwrap() error      { return endOf((*contextView)(e.b.array[0].source.Get())) }

// withExpiry calls then exactly once: with flagExpired if the cause is a deadline's, else with 0.
// The cause's methods are the user's. One of them may panic, end the goroutine, or trip this
// breaker. Another goroutine may be calling such methods for this breaker. In each of these cases
// the cause counts as any other (promise 21).
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

// manyCauses is how many wrapped errors are looked at. A cause that wraps itself has no end.
const manyCauses = 1_000

// opaqueExpiry is errors.Is(cause, context.DeadlineExceeded) as a flag. Unlike errors.Is it also
// returns for a cause that wraps itself.
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
