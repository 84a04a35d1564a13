//go:build !breaker_pure

package atomic

import "unsafe"

// Chan is an atomic reference to a channel of struct{}; its zero value holds nil.
//
// A channel is one pointer, so this takes 8 bytes. A sync/atomic.Value would take 16 and compare a
// type word on each load; a pointer to a channel variable would be one more allocation.
type Chan struct {
	p unsafePointer
}

// Load returns the channel held, or nil.
func (c *Chan) Load() chan struct{} {
	p := c.p.Load()
	return *(*chan struct{})(unsafe.Pointer(&p))
}

// CompareAndSwap replaces old by the channel next and reports whether it did.
func (c *Chan) CompareAndSwap(old, next chan struct{}) bool {
	return c.p.CompareAndSwap(*(*unsafe.Pointer)(unsafe.Pointer(&old)), *(*unsafe.Pointer)(unsafe.Pointer(&next)))
}

// Touch reads from both cache lines of the channel, so that they are there when it is closed. What
// it returns means nothing: no field is looked at, and others may be changing what it reads.
func (c *Chan) Touch() uintptr {
	p := c.p.Load()
	if p == nil {
		return 0
	}
	return *(*uintptr)(p) + *(*uintptr)(unsafe.Add(p, secondLine))
}

// secondLine is within the 112 bytes that a channel takes on 64 bits. On 32 bits, one line is
// nearly all of it.
const secondLine = 64 * (unsafe.Sizeof(uintptr(0)) / 8)
