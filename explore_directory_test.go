//go:build breaker_explore

package breaker

import "github.com/kamilsk/breaker/internal/explore"

// unwanted is the number of a block that is beyond span when the directory has shrunk.
const unwanted = 1

// shrinking sets up a directory whose second block is full but for one slot, and returns what
// empties that, so that the directory shrinks. It takes more registrations than other programs
// have. Meanwhile others look for a slot in the block.
func shrinking(r *explore.Run) (b *Breaker, shrink func()) {
	placeOfAll = unwanted
	r.AtEnd(func() { placeOfAll = 0 })
	b = New()
	r.Name("b", b)
	dir := newDirectory()
	dir.span.Store(2 * minSpan)
	b.registry.more().directories[ofCallbacks].Store(dir)
	b.state.Store(flagHeld)
	var there [blockSlots - 1]*registration
	for i := range there {
		there[i] = newCallback(func() {})
		dir.claim(there[i])
	}
	r.AtEnd(func() {
		if b.registry.base.Load().directories[ofCallbacks].Load() != dir {
			return // closed
		}
		for n := dir.span.Load(); n <= unwanted; n++ {
			if made := dir.at(n).Load(); made != nil && made.isEmpty() {
				r.Failf("promise 17: an empty block that nobody wants is left")
			}
		}
	})
	return b, func() {
		for _, reg := range there {
			b.unregister(reg)
		}
	}
}

// directories has the programs in which a directory shrinks.
func directories() []program {
	return []program{
		{"directory: claim vs shrink", func(r *explore.Run) {
			b, shrink := shrinking(r)
			runs := 0
			r.Go(func() {
				r.Label("claim")
				b.onTrip(func() { runs++ })
			})
			r.Go(func() {
				r.Label("shrink")
				shrink()
			})
			r.AtEnd(func() {
				if b.Close(); runs != 1 {
					r.Failf("promise 6: a callback ran %d times", runs)
				}
			})
		}},
		{"directory: claim, stop vs shrink", func(r *explore.Run) {
			b, shrink := shrinking(r)
			r.Go(func() {
				r.Label("claim, stop")
				b.onTrip(func() {}).stop()
			})
			r.Go(func() {
				r.Label("shrink")
				shrink()
			})
			r.AtEnd(func() { mustHold(r, b, 0) })
		}},
	}
}

// directoryTriples has those of three threads.
func directoryTriples() []program {
	return []program{
		{"directory: claim, stop vs claim, stop vs shrink", func(r *explore.Run) {
			b, shrink := shrinking(r)
			for range 2 {
				r.Go(func() {
					r.Label("claim, stop")
					b.onTrip(func() {}).stop()
				})
			}
			r.Go(func() {
				r.Label("shrink")
				shrink()
			})
			r.AtEnd(func() { mustHold(r, b, 0) })
		}},
		{"directory: make vs shrink vs Close", func(r *explore.Run) {
			b, shrink := shrinking(r)
			var m *Breaker
			r.Go(func() {
				r.Label("make")
				m = Multiplex(NopCloser(b))
			})
			r.Go(func() {
				r.Label("shrink")
				shrink()
			})
			r.Go(func() {
				r.Label("Close")
				b.Close()
			})
			r.AtEnd(func() {
				if m.State() != Closed {
					r.Failf("promise 9: the Multiplex is %v", m.State())
				}
				mustHold(r, b, 0)
			})
		}},
		{"directory: claim vs shrink vs Close", func(r *explore.Run) {
			b, shrink := shrinking(r)
			runs := 0
			r.Go(func() {
				r.Label("claim")
				b.onTrip(func() { runs++ })
			})
			r.Go(func() {
				r.Label("shrink")
				shrink()
			})
			r.Go(func() {
				r.Label("Close")
				b.Close()
			})
			r.AtEnd(func() {
				if runs != 1 {
					r.Failf("promise 6: a callback ran %d times", runs)
				}
				mustHold(r, b, 0)
			})
		}},
	}
}
