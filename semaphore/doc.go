// Package semaphore limits how much goes on at the same time, and how long you wait for your turn,
// in one line:
//
//	if err := semaphore.Acquire(breaker.BreakByTimeout(time.Minute), 5); err != nil {
//		return err // not acquired within a minute
//	}
//	defer semaphore.Release(5)
//
// The functions work on one semaphore that the process shares. It has as many permits as GOMAXPROCS
// said when the program started, until SetCapacity says otherwise. For one of your own:
//
//	var uploads = semaphore.New(10)
//
//	err := uploads.Acquire(breaker.BreakByTimeout(time.Minute), 1)
//
// # Ownership of the breaker
//
// Acquire owns the breaker that it is given, as breaker.Multiplex does: it closes it before it
// returns, whatever it returns, so the lines above leak nothing. Wrap a breaker that has to live
// on: breaker.NopCloser(br). If that isn't what you want, use breakersync.Semaphore, on which this
// package is built: it never closes a breaker.
package semaphore
