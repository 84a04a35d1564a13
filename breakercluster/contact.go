package breakercluster

import (
	"sync"
	"time"
)

// Contact describes the contact with a store while something is watched, for logs, metrics and
// health checks. It is zero if the Bucket watches nothing.
type Contact struct {
	// Up says that the store has answered the last pulse, and that the watch had seen the newest
	// revision.
	Up bool
	// Since is the last moment at which the contact is known to have held, by the local clock.
	Since time.Time
	// Why is the last error, or nil while Up.
	Why error
	// Breakers counts the breakers that share the watch.
	Breakers int
	// Watches counts the watches that were begun, including the present one. Pulses counts the
	// requests for the newest revision, and Missed those without an answer. Tripped counts the
	// breakers that a key has tripped, and Silenced those that a silence has tripped.
	Watches, Pulses, Missed, Tripped, Silenced uint64
}

// Contact returns the state of the contact with the store. It makes no request, and takes a lock
// briefly.
func (b *Bucket) Contact() Contact {
	h := running(b)
	if h == nil {
		return Contact{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watch == nil {
		return Contact{}
	}
	return h.describe()
}

// describe returns the present state. The lock is held.
func (h *hub) describe() Contact {
	c := h.counts
	c.Up, c.Since, c.Why = h.why == nil, h.contact.Round(0), h.why
	for _, head := range h.registry.heads {
		for r := head; r != nil; r = r.next {
			c.Breakers++
		}
	}
	return c
}

// note tells the hook if the contact was lost or is back. The lock is held.
func (h *hub) note(why error) {
	changed := (why == nil) != (h.why == nil)
	h.why = why
	if changed && h.notice != nil {
		h.notice.tell(h.describe())
	}
}

// notice calls a hook with the latest Contact.
type notice struct {
	hook func(Contact)

	mu      sync.Mutex
	pending *Contact
	calling bool
}

// tell calls the hook on another goroutine, and doesn't wait.
func (n *notice) tell(c Contact) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending = &c
	if !n.calling {
		n.calling = true
		go n.call()
	}
}

func (n *notice) call() {
	for {
		n.mu.Lock()
		c := n.pending
		n.pending = nil
		n.calling = c != nil
		n.mu.Unlock()
		if c == nil {
			return
		}
		n.hook(*c)
	}
}
