//go:build breaker_explore

package breaker

import (
	"github.com/kamilsk/breaker/internal/explore"
)

// promise 18 on every schedule: in no callback is a dependent open, whoever trips what, and
// whenever the dependent was made.
func ordered() (programs []program) {
	type world struct{ root, middle, last *Breaker }
	others := map[string]func(r *explore.Run, w world){
		"Trip of the middle":  func(_ *explore.Run, w world) { w.middle.Trip(errB) },
		"Close of the middle": func(_ *explore.Run, w world) { w.middle.Close() },
		"Trip of the last":    func(_ *explore.Run, w world) { w.last.Trip(errB) },
		"Trip of the root":    func(_ *explore.Run, w world) { w.root.Trip(errB) },
		"a dependent is made": func(_ *explore.Run, w world) {
			br := Any(w.root)
			// One that comes late doesn't wait for the trip to get to the others.
			br.onTrip(func() {})
			br.Close()
		},
		"a callback is stopped": func(_ *explore.Run, w world) { w.root.onTrip(func() {}).stop() },
		"AwaitClosed": func(r *explore.Run, w world) {
			if w.root.AwaitClosed(); w.root.State() != Closed {
				r.Failf("AwaitClosed returned in the state %v", w.root.State())
			}
		},
	}
	for name, other := range others {
		for _, owned := range []bool{false, true} {
			kind := "watched"
			if owned {
				kind = "owned"
			}
			programs = append(programs, program{"order, " + kind + ": Trip of the root vs " + name, func(r *explore.Run) {
				w := world{root: New()}
				leaf := New()
				if owned {
					w.middle = Multiplex(NopCloser(w.root), leaf)
				} else {
					w.middle = Any(w.root, leaf)
				}
				w.last = Any(w.middle)
				runs := 0
				w.root.onTrip(func() {
					runs++
					// What the middle owns is closed by whoever trips the middle.
					if w.middle.Err() == nil || w.last.Err() == nil || owned && leaf.Err() == nil && w.middle.Cause() == errA {
						r.Failf("promise 18: a callback finds a dependent open")
					}
				})
				r.Go(func() {
					r.Label("Trip")
					w.root.Trip(errA)
				})
				r.Go(func() {
					r.Label("other")
					other(r, w)
				})
				r.AtEnd(func() {
					if runs != 1 {
						r.Failf("promise 6: a callback ran %d times", runs)
					}
					for _, b := range []*Breaker{w.root, w.middle, w.last} {
						if b.State() != Closed {
							r.Failf("it is left %v", b.State())
						}
					}
					mustHold(r, w.root, 0)
					mustHold(r, w.middle, 0)
				})
			}})
		}
	}
	return programs
}
