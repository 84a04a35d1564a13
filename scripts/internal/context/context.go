// Package context has the names of the standard library's package context, but makes contexts that
// can end of breakers. scripts/std.sh makes the standard library import it instead of its own.
package context

import (
	"context"
	"time"

	"github.com/kamilsk/breaker"
)

// Contexts that never end by themselves are those of package context. So are the types and errors
// that other code compares with.
type (
	Context         = context.Context
	CancelFunc      = context.CancelFunc
	CancelCauseFunc = context.CancelCauseFunc
)

var (
	Canceled         = context.Canceled
	DeadlineExceeded = context.DeadlineExceeded
)

func Background() Context { return context.Background() }

func TODO() Context { return context.TODO() }

func Cause(ctx Context) error { return context.Cause(ctx) }

func WithValue(parent Context, key, value any) Context { return context.WithValue(parent, key, value) }

func WithoutCancel(parent Context) Context { return context.WithoutCancel(parent) }

func WithCancel(parent Context) (Context, CancelFunc) {
	br := derive(parent, breaker.New())
	return breaker.ToContext(br), br.Close
}

func WithCancelCause(parent Context) (Context, CancelCauseFunc) {
	br := derive(parent, breaker.New())
	return breaker.ToContext(br), func(cause error) {
		if cause == nil {
			br.Close() // package context takes nil for Canceled
		} else {
			br.Trip(cause)
		}
	}
}

func WithDeadline(parent Context, deadline time.Time) (Context, CancelFunc) {
	br := derive(parent, breaker.BreakByDeadline(deadline))
	return breaker.ToContext(br), br.Close
}

func WithDeadlineCause(parent Context, deadline time.Time, cause error) (Context, CancelFunc) {
	br := derive(parent, breaker.BreakByDeadlineCause(deadline, cause))
	return breaker.ToContext(br), br.Close
}

func WithTimeout(parent Context, timeout time.Duration) (Context, CancelFunc) {
	br := breaker.Within(parent, timeout)
	return breaker.ToContext(br), br.Close
}

func WithTimeoutCause(parent Context, timeout time.Duration, cause error) (Context, CancelFunc) {
	br := breaker.WithinCause(parent, timeout, cause)
	return breaker.ToContext(br), br.Close
}

// AfterFunc calls f in a goroutine of its own, as package context does. Stopping it unregisters
// from ctx.
func AfterFunc(ctx Context, f func()) (stop func() bool) {
	br := breaker.BreakByContext(ctx, nil)
	cancel := br.OnTrip(func() { go f() })
	return func() bool {
		stopped := cancel()
		br.Close()
		return stopped
	}
}

// derive returns a breaker that ends with the parent or by own.
func derive(parent Context, own *breaker.Breaker) *breaker.Breaker {
	return breaker.Multiplex(breaker.BreakByContext(parent, nil), own)
}
