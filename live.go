package breaker

import "github.com/kamilsk/breaker/internal/live"

// Package breakerprof keeps a list of live breakers, and is told about them here. While it isn't in
// use, that costs a constructor one load of a word that nobody writes.

// enlist tells the recorder of a new breaker. Only a constructor calls it, directly, so that the
// frame above is the constructor's.
func (b *Breaker) enlist() {
	r := live.Get()
	if b.state.Load()&phase != open || !r.Made(b) {
		return
	}
	for {
		s := b.state.Load()
		if s&phase != open {
			r.Closed(b) // whoever tripped it didn't know that somebody wants to
			return
		}
		// flagHeld makes a trip go all the way to the end of a settlement, which calls delist.
		if b.state.CompareAndSwap(s, s|flagLive|flagHeld) {
			return
		}
	}
}

// enlistUsed tells the recorder, once, of a zero value that a goroutine begins to wait for: it has
// no constructor.
func (b *Breaker) enlistUsed() {
	if b.source == nil && b.move(0, flagAsked)&flagAsked == 0 {
		b.enlist()
	}
}

// delist tells the recorder that a breaker with flagLive is closed.
func (b *Breaker) delist() { live.Get().Closed(b) }
