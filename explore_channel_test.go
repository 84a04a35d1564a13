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
