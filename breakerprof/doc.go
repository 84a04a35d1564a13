// Package breakerprof shows which breakers are alive and where they were made, so that you find the
// code that forgets Close.
//
// An entry is a breaker that is neither closed nor garbage collected. Switch the profile on with
// SetRate:
//
//	breakerprof.SetRate(1)    // every breaker
//	breakerprof.SetRate(1000) // in production: each with the chance 1/1,000
//
// The profile is the one named "breaker" of runtime/pprof. go tool pprof shows it, and
// net/http/pprof serves it at /debug/pprof/breaker. Its stacks begin with the constructor:
//
//	go tool pprof -http=: http://localhost:6060/debug/pprof/breaker
//
// Or read the list, the oldest breaker first, each with its age, its source, its deadline and its
// stack:
//
//	http.Handle("/debug/breakers", breakerprof.Handler())
//
// # What is in it
//
// It has every breaker made by a constructor, of package breaker or of a package that builds on it.
// A zero value has no constructor. It is recorded when something first waits for it: at the first
// Done or OnTrip, or when it is passed to a Multiplex. The stack then begins with that call. What a
// constructor made while the profile was off isn't recorded later.
//
// # Cost
//
// The profile is off until you call SetRate. While it is off, it costs each breaker one load. While
// it is on, it costs each breaker a random number. A recorded breaker costs two stack traces and
// some locks when it is made, and locks when it is closed. BenchmarkNewClose measures it.
package breakerprof
