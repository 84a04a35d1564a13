// Package semaphore limits how much work is done at the same time, and how long you wait for your
// turn, in one line:
//
//	if err := semaphore.Acquire(breaker.BreakByTimeout(time.Minute), 5); err != nil {
//		return err // not acquired within a minute
//	}
//	defer semaphore.Release(5)
//
// The functions use one semaphore that the whole process shares. Its capacity is the value of
// GOMAXPROCS at the start of the program, until SetCapacity changes it. A call for more than the
// capacity returns ErrCapacity at once. To have your own:
//
//	var uploads = semaphore.New(10)
//
//	err := uploads.Acquire(breaker.BreakByTimeout(time.Minute), 1)
//
// # Ownership of the breaker
//
// Acquire owns its breaker, as breaker.Multiplex does: it always closes it before it returns. So
// the lines above leak nothing. Wrap a breaker that must outlive the call: breaker.NopCloser(br).
// Package breakersync has the Semaphore that this package is built on. That one never closes a
// breaker.
package semaphore
