//go:build !breaker_explore

package breaker

import "unsafe"

// heapPlace returns a number that registrations next to each other in the heap share, and that those which
// different Ps allocate at the same time don't: that of the 4 KiB which r lies in. So much is filled by
// 128 callbacks, or half a block, and a P's span is twice that at least.
func heapPlace(r *registration) uint32 { return uint32(uintptr(unsafe.Pointer(r)) >> 12) }

// heapHash returns a number that differs from one registration to the next, without order. Where to begin in a block must
// not follow the address: those that live long fill a run of slots then, which every later one has to walk.
func heapHash(r *registration) uint32 { return uint32(uintptr(unsafe.Pointer(r))>>4) * 0x9E3779B1 >> 8 }
