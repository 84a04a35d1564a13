package breakercluster

import (
	"sync"
	"time"
)

// Contact is what is known of the contact with a store while something is watched, for logs,
// metrics and health checks. The zero Contact is that of a Bucket that watches nothing.
type Contact struct {
	// Up says that the last pulse was answered, and that the watch had seen what was answered.
	Up bool
	// Since is the last moment at which the contact is known to have held, by the local clock.
	Since time.Time
	// Why is what went wrong last; nil while Up.
	Why error
	// Breakers counts those that share the watch.
	Breakers int
	// Watches counts the watches that were begun, the present one included; Pulses the questions to
	// the store, and Missed those without an answer; Tripped the breakers that were tripped by a
	// key, Silenced those by a silence.
	Watches, Pulses, Missed, Tripped, Silenced uint64
}

// Contact returns what is known of the contact with the store. It makes no request, and takes a
// lock for a moment.
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

// note has the hook told, if the contact was lost or is back. The lock is held.
func (h *hub) note(why error) {
	changed := (why == nil) != (h.why == nil)
	h.why = why
	if changed && h.notice != nil {
		h.notice.tell(h.describe())
	}
}

// notice calls a hook, with the last of what it is to be told.
type notice struct {
	hook func(Contact)

	mu      sync.Mutex
	pending *Contact
	calling bool
}

// tell has the hook called. It doesn't wait.
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
