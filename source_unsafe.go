//go:build !breaker_pure

package breaker

import "unsafe"

// originOffset is where the second word of the source is: the pointer in the interface, which is
// the address of the Breaker that the source begins with, and nil in a zero value. It is only
// compared: nothing is read or written through it.
const originOffset = unsafe.Offsetof(Breaker{}.source) + unsafe.Sizeof(uintptr(0))

// isOriginal reports whether b is what its source belongs to, or a zero value.
func (b *Breaker) isOriginal() bool {
	origin := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(b), originOffset))
	return origin == unsafe.Pointer(b) || origin == nil
}

// Err returns nil as long as Done is open, and a non-nil error afterwards. It is one atomic load,
// never blocks and never allocates. A breaker over a channel or a context on which nobody waits yet
// asks its source as well. If that has ended, it trips the breaker on the calling goroutine, the
// cancel function of BreakByContext included.
//
// The error is Interrupted. Only that of a breaker by BreakByContext may be another one, which
// matches both Interrupted and the error of the context: if the context tripped it, if its trip
// calls cancel, or if the context is one of ToContext. For the reason, see Cause.
func (b *Breaker) Err() error {
	// By hand, because a call of isOriginal makes it too expensive to be inlined. A zero value
	// takes the longer way.
	if b.state.Load()&(phase|flagPoll) == open && *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(b), originOffset)) == unsafe.Pointer(b) {
		return nil
	}
	return b.err()
}
