package retry

import (
	"context"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// An Action is what is tried. Its context is that of the breaker: done when the breaker trips, with
// the same deadline and cause.
type Action = func(ctx context.Context) error

// Retry calls the action until it returns nil, the breaker trips, or what how says ends it. Before
// it returns, it closes the breaker. An attempt is never abandoned: when the breaker trips, Retry
// returns as soon as the action does.
//
// It returns nil iff the last attempt has succeeded, also if the breaker has tripped meanwhile. If
// the breaker has ended it, Retry returns an error that matches both the last error of the action
// and the cause of the breaker; without an attempt, because the breaker had tripped before, the
// cause itself. Otherwise it returns the last error of the action, as it is; that of Permanent
// unwrapped.
//
// Without Limit there is no limit, and without Backoff it waits as Backoff(50*time.Millisecond, 2,
// 5*time.Second, 0.5) says. There is no wait after the last attempt. All of it runs on the calling
// goroutine; there is no other. A panic of the action passes through, and the breaker is closed.
// Retry panics if the breaker, the action or one of how is nil; then the breaker isn't closed.
func Retry(br breaker.Interface, action Action, how ...How) error {
	if b, ok := br.(*breaker.Breaker); br == nil || ok && b == nil {
		panic("retry: Retry: the breaker is nil")
	}
	if action == nil {
		panic("retry: Retry: the action is nil")
	}
	p := policy{backoff: defaultBackoff}
	for _, set := range how {
		if set == nil {
			panic("retry: Retry: one of how is nil")
		}
		set(&p)
	}
	defer br.Close()
	if br.Err() != nil {
		return br.Cause()
	}
	ctx := breaker.ToContext(br)
	for attempt := 1; ; attempt++ {
		err := action(ctx)
		if err == nil {
			return nil
		}
		if permanent, ok := ending(err); ok {
			return permanent
		}
		if br.Err() != nil {
			return &interruption{last: err, cause: br.Cause()}
		}
		if attempt == p.limit || !p.worth(err) {
			return err
		}
		if cause := breakersync.Sleep(br, p.backoff.wait(attempt)); cause != nil {
			return &interruption{last: err, cause: cause}
		}
	}
}

// interruption is the error of a Retry that the breaker has ended. It compares neither error with
// anything: either may be of any kind.
type interruption struct{ last, cause error }

func (e *interruption) Error() string {
	return e.last.Error() + " (interrupted: " + e.cause.Error() + ")"
}

func (e *interruption) Unwrap() []error { return []error{e.last, e.cause} }
