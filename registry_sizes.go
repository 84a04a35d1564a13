//go:build !breaker_explore

package breaker

const (
	// baseSlots makes the base four cache lines, and each of them a P's, more or less.
	baseSlots = 32
	// blockSlots makes a block of the directory 2,048 bytes, a size class of Go's allocator, without a rest.
	blockSlots = 251
	// touchAhead is how many slots of a block the sweep looks ahead.
	touchAhead = 16
)
