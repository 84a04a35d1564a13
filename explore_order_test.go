//go:build breaker_explore

package breaker

import (
	"time"

	"github.com/kamilsk/breaker/internal/explore"
)

// promise 18 on every schedule: in no callback is a dependent open, whoever trips what, and whenever the dependent was made.
func ordered() (programs []program) {
	type world struct{ root, middle, last *Breaker }
	others := map[string]func(r *explore.Run, w world){
		"Trip of the middle":  func(_ *explore.Run, w world) { w.middle.Trip(errB) },
		"Close of the middle": func(_ *explore.Run, w world) { w.middle.Close() },
		"Trip of the last":    func(_ *explore.Run, w world) { w.last.Trip(errB) },
		"Trip of the root":    func(_ *explore.Run, w world) { w.root.Trip(errB) },
		"a dependent is made": func(_ *explore.Run, w world) {
			br := Any(w.root)
			br.onTrip(func() {}) // one that comes late doesn't wait for the trip to get to the others
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

// idles has the programs in which the time of an Idle passes while others move it.
func idles() (programs []program) {
	ops := map[string]func(r *explore.Run, i *Idle){
		"Touch": func(r *explore.Run, i *Idle) {
			if !i.Touch() && i.Err() == nil {
				r.Failf("Touch says that it has tripped, and Err is nil")
			}
		},
		"Reset": func(r *explore.Run, i *Idle) {
			if !i.Reset(time.Hour) && i.Err() == nil {
				r.Failf("Reset says that it has tripped, and Err is nil")
			}
		},
		"longer": func(_ *explore.Run, i *Idle) { i.Reset(far) },
		"none":   func(_ *explore.Run, i *Idle) { i.Reset(0) },
		"Close":  func(_ *explore.Run, i *Idle) { i.Close() },
		"expire": func(_ *explore.Run, i *Idle) { i.expire() },
		"arm":    func(_ *explore.Run, i *Idle) { i.arm() },
	}
	names := []string{"Touch", "Reset", "longer", "none", "Close", "expire", "arm"}
	for n, one := range names {
		for _, two := range names[n:] {
			for _, over := range []bool{false, true} {
				if over && (one == "arm" || two == "arm") {
					continue // the timer would go off for real
				}
				state := "in time"
				if over {
					state = "over"
				}
				programs = append(programs, program{"idle, " + state + ": " + one + " vs " + two, func(r *explore.Run) {
					i := BreakByIdle(2 * time.Hour)
					if over {
						i.due.Store(1)
					}
					r.Name("idle", i)
					r.Go(func() {
						r.Label(one)
						ops[one](r, i)
					})
					r.Go(func() {
						r.Label(two)
						ops[two](r, i)
					})
					r.AtEnd(func() {
						if (one == "expire" || two == "expire") && over && i.Err() == nil {
							if due := i.due.Load(); due == expired || time.Duration(due) <= time.Since(start) {
								r.Failf("its time is over, and it is open")
							}
						}
						i.Close()
						if i.timer.Stop() {
							r.Failf("promise 10: the timer is left")
						}
					})
				}})
			}
		}
	}
	return programs
}
