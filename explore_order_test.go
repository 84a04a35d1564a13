//go:build breaker_explore

package breaker

import (
	"maps"
	"slices"

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
	for _, name := range slices.Sorted(maps.Keys(others)) {
		other := others[name]
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
	programs = append(programs, late(), ownedLeaf())
	return programs
}

// orderTriples has the programs in which one goroutine goes the way that another is on, and a third
// looks.
func orderTriples() []program {
	return []program{
		helped("watched", 2, func(root *Breaker) *Breaker { return Any(root) }),
		helped("owned", 1, func(root *Breaker) *Breaker {
			inner := Any(New())
			Multiplex(NopCloser(root), inner)
			return inner
		}),
	}
}

// late has a constructor that finds one source tripped, while another one trips (promise 9).
func late() program {
	return program{"order, tripped before: Trip vs Trip of the other, Any", func(r *explore.Run) {
		x, y := New(), New()
		r.Go(func() {
			r.Label("Trip")
			x.Trip(errA)
		})
		r.Go(func() {
			r.Label("Trip of the other, Any")
			y.Trip(errB)
			if m := Any(x, y); m.Err() == nil {
				r.Failf("promise 9: a source had tripped before, and the result is open on return")
			}
		})
	}}
}

// ownedLeaf has what is owned tripped by another goroutine, and looks at what depends on that.
func ownedLeaf() program {
	return program{"order, owned leaf: Trip of the root vs Trip of the leaf", func(r *explore.Run) {
		root, leaf := New(), New()
		owner := Multiplex(NopCloser(root), leaf)
		one, other := Any(leaf), Any(leaf)
		root.onTrip(func() {
			// If the leaf's trip was the first at the owner, it is that one which closes what the
			// owner owns.
			if owner.Cause() == errA && (leaf.Err() == nil || one.Err() == nil || other.Err() == nil) {
				r.Failf("promise 18: a callback finds a dependent open")
			}
		})
		r.Go(func() {
			r.Label("Trip of the root")
			root.Trip(errA)
		})
		r.Go(func() {
			r.Label("Trip of the leaf")
			leaf.Trip(errB)
		})
	}}
}

// helped has something tripped that is about to follow from another trip, too, and has dependents
// of so many levels.
func helped(name string, levels int, construct func(root *Breaker) (inner *Breaker)) program {
	return program{"order, " + name + ": Trip of the root vs Trip of the inner vs Err", func(r *explore.Run) {
		root := New()
		all := []*Breaker{construct(root)}
		for range levels {
			all = append(all, Any(all[len(all)-1]))
		}
		root.onTrip(func() {
			for _, b := range all {
				if b.Err() == nil {
					r.Failf("promise 18: a callback finds a dependent open")
				}
			}
		})
		r.Go(func() {
			r.Label("Trip of the root")
			root.Trip(errA)
		})
		r.Go(func() {
			r.Label("Trip of the inner")
			all[0].Trip(errB)
		})
		r.Go(func() {
			r.Label("Err")
			if last := all[levels]; last.Err() != nil && last.Cause() == nil {
				r.Failf("promise 4: there is no cause")
			}
		})
		r.AtEnd(func() {
			for _, b := range append(all, root) {
				if b.State() != Closed {
					r.Failf("it is left %v", b.State())
				}
				mustHold(r, b, 0)
			}
		})
	}}
}
