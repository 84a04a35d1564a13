//go:build !breaker_explore && !breaker_pure

package registry

import "unsafe"

// heapPlace returns the number of the 4 KiB that e lies in. Neighbors in the heap share it; entries
// that different Ps allocate at the same time don't. 170 callbacks fill 4 KiB, two thirds of a
// block, and a P's span is at least twice that.
func heapPlace[N, T any](e *Entry[N, T]) uint32 { return uint32(uintptr(unsafe.Pointer(e)) >> 12) }

// heapSlot returns the slot of a block to look at first. Callbacks in the same 512 bytes of the
// heap, some 20, start in one cache line, neighbors at different slots of it. Which line that is
// has no order: otherwise long-lived callbacks would fill a run of lines, and every later search
// would walk it.
func heapSlot[N, T any](e *Entry[N, T]) int {
	address := uint32(uintptr(unsafe.Pointer(e)) >> 4)
	line := address >> 5 * 0x9E3779B1 >> 8 % (blockSlots / lineSlots)
	return int(line*lineSlots + address%lineSlots)
}
