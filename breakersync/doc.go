// Package breakersync has what package sync and x/sync have to wait with, and each wait can be interrupted: it takes a breaker, and returns
// the breaker's cause as soon as that trips.
//
// Interrupt a lock:
//
//	var mu breakersync.Mutex
//	if err := mu.Lock(br); err != nil {
//		return err // not locked: br has tripped, and err is its cause
//	}
//	defer mu.Unlock()
//
// Wait for a condition, but not forever:
//
//	mu.Lock(br)
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
//   - Lock, RLock, Acquire, Cond.Wait and Sleep ask the breaker first. If it has tripped, they return its cause, also when they wouldn't have
//     had to wait.
//   - No function closes a breaker that you pass to it: one breaker can serve any number of calls. (Packages semaphore and retry close theirs.)
//   - If a breaker trips while a lock is being handed over, the call either returns nil and has the lock, or returns the cause and has given
//     the lock to the next goroutine. It is never lost.
//   - Locks and permits are granted first come, first served. A goroutine that gives up makes room for those behind it.
//   - A nil breaker, a nil function, a negative size or count: a panic that names the function and the argument, before anything has changed.
//   - Zero values are ready for use. Nothing may be copied after its first use; go vet reports copies.
//
// # Cost
//
// An uncontended operation is one load of the breaker's state and one compare-and-swap. A wait starts no goroutine. It registers one
// callback with the breaker, and takes one allocation for it, and another one if the breaker isn't a *breaker.Breaker; its own memory
// is reused. To give up a place in a queue takes the same time however long the queue is.
//
// These locks are fair, so they don't have the throughput of sync.Mutex under heavy contention. For a critical section of a few
// instructions, use sync.Mutex: nobody has to be interrupted there.
package breakersync
