//go:build race

package breaker_test

// raceEnabled says that everything takes ten times as long, and that allocations don't count.
const raceEnabled = true
