package retry

import (
	"context"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// An Action is what Retry calls. Its context is done when the breaker trips, with the same deadline
// and cause.
type Action = func(ctx context.Context) error

// Retry calls the action until it returns nil, the breaker trips, or an option ends it. It closes
// the breaker before it returns. It never abandons an attempt: when the breaker trips, Retry
// returns as soon as the action does.
//
// It returns nil iff the last attempt has succeeded, even if the breaker has tripped meanwhile. If
// the breaker ends it, the error matches both the last error of the action and the cause of the
// breaker. If the breaker had tripped before the first attempt, the error is the cause itself.
// Otherwise Retry returns the last error of the action as it is, or what Permanent was given.
//
// Without Limit there is no limit. Without Backoff it waits as with Backoff(50*time.Millisecond, 2,
// 5*time.Second, 0.5). It doesn't wait after the last attempt. It starts no goroutine. If the
// action panics, the panic passes through and the breaker is closed. Retry panics if the breaker,
// the action or an option is nil. Only then does it leave the breaker open.
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

// interruption is the error of a Retry that the breaker has ended. It never compares the two
// errors: they may be of types that can't be compared.
type interruption struct{ last, cause error }

func (e *interruption) Error() string {
	return e.last.Error() + " (interrupted: " + e.cause.Error() + ")"
}

func (e *interruption) Unwrap() []error { return []error{e.last, e.cause} }
