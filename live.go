package breaker

import "github.com/kamilsk/breaker/internal/live"

// Who keeps a list of what is alive, which is package breakerprof, hears of breakers here. When
// nobody does, it costs a constructor one load of a word that nobody writes.

// enlist tells of a breaker that has been made. Only a constructor calls it, by itself, so that the
// frame above is the constructor's.
func (b *Breaker) enlist() {
	r := live.Get()
	if b.state.Load()&phase != open {
		return
	}
	if !r.Made(b) {
		return
	}
	for {
		s := b.state.Load()
		if s&phase != open {
			r.Closed(b) // whoever tripped it didn't know that somebody wants to
			return
		}
		// Held, too, so that a trip goes all the way to the end of a settlement, which calls
		// delist.
		if b.state.CompareAndSwap(s, s|flagLive|flagHeld) {
			return
		}
	}
}

// enlistUsed tells of a zero value that somebody begins to wait for, once: it has no constructor.
func (b *Breaker) enlistUsed() {
	if b.source == nil && b.move(0, flagAsked)&flagAsked == 0 {
		b.enlist()
	}
}

// delist tells that a breaker with flagLive is closed.
func (b *Breaker) delist() { live.Get().Closed(b) }
