//go:build !breaker_explore && !breaker_pure

package registry

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What the compiler and the allocator make of it, on 64 bits.
func TestSize_BlocksAreSizeClasses(t *testing.T) {
	if word != 8 {
		assert.LessOrEqual(t, sizeOfBlock, uintptr(1<<10+word*4))
		return
	}
	assert.Equal(t, uintptr(2048), sizeOfBlock)
	assert.Equal(t, uintptr(64), offsetOfSlots)
}

// Neighbors in memory begin in the same cache line of the same block.
func TestPlace_OfNeighbors(t *testing.T) {
	entries := make([]entry, 2_000)
	places, slots := make(map[uint32]int), make(map[int]int)
	for i := range entries {
		e := &entries[i]
		places[heapPlace(e)]++
		slot := heapSlot(e)
		assert.Less(t, slot, blockSlots)
		slots[slot]++
	}
	assert.LessOrEqual(t, len(places), 2_000*24/4096+2)
	assert.Greater(t, len(slots), blockSlots/2, "they use the whole block")
}
