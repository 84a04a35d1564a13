// Package soak shows what a process that runs for weeks would: nothing accumulates. Its tests count
// the heap, goroutines, and breakers that aren't collected, because a timer or a parent still has
// them, before, during and after.
//
//	BREAKER_SOAK=100 go test -run Soak -v -timeout 1h ./internal/soak
//
// does a hundred times as much as a quick run.
package soak
