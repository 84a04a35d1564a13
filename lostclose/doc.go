// Package lostclose defines an analyzer that reports breakers that aren't closed on some path.
//
// # Analyzer lostclose
//
// lostclose: check that breakers are closed
//
// A breaker of github.com/kamilsk/breaker may retain a timer, a signal handler, or registrations
// with a context or other breakers, until it trips or is closed. The analyzer reports a breaker
// that, on some path through the function that made it, is neither closed nor passed to code that
// could close it:
//
//	func fetch(ctx context.Context, keys []string) error {
//		br := breaker.Within(ctx, time.Minute)
//		if len(keys) == 0 {
//			return nil // br is still registered with ctx, and its timer runs
//		}
//		defer br.Close()
//		…
//	}
//
// # What makes a breaker
//
// The constructors of package breaker do, and so does every function that returns what a
// constructor has made, in your package or another. If the function also returns an error or a
// bool, the path on which that says there is no breaker is fine. New is left alone, because what it
// returns holds nothing. So are calls that return a tripped breaker or panic, as far as their
// arguments tell: a constant timeout of zero or less, no signals, no breakers, nil.
//
// # What takes care of a breaker
//
// A path is fine once it
//
//   - calls, defers or takes the method value of Close, Trip, Wait or AwaitClosed;
//   - returns the breaker, stores it where the function's caller may see it, sends it, or takes its
//     address;
//   - passes it to a function that does more than watch it;
//   - makes a function literal that does one of these, or waits for Done;
//   - has received from Done, or found by a condition that Err or Cause is not nil, or that
//     IsReleased is true;
//   - doesn't return: os.Exit, log.Fatal, panic, an endless loop. Nor does it matter what main.main
//     leaves behind.
//
// The other methods don't take care of it. Neither do NopCloser, ToContext, Any and Within, which
// never close their arguments; functions that print, such as log.Print; and your functions that
// only watch. Another variable, or a local struct, slice, array or map, is only another name:
// whatever happens to that happens to the breaker.
//
// What ends a source of the breaker, in the same function, takes care of it, too: a Close or Trip
// of a breaker that was given to Multiplex, also as NopCloser, a use of the cancel function of a
// context, the close of a channel.
//
// A breaker that is overwritten, or made again in the next iteration of a loop, is lost as well.
//
// # What else is reported
//
//   - *BreakByTimeout(d), or any other constructor's result, copied by value: the copy panics at
//     its first use.
//   - A breaker in a field, in a package's variable, or of the caller, passed to Multiplex, which
//     closes it. Pass NopCloser(br), or use Any. It isn't reported if the function closes it
//     itself, or if the Multiplex is stored or, for a parameter, returned.
//   - OnTrip whose stop is discarded, where callbacks pile up: in an endless loop, or on a breaker
//     in a field or a package's variable, if the callback refers to something that is gone with the
//     call.
//
// # Fixes
//
// With -fix the command inserts a deferred Close where that doesn't change what the program does.
// There is no fix if a view, the Done channel or a callback may outlive the function, if the Close
// would reach a child, a context, a signal or a channel of other code, or in a loop.
//
// # What it doesn't see
//
// The analyzer doesn't relate conditions to each other: a breaker that is made under a condition
// and closed under the same one further down is reported. Defer Close where it is made. A function
// that is called through an interface or a variable is trusted with a breaker that it is passed. If
// a finding is intended, say why in a comment on the first line of the statement, the line above,
// or the last line. It covers the whole statement, but not the blocks and function literals in it:
//
//	//lostclose:ignore the server's own breaker ends it
package lostclose
