package breakercluster

import (
	"time"

	"github.com/kamilsk/breaker"
)

// registration is a breaker that waits for its key. The hub's lock guards everything but the
// breaker.
type registration struct {
	breaker.Breaker

	hub *hub
	key string
	// silence is how long there may be no contact, 0 for any time.
	silence time.Duration
	// holds says that it stays open when the connection is closed for good.
	holds bool
	// since is when the registration was made. The silence isn't counted from before that.
	since time.Time
	// next and prev are the others with this key.
	next, prev *registration
	// listed says that it has neither tripped nor been closed.
	listed bool
	// judged says that the breaker is in the queue.
	judged bool
	// settled says that the key was read after the registration. Until then, late keeps what the
	// watch delivers: it may be older than a deletion of the key, which only the reading shows.
	settled bool
	late    *Entry
	// floor is the deletion of the key before the registration was settled. Older Entries don't
	// trip it.
	floor *Entry
}

// leave takes the registration back. It is the callback of the breaker, whatever has tripped it.
func (r *registration) leave() { r.hub.remove(r) }

// registry holds the registrations of a hub. The hub's lock guards it.
type registry struct {
	// heads has the first registration for each key.
	heads map[string]*registration
	// silences counts the registrations by the silence that they allow, if they have a limit.
	silences map[time.Duration]int
}

func (l *registry) add(r *registration) {
	if l.heads == nil {
		l.heads = make(map[string]*registration)
		l.silences = make(map[time.Duration]int)
	}
	r.listed = true
	if r.next = l.heads[r.key]; r.next != nil {
		r.next.prev = r
	}
	l.heads[r.key] = r
	if r.silence > 0 {
		l.silences[r.silence]++
	}
}

// remove takes the registration out, and reports whether it was in.
func (l *registry) remove(r *registration) bool {
	if !r.listed {
		return false
	}
	r.listed = false
	if r.next != nil {
		r.next.prev = r.prev
	}
	switch {
	case r.prev != nil:
		r.prev.next = r.next
	case r.next != nil:
		l.heads[r.key] = r.next
	default:
		delete(l.heads, r.key)
	}
	r.next, r.prev = nil, nil
	if r.silence > 0 {
		if l.silences[r.silence]--; l.silences[r.silence] == 0 {
			delete(l.silences, r.silence)
		}
	}
	return true
}

// shortest returns the shortest silence that a registration allows, or 0 if none has a limit.
func (l *registry) shortest() (least time.Duration) {
	for d := range l.silences {
		if least == 0 || d < least {
			least = d
		}
	}
	return least
}
