// Package breakertest finds the breakers that a test leaves open.
//
//	func TestServe(t *testing.T) {
//		breakertest.VerifyNone(t)
//		…
//	}
//
// A breaker that is left open retains its timer, signal handler or registrations.
// go.uber.org/goleak finds leaked goroutines, but most breakers have none.
//
// # Cost
//
// A program that imports the package records every breaker from its start to its close, with its
// stack. Import it in tests only. Benchmarks in the same test binary pay, too.
package breakertest
