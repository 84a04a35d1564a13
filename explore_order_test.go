//go:build breaker_explore

package breaker

import (
	"github.com/kamilsk/breaker/internal/explore"
)

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
