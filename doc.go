// Package breaker makes any flow of execution interruptible.
//
// A breaker is a one-shot stop signal. A timeout, a deadline, an OS signal, a channel, a context or
// you can trip it; everything waiting on it stops, and can ask why. It is not a circuit breaker.
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
// You can pass it directly to anything that accepts an interface{ Done() <-chan struct{}; Err()
// error }. Use ToContext where code accepts a context.Context.
//
// # Roles
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
// Code that can't wait registers a callback, and takes it back when it no longer matters. If stop
// returns false the callback has begun; before you reuse what it touches, wait until it has
// returned:
//
//	stop := br.OnTrip(func() { conn.SetDeadline(past) })
//	defer func() {
//		if !stop() {
//			br.AwaitClosed()
//			conn.SetDeadline(time.Time{})
//		}
//	}()
//
// A request is tripped by longer-lived breakers, too, and never closes them: it watches them.
// Within owns neither the context nor the process's breaker:
//
//	br := breaker.Within(r.Context(), limit, process)
//	defer br.Close()
//
// A connection that must make progress is touched whenever it does:
//
//	idle := breaker.BreakByIdle(30 * time.Second)
//	defer idle.Close()
//	for idle.Touch() {
//		step()
//	}
//
// # Guarantees
//
//  1. Done is closed exactly once; exactly one trip wins, and Trip returns true for that one only.
//  2. Err is non-nil if and only if Done is closed, for every observer at any time.
//  3. When any Trip or Close returns, Done is closed.
//  4. Cause is set before Done closes, is the winner's, and never changes.
//  5. Err is Interrupted, or matches it.
//  6. A callback that was registered and not stopped runs exactly once if the breaker trips, with
//     Done closed.
//  7. If stop returns true, the callback never runs. stop never blocks.
//  8. Callbacks must not block; otherwise they may do anything. If one panics, the others still
//     run and resources are released.
//  9. A Multiplex trips with the first of its breakers, and then closes all of them except those
//     wrapped in NopCloser.
//  10. A breaker that has tripped leaves nothing behind: no timer, registration, signal handler or
//     goroutine.
//  11. A breaker has no goroutine of its own. There is one per distinct signal, one per distinct
//     channel being waited on, and the one that package context needs for a context of foreign
//     type.
//  12. Signals are caught from the return of BreakBySignal on. A signal that has already arrived
//     never trips a breaker created later. While callbacks run, the signal stays caught.
//  13. A context returned by ToContext ends at the same instant, with the cause, the deadline and
//     the values.
//  14. The deadline of a Multiplex, Any or Within is the earliest of all it watches.
//  15. Bad input panics on the caller's goroutine, naming the argument, before anything has
//     changed.
//  16. All of it works inside testing/synctest bubbles, next to others and next to code outside.
//  17. Registering, stopping, Err and Done are lock-free, and do the same work with 0 or 1,000,000
//     other registrations, even while the breaker trips. A chain of 1,000,000 breakers trips
//     without recursion. Whatever asks a context or a channel, or begins to wait for it, takes the
//     locks of that.
//  18. A trip first trips everything that depends on the breaker, at any depth. Then it releases
//     sources. Only then does it run your code: callbacks, cancel functions, Close of your types.
//     So a callback never finds a dependent open, and never delays one. The order among callbacks
//     is undefined. Another goroutine may be tripping a dependent at the same time: this trip
//     still trips everything below it first, and the other goroutine closes what that dependent
//     owns. A callback registered late runs at once.
//  19. An end that hasn't been reported yet counts: Close and Trip first ask the contexts and
//     channels that the breaker owns. Err of BreakByContext and Within asks the context: once
//     cancel has returned, Err isn't nil.
//  20. A breaker made by a constructor and copied by value panics at its first use.
//  21. A cause whose methods panic or call back, or that is a typed nil, works like any other
//     cause.
//  22. context.Cause of a context returned by ToContext is exactly context.DeadlineExceeded after a
//     timeout without a cause of its own, and exactly context.Canceled after a plain Close.
//     Otherwise it is the breaker's Cause.
//  23. Deadline returns the same value at each call, unless the deadline can move.
//  24. signal.Reset and signal.Ignore by other code don't affect breakers created later.
//  25. Deadline, Value and construction take time linear in the number of breakers and their links
//     that can be reached. A context by other code in between is asked once for each way that
//     leads to it.
//  26. The two supported Go releases work, and so does the build tag breaker_pure. With that tag, a
//     context derived through context.WithValue ends when Done closes, not after the dependents.
//  27. Printing a breaker by fmt, log/slog or encoding/json prints what String returns, and may be
//     done at any time.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks. The one exception:
// AwaitClosed must not be called from a callback of the same breaker, or of one that trips it.
//
// A Trip or Close is ordered before whatever follows from it: before the callbacks, and before what
// another goroutine does after it has seen Done closed, or Err or Cause non-nil.
//
// Callbacks run on the goroutine that trips the breaker: the caller of Trip or Close, the timer's
// goroutine, the one that waits for a signal or a channel, or the one that package context starts
// when a context ends. A breaker over a context or a channel for which no goroutine waits trips on
// the goroutine that asks it: by Err, Cause, State, Close or Trip. The cancel function of
// BreakByContext then runs there, too.
//
// OnTrip on a breaker that has tripped runs the callback before it returns. If the callback takes a
// lock that you hold, that is a deadlock: register before you take the lock, or have the callback
// start a goroutine, OnTrip(func() { go f() }).
//
// # What it relies on
//
// A context returned by ToContext lets package context derive from it without a goroutine. Two
// things inside of package context make that possible. They are the same in Go 1.26 and 1.27, with
// which the tests run:
//
//   - the private key by which package context looks for a context of its own. This package finds
//     it at start, by calling context.Cause on a probe. Without it, context.Cause of a context
//     returned by ToContext would be that context's Err.
//   - the private fields done, mu and cause of its contexts. They are found by reflection, and
//     checked. Without them, a context derived through context.WithValue costs a goroutine.
//
// The build tag breaker_pure does without both, and without package unsafe. It passes the same
// tests, except the budgets and the tests of what it leaves out.
//
// Done of a breaker over a context follows a few microseconds after cancel; Err asks the context.
// docs/design.md says what it would cost to close Done in the same instant.
//
// # When not to use it
//
// If the request's context is enough, pass it along: a breaker adds nothing to it. A breaker trips
// once; to let requests through again after a while, use a circuit breaker. It carries no values of
// its own.
package breaker
