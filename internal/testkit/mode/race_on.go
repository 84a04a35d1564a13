//go:build race

package mode

// Race says that everything takes ten times as long, and that allocations don't count.
const Race = true
