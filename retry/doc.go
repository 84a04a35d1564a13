// Package retry repeats an action until it succeeds or a breaker trips, in one line:
//
//	err := retry.Retry(breaker.BreakByTimeout(time.Minute), action)
//
// What else ends it, and how long it waits between two attempts:
//
//	err := retry.Retry(br, action,
//		// At most five attempts.
//		retry.Limit(5),
//		// Waits of 100ms, 200ms, 400ms … 10s, each shorter by up to a half.
//		retry.Backoff(100*time.Millisecond, 2, 10*time.Second, 0.5),
//		// Only after errors of which that is true.
//		retry.On(isTemporary),
//	)
//
// An action that knows that it won't succeed says so:
//
//	func action(ctx context.Context) error {
//		if missing {
//			return retry.Permanent(errMissing)
//		}
//		return call(ctx) // stops when the breaker trips
//	}
//
// # What comes back
//
// If the breaker has ended it, the error matches, by errors.Is and errors.As, both the last error
// of the action and the cause of the breaker. If something else has, it is the last error of the
// action.
//
// # Ownership of the breaker
//
// Retry owns the breaker that it is given, as breaker.Multiplex does: it closes it before it
// returns, so the line above leaks nothing. What has to live on, you pass as breaker.NopCloser(br).
package retry
