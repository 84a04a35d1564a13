//go:build !breaker_pure

package breaker

import "unsafe"

// originOffset is where the second word of the source lies: the pointer in the interface. It is the
// address of the Breaker that the source begins with, and nil in a zero value. It is only compared:
// nothing is read or written through it.
const originOffset = unsafe.Offsetof(Breaker{}.source) + unsafe.Sizeof(uintptr(0))

// isOriginal reports whether b is the breaker of its source, or a zero value (promise 20).
func (b *Breaker) isOriginal() bool {
	origin := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(b), originOffset))
	return origin == unsafe.Pointer(b) || origin == nil
}

// Err returns nil as long as Done is open, and a non-nil error afterwards. It is one atomic load,
// never blocks and never allocates. While no goroutine waits for a breaker over a channel or a
// context, Err also asks the source. If that has ended, Err trips the breaker on your goroutine,
// and calls the cancel function of BreakByContext there.
//
// The error is Interrupted, except for some breakers by BreakByContext. Theirs matches both
// Interrupted and the error of the context: if the context tripped the breaker, if its trip calls
// cancel, or if ToContext returned the context. For the reason, call Cause.
func (b *Breaker) Err() error {
	// isOriginal by hand: with a call, Err wouldn't be inlined. A zero value takes the longer way,
	// and so does a tripped breaker: see docs/design.md, "Err in one call for a tripped breaker".
	if b.state.Load()&(phase|flagPoll) == open && *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(b), originOffset)) == unsafe.Pointer(b) {
		return nil
	}
	return b.err()
}
