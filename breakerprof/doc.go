// Package breakerprof shows which breakers are alive, and where they were made: which code forgets
// Close.
//
// An entry is a breaker that is neither closed nor collected. Switch it on with SetRate:
//
//	breakerprof.SetRate(1)    // every breaker
//	breakerprof.SetRate(1000) // in production: each with the chance 1/1,000
//
// Read the profile named "breaker", one of those of runtime/pprof. go tool pprof shows it, and
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
// Whatever a constructor of this module made: those of package breaker, and those of the modules
// that build on it. A zero value has no constructor. It is recorded when it is first waited for: at
// its first Done or OnTrip, or when it is given to a Multiplex. The stack then begins with that
// call. A breaker made with New while the profile was off is recorded in the same way.
//
// # Cost
//
// While the profile is off, which it is until SetRate says otherwise, it costs each breaker one
// load. While it is on, it costs each breaker a random number. One that is recorded costs two stack
// traces and some locks at its construction, and locks at its close. BenchmarkNewClose measures it.
package breakerprof
