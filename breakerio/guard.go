package breakerio

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kamilsk/breaker"
)

// past is a deadline that ends blocked operations and later ones.
var past = time.Unix(1, 0)

// A guard wakes the goroutines that are blocked in one thing when its breaker trips, and leaves the
// thing alone once it is released.
//
//	armed ── trip ──▶ fired      the deadline lies in the past, and stays there
//	  │                 │
//	  └──── release ────┴──▶ released      the breaker doesn't touch it any more
//
// The stop function of OnTrip alone can't keep a late deadline from a connection that is back in a
// pool: when it returns false, the callback may not have begun. So the callback and release exclude
// each other.
type guard struct {
	br breaker.Interface
	// wake is written by arm, and called by the callback with mu held. It is nil if the thing never
	// blocks.
	wake func() error
	// end closes the thing if it can't be woken. It may be nil.
	end func() error
	// stop is written by arm.
	stop func() bool

	// mu is held while the callback runs, so release waits for it, and for nothing else.
	mu sync.Mutex
	// released is written with mu held.
	released atomic.Bool
	// fired is written with mu held, before the thing is woken: a Read that finds a timeout finds
	// fired as well.
	fired atomic.Bool
	// ended is written with fired: from now on, any error may come from the trip.
	ended atomic.Bool
}

// arm registers with the breaker, once. If the breaker has tripped, arm wakes at once.
func (g *guard) arm(br breaker.Interface, wake, end func() error) {
	g.br, g.wake, g.end = br, wake, end
	if wake != nil {
		g.stop = br.OnTrip(g.interrupt)
	}
}

func (g *guard) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.released.Load() {
		return
	}
	g.fired.Store(true)
	if err := g.wake(); err != nil && !isClosed(err) && g.end != nil {
		g.ended.Store(true)
		go func() { _ = g.end() }() // it may block, and a callback must not
	}
}

// release unregisters, and reports whether the trip came first. When it returns, the guard doesn't
// touch the thing any more.
func (g *guard) release() (fired bool) {
	if g.stop != nil {
		g.stop()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.released.Store(true)
	return g.fired.Load()
}

// tripped reports whether operations may no longer begin. It asks the breaker, because the callback
// may not have run yet (promise 18). And a Read that needn't block would succeed after the trip.
func (g *guard) tripped() bool { return g.br.Err() != nil && !g.released.Load() }

// explain returns the cause instead of an error that the trip has provoked.
func (g *guard) explain(err error) error {
	if err == nil || !g.fired.Load() {
		return err
	}
	if isTimeout(err) || g.ended.Load() && err != io.EOF {
		return explain(g.br, err)
	}
	return err
}

// setDeadline sets a deadline of the user's, unless the breaker has tripped. It takes no lock,
// because the setter may be the user's, and may trip the breaker. Looking at fired twice is enough:
// if it isn't set after the setter has returned, the callback sets its deadline later.
func (g *guard) setDeadline(set func(time.Time) error, t time.Time) error {
	if g.holds() {
		t = past
	}
	err := set(t)
	if t != past && g.holds() {
		_ = set(past) // the first call has said whether it can be set
	}
	return err
}

func (g *guard) holds() bool { return g.fired.Load() && !g.released.Load() }
