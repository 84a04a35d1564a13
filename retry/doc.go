// Package retry repeats an action until it succeeds or a breaker trips, in one line:
//
//	err := retry.Retry(breaker.BreakByTimeout(time.Minute), action)
//
// Options say what else ends it, and how long it waits between two attempts:
//
//	err := retry.Retry(br, action,
//		// At most five attempts.
//		retry.Limit(5),
//		// Waits of 100ms, 200ms, 400ms … 10s, each shorter by up to a half.
//		retry.Backoff(100*time.Millisecond, 2, 10*time.Second, 0.5),
//		// Only after errors for which isTemporary returns true.
//		retry.On(isTemporary),
//	)
//
// An action that can't succeed any more returns a permanent error:
//
//	func action(ctx context.Context) error {
//		if missing {
//			return retry.Permanent(errMissing)
//		}
//		return call(ctx) // stops when the breaker trips
//	}
//
// # What it returns
//
// If the breaker ends it, the error matches both the last error of the action and the cause of the
// breaker, by errors.Is and errors.As. If the breaker had tripped before the first attempt, the
// error is the cause alone. Otherwise the error is the last error of the action.
//
// # Ownership of the breaker
//
// Retry owns its breaker, as breaker.Multiplex does: it closes it before it returns. So the first
// line leaks nothing. Wrap a breaker that must outlive the call: breaker.NopCloser(br).
//
// # Concurrency
//
// Retry may be called concurrently, also with the same options.
package retry
