//go:build race

package registry

// raceEnabled says that everything takes ten times as long, and that allocations don't count.
const raceEnabled = true
