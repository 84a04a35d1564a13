// Package breakersync has locks, conditions, semaphores and task groups whose waits can be
// interrupted. Each wait takes a breaker and returns the breaker's cause when it trips.
//
// Interrupt a lock:
//
//	var mu breakersync.Mutex
//	if err := mu.Lock(br); err != nil {
//		return err // not locked: br has tripped, and err is its cause
//	}
//	defer mu.Unlock()
//
// Wait for a condition, with a limit:
//
//	if err := mu.Lock(br); err != nil {
//		return err
//	}
//	defer mu.Unlock() // cond.Wait holds the lock again when it returns, with an error too
//	for !ready {
//		if err := cond.Wait(br); err != nil {
//			return err
//		}
//	}
//
// Limit concurrent work:
//
//	places := breakersync.NewSemaphore(5)
//	if err := places.Acquire(br, 1); err != nil {
//		return err
//	}
//	defer places.Release(1)
//
// Run tasks that stop together:
//
//	group := breakersync.NewGroup(br)
//	for _, url := range urls {
//		group.Go(func(br breaker.Interface) error { return fetch(breaker.ToContext(br), url) })
//	}
//	return group.Wait()
//
// Sleep, and repeat something periodically:
//
//	err := breakersync.Sleep(br, time.Second)
//	for now := range breakersync.Every(br, time.Minute, 0.1) {
//		report(now)
//	}
//
// # Rules
//
//   - The error is br.Cause() itself, unless a function says otherwise.
//   - Lock, RLock, Acquire, Cond.Wait and Sleep ask the breaker first. If it has tripped, they
//     return its cause, even if they wouldn't have to wait.
//   - No function closes a breaker that you pass to it: one breaker can serve any number of calls.
//     (Packages semaphore and retry close theirs.)
//   - If a breaker trips while a lock is being handed over, the call either returns nil and has the
//     lock, or returns the cause and has passed the lock on. The lock is never lost.
//   - Locks and permits are granted first come, first served. An interrupted waiter makes room for
//     the waiters behind it.
//   - Bad input (a nil breaker or function, a negative size or count) panics before anything
//     changes. The message names the function and the argument.
//   - Zero values are ready for use. Nothing may be copied after its first use; go vet reports
//     copies.
//
// # Cost
//
// An uncontended operation is a few loads and one compare-and-swap. A wait starts no goroutine. A
// wait in a queue registers one callback with the breaker, which takes one allocation, or two if
// the breaker isn't a *breaker.Breaker. Its own memory is pooled; if the pool is empty, that takes
// two allocations more. Leaving a queue takes constant time, whatever its length. Sleep and Every
// take a timer instead.
//
// These locks are fair, so they don't have the throughput of sync.Mutex under heavy contention. For
// a critical section of a few instructions, use sync.Mutex: there is nothing to interrupt.
package breakersync
