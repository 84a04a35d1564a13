package breaker

import "github.com/kamilsk/breaker/internal/atomic"

// A watch is one goroutine that waits for one thing outside, a signal or a channel, on behalf of
// all breakers over it. It is itself a breaker, which trips when that thing happens. Those breakers
// are nodes that listen to it.
//
// A watch is for one arrival only: a breaker made after it gets a watch of its own, so no arrival
// trips a breaker made later (promise 12). While the old watch and the new one overlap, both catch
// the signal, so there is no gap. The new one catches only what arrives after it was made.
type watch struct {
	Breaker

	// refs counts the breakers that have joined and not left. Once it is 0 it stays 0.
	refs atomic.Int32
	hub  *hub
	key  any
	// stop ends the goroutine, if it hasn't fired. Written before the watch is shared.
	stop atomic.Plain[func()]
	// renew asks for delivery again. Only for signals. Written before the watch is shared.
	renew func()
}

// A hub finds the watch for a key, so that there is one goroutine for it (promise 11). Joining a
// watch that others have joined takes no lock.
type hub struct {
	mu      atomic.Mutex // held while a watch is made, or taken out
	watches atomic.Map   // of *watch
}

// join returns the watch for the key, and whether there was one; if not, join starts one. The
// caller listens to the watch, and leaves it once the caller has tripped.
func (h *hub) join(key any, start func(*watch)) (w *watch, found bool) {
	if w := h.find(key); w != nil {
		return w, true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.find(key); w != nil {
		return w, true
	}
	w = &watch{hub: h, key: key, refs: atomic.Int32Of(1)}
	w.source = w
	w.state = wordOf(kindPlain, flagHeld)
	start(w)
	h.watches.Store(key, w)
	return w, false
}

// find joins the watch for the key, if some breaker is on it.
func (h *hub) find(key any) *watch {
	found, ok := h.watches.Load(key)
	if !ok {
		return nil
	}
	w := found.(*watch)
	for {
		refs := w.refs.Load()
		if refs == 0 {
			return nil
		}
		if w.refs.CompareAndSwap(refs, refs+1) {
			return w
		}
	}
}

// leave undoes one join. The last one ends the watch. It takes no lock: the goroutine that holds
// that may be waiting for the runtime's cleanups (see bubble.Outside), and one of those may close a
// breaker.
func (w *watch) leave() {
	if w.refs.Dec() == 0 {
		w.remove()
		w.stop.Get()()
	}
}

// fire trips the watch, and all that listen to it. It takes the watch out of the hub first, so that
// the next breaker gets another one. An arrival may overtake join: the lock makes it wait until the
// watch is in the hub.
func (w *watch) fire(cause error) {
	w.hub.mu.Lock()
	w.remove()
	w.hub.mu.Unlock()
	w.trip(w.state.Load(), cause, 0)
}

// remove takes the watch out of its hub, if it is still the one for its key.
func (w *watch) remove() { w.hub.watches.CompareAndDelete(w.key, w) }
