//go:build !breaker_explore

package registry

import (
	"math/bits"
	"runtime"
)

const (
	// baseSlots makes the base four cache lines: more or less one for each P.
	baseSlots = 32
	// blockSlots makes a block of the directory 2,048 bytes, a size class of Go's allocator: a
	// cache line in front, and 31 of slots.
	blockSlots = 248
	// blockProbes is how many slots of a block a search looks at. A search that passes crowdedAt of
	// them or more makes the block crowded.
	blockProbes = 16
	crowdedAt   = 4
	// shrinkAt: span halves when fewer than one in shrinkAt of its blocks are crowded. Just after
	// it has doubled, about half of them are.
	shrinkAt = 8
	// lookAhead is how many slots of a block Sweep.Ahead returns at most.
	lookAhead = 32
)

var (
	// minSpan has enough blocks that cores seldom meet in one.
	minSpan = uint32(1) << bits.Len(uint(4*runtime.NumCPU()-1))
	// wide: there are more cores than the base has cache lines, so some cores meet in one.
	wide = runtime.NumCPU()*lineSlots > baseSlots
)
