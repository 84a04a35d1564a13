// Package lostclose defines an analyzer that looks for breakers that nobody closes.
//
// # Analyzer lostclose
//
// lostclose: check that breakers are closed
//
// A breaker of github.com/kamilsk/breaker that listens to something holds on to it until it trips or is closed: a
// timer, a signal handler, a registration with a context or with other breakers. The analyzer reports one that, on some
// path through the function that made it, is neither closed nor handed to anyone who could do it:
//
//	func fetch(ctx context.Context, keys []string) error {
//		br := breaker.Multiplex(
//			breaker.BreakByTimeout(time.Minute),
//			breaker.BreakByContext(ctx, nil),
//		)
//		if len(keys) == 0 {
//			return nil // br is still registered with ctx, and its timer runs
//		}
//		defer br.Close()
//		…
//	}
//
// It looks at what BreakByChannel, BreakByContext, BreakByDeadline, BreakBySignal, BreakByTimeout, Multiplex,
// MultiplexTwo, MultiplexThree and WithContext return. New is left alone, because what it returns holds nothing; so
// are calls that return a tripped breaker or panic, as far as their arguments tell: a constant timeout of zero or
// less, no signals, no breakers, nil.
//
// A path is fine once it
//
//   - calls, defers or takes the method value of Close, Trip or Wait: after a trip nothing is held any more;
//   - returns the breaker, passes it to a function, stores or sends it, takes its address, or copies it to another
//     variable;
//   - makes a function literal that does one of these, or waits for Done;
//   - has received from Done, or found by a condition that Err or Cause is not nil, or that IsReleased is true;
//   - doesn't return: os.Exit, log.Fatal, panic, an endless loop. Nor does it matter what main.main leaves behind.
//
// Done, Err, Cause, Deadline, State, OnTrip, IsReleased and String leave the responsibility where it is. So do
// NopCloser and ToContext: whoever gets such a view can't close the breaker.
//
// What ends a source of the breaker, in the same function, takes care of it, too: a Close or Trip of a breaker that was
// given to Multiplex, also as NopCloser, a use of the cancel function of a context, the close of a channel.
//
// A breaker that is overwritten, or made again in the next iteration of a loop, is lost as well.
//
// The analyzer looks at one function at a time, and doesn't relate conditions to each other: a breaker that is made
// under a condition and closed under the same one further down is reported. Defer Close where it is made. What is
// meant to be is said, with the reason, by a comment on the same line or the one above:
//
//	//lostclose:ignore the server's own breaker ends it
package lostclose
