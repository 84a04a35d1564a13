//go:build !race

package testkit

// Race says that everything takes ten times as long, and that allocations don't count.
const Race = false
