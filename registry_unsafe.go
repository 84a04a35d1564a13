//go:build !breaker_explore && !breaker_pure

package breaker

import "unsafe"

// heapPlace returns a number that registrations next to each other in the heap share, and that
// those which different Ps allocate at the same time don't: that of the 4 KiB which r lies in. So
// much is filled by 170 callbacks, or two thirds of a block, and a P's span is twice that at least.
func heapPlace(r *registration) uint32 { return uint32(uintptr(unsafe.Pointer(r)) >> 12) }

// heapSlot returns the slot of a block where to look first. Callbacks in the same 512 bytes of the
// heap, some 20, look in one cache line first, and neighbours at different slots of it; which line
// that is has no order. Otherwise those that live long would fill a run of lines, which every later
// one has to walk.
func heapSlot(r *registration) int {
	address := uint32(uintptr(unsafe.Pointer(r)) >> 4)
	line := address >> 5 * 0x9E3779B1 >> 8 % (blockSlots / lineSlots)
	return int(line*lineSlots + address%lineSlots)
}
