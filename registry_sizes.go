//go:build !breaker_explore

package breaker

const (
	// baseSlots makes the base four cache lines, and each of them a P's, more or less.
	baseSlots = 32
	// blockSlots makes a block of the directory 2,048 bytes, a size class of Go's allocator: a
	// cache line in front, and 31 of slots.
	blockSlots = 248
	// blockProbes is how many slots of a block a search looks at. If it passes crowdedAt or more
	// before it gets one, the block counts as crowded.
	blockProbes = 16
	crowdedAt   = 4
	// shrinkAt is the part of span that crowded blocks have to fall below before it halves. When it
	// has doubled, about half of them are crowded.
	shrinkAt = 8
	// touchAhead is how many slots of a block the sweep looks ahead.
	touchAhead = 32
)
