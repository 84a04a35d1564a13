// Package breaker makes any flow of execution interruptible.
//
// A breaker carries one bit, interrupted or not, from any source (a timeout, a deadline, an OS signal, a closed channel, a
// context, an owner) to any number of waiters, with the reason attached. Multiplex joins several into one.
//
//	interrupter := breaker.Multiplex(
//		breaker.BreakByTimeout(time.Minute),
//		breaker.BreakBySignal(os.Interrupt),
//	)
//	defer interrupter.Close()
//
//	<-interrupter.Done() // a timeout or a signal, whichever comes first
//	log.Print(interrupter.Cause())
//
// It goes where code takes an interface{ Done() <-chan struct{}; Err() error }, and, by ToContext, where it
// takes a context.Context.
//
// # Who does what
//
// An owner makes a breaker and closes it when the work is done:
//
//	br := breaker.BreakByTimeout(time.Second)
//	defer br.Close()
//
// A waiter selects on Done, or asks Err between two steps:
//
//	for br.Err() == nil {
//		step()
//	}
//
// One who needs to know without waiting registers a callback, and takes it back when it no longer matters:
//
//	stop := br.OnTrip(func() { conn.SetDeadline(past) })
//	defer stop()
//
// A request watches what outlives it by NopCloser, so that closing the request's breaker leaves it alone:
//
//	br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(limit))
//
// # What holds
//
//  1. Done is closed exactly once; exactly one trip wins, and Trip returns true for that one only.
//  2. Err is non-nil if and only if Done is closed, whoever looks, whenever.
//  3. When any Trip or Close returns, Done is closed.
//  4. Cause is set before Done closes, is the winner's, and never changes.
//  5. Err is Interrupted, or matches it.
//  6. A callback that was registered and not stopped runs exactly once if the breaker trips, with Done closed.
//  7. A stop that returns true has prevented its callback; it never waits.
//  8. Callbacks may do anything but block. One that panics neither keeps others from running nor resources held.
//  9. A Multiplex trips with the first of its breakers, and then closes all of them, but those behind NopCloser.
//  10. A breaker that has tripped leaves nothing behind: no timer, registration, signal handler or goroutine.
//  11. There is no goroutine for a breaker, but one for each distinct signal, one for each distinct channel given to
//     BreakByChannel that someone waits for, and the one that package context needs for a context that isn't of its kind.
//  12. Signals are caught from the return of BreakBySignal on; one arrival never trips a breaker made after it.
//  13. A context out of ToContext ends at the same instant, with the cause, the deadline and the values.
//  14. The deadline of a Multiplex is the earliest of its breakers'.
//  15. Bad input panics on the caller's goroutine, naming the argument, before anything has changed.
//  16. All of it works inside testing/synctest bubbles, next to others and next to code outside.
//  17. Registering, stopping, Err and Done are lock-free, and do the same work with 0 or 1,000,000 others registered,
//     also while the breaker trips; a chain of 1,000,000 breakers trips without recursion.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks. What happens before a Trip or Close in
// the goroutine that trips the breaker happens before whatever another goroutine does after it has seen Done
// closed, or Err or Cause non-nil, and before the callbacks.
//
// Callbacks run on the goroutine that trips the breaker: the caller of Trip or Close, the timer's goroutine, the one that
// waits for a signal or a channel, or the one that package context starts when a context ends. A breaker on which nobody
// waits trips on the goroutine of who asks, and the cancel function of BreakByContext runs there.
//
// # When not to use it
//
// Where a request's context is all there is, pass that on: a breaker adds nothing to it. A breaker isn't a circuit
// breaker that lets some requests through: it trips once. It carries no values of its own. It doesn't end
// goroutines; it tells them to end.
package breaker
