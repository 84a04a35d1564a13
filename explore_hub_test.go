//go:build breaker_explore

package breaker

import (
	"os"

	"github.com/kamilsk/breaker/internal/explore"
)

// arrivals has watches that start no goroutine: a thread of the program's fires them. What concerns
// the map alone is explored in internal/hub.
type arrivals struct {
	hub     watches
	r       *explore.Run
	made    []*watch
	stopped []int
	// sudden says that there is an arrival as soon as a watch starts.
	sudden bool
}

func newArrivals(r *explore.Run) *arrivals {
	h := &arrivals{r: r}
	r.Name("hub", &h.hub)
	r.AtEnd(func() {
		r.AtEnd(func() { r.AtEnd(h.end) }) // after all breakers have tripped
	})
	return h
}

// start returns a new watch.
func (h *arrivals) start() *watch {
	w := newWatch(&h.hub)
	i := len(h.made)
	h.made, h.stopped = append(h.made, w), append(h.stopped, 0)
	h.r.Name("watch", w)
	w.stop.Set(func() { h.stopped[i]++ })
	if h.sudden {
		h.r.Go(func() { h.fire(w) })
	}
	return w
}

// listen returns a breaker that waits for an arrival, as BreakBySignal makes it.
func (h *arrivals) listen() *subject {
	n, links := newNode(1)
	n.beginAttaching(kindSignal, 0)
	w, _ := h.hub.Join("key", h.start)
	links[0].source.Set(&w.Breaker)
	n.listen(&links[0])
	n.endAttaching(0, 0)
	return explored(h.r, "b", &n.Breaker)
}

// listenAfter makes another breaker if the arrival is seen to have tripped the first.
func (h *arrivals) listenAfter(first *subject) {
	if first.Cause() != error(arrival) {
		return
	}
	h.sudden = false
	second := h.listen()
	h.r.AtEnd(func() {
		if second.Err() != nil {
			h.r.Failf("promise 12: an arrival tripped a breaker made after it had tripped another")
		}
	})
}

// fire is an arrival.
func (h *arrivals) fire(w *watch) {
	h.r.Label("arrival")
	w.fire(arrival)
}

var arrival = SignalError{os.Interrupt}

// end checks that nothing is left when all breakers have tripped.
func (h *arrivals) end() {
	for i := range h.made {
		if h.stopped[i] != 1 {
			h.r.Failf("promise 12: a watch was stopped %d times", h.stopped[i])
		}
	}
	if _, found := h.hub.Find("key"); found {
		h.r.Failf("promise 10: a watch is left, with a reference")
	}
}

// hubs returns the programs around a hub. Each thread is named by what it does: "make" makes a
// breaker, "make.Close" makes one and closes it, "b.Close" closes one that had been made before,
// "arrival" fires its watch, "then make" makes one if the arrival is seen to have tripped the
// first.
func hubs(all ...[]string) (programs []program) {
	for _, threads := range all {
		programs = append(programs, program{"hub: " + threadsOf(threads), func(r *explore.Run) {
			h := newArrivals(r)
			var first *subject
			for _, thread := range threads {
				if first == nil && thread != "make" && thread != "make.Close" {
					first = h.listen()
				}
			}
			for _, thread := range threads {
				r.Go(func() {
					r.Label(thread)
					switch thread {
					case "make":
						h.listen()
					case "make.Close":
						h.listen().trip(nil)
					case "b.Close":
						first.trip(nil)
					case "b.TripA":
						first.trip(errA)
					case "b.OnTrip":
						first.onTrip()
					case "arrival":
						h.fire(h.made[0])
					case "then make":
						h.listenAfter(first)
					default:
						panic("no thread " + thread)
					}
				})
			}
			if threadsOf(threads) == "make vs make" {
				r.AtEnd(func() {
					if len(h.made) != 1 {
						r.Failf("promise 11: %d goroutines for one signal", len(h.made))
					}
				})
			}
			if first != nil {
				r.AtEnd(func() {
					for _, thread := range threads {
						if thread == "arrival" && first.Err() == nil {
							r.Failf("promise 12: an arrival was lost")
						}
					}
				})
			}
		}})
	}
	return programs
}

// suddenly returns the program in which a signal arrives while the first who waits for it is being
// made.
func suddenly() program {
	return program{"hub: make, then make vs sudden arrival", func(r *explore.Run) {
		h := newArrivals(r)
		h.sudden = true
		r.Go(func() {
			r.Label("make, then make")
			h.listenAfter(h.listen())
		})
	}}
}

func hubPairs() []program {
	return append(hubs(
		[]string{"make", "make"},
		[]string{"make.Close", "make"},
		[]string{"make.Close", "make.Close"},
		[]string{"make", "b.Close"},
		[]string{"make.Close", "b.Close"},
		[]string{"make", "arrival"},
		[]string{"make.Close", "arrival"},
		[]string{"b.Close", "arrival"},
		[]string{"b.TripA", "arrival"},
		[]string{"b.OnTrip", "arrival"},
		[]string{"then make", "arrival"},
	), suddenly())
}

func hubTriples() []program {
	return hubs(
		[]string{"make", "b.Close", "arrival"},
		[]string{"make.Close", "b.Close", "arrival"},
		[]string{"make", "make", "arrival"},
		[]string{"make", "make", "b.Close"},
		[]string{"make.Close", "make.Close", "b.Close"},
		[]string{"then make", "b.Close", "arrival"},
		[]string{"then make", "make", "arrival"},
	)
}
