package explore

import "unsafe"

// plain is an access to shared memory that isn't atomic.
type plain struct {
	object unsafe.Pointer // keeps the object, so that no other gets its address
	label  string
	index  uint16 // of the thread's event that it came after; 0 for none
	thread uint8
	kind   Kind
}

// Plain is called by a thread before an access that isn't atomic; called by others, it does
// nothing. The scheduler doesn't interfere there: what orders such accesses are others, and it is a
// failure, a data race, if on some schedule two that conflict aren't ordered.
//
// Swapping independent steps doesn't change what happened before what. So to look at one schedule
// of each class is enough here, too.
func Plain(object unsafe.Pointer, kind Kind) {
	if active == nil || active.phase == aborting {
		return
	}
	r := active
	p := plain{object: object, label: r.current.label, thread: r.current.id, kind: kind}
	if r.phase == running {
		p.index = r.events[r.depth-1].index
	}
	r.plains = append(r.plains, p)
}

// settlePlains looks for races of the plain accesses made since it was last called, which are those
// of one step. What happened before it has the clock c.
func (r *Run) settlePlains(c *clock) {
	from := r.settled
	r.settled = len(r.plains)
	for i := from; i < len(r.plains); i++ {
		p := &r.plains[i]
		if r.traced {
			r.tracePlain(p)
		}
		for k := range r.plains[:from] {
			q := &r.plains[k]
			// What comes after an event of a thread happens before the thread's next one, not
			// before the event.
			if q.object == p.object && q.thread != p.thread && (q.kind.writes() || p.kind.writes()) && c[q.thread] <= q.index {
				r.Failf("data race: %s of %s by %c %s, and %s by %c %s",
					q.kind, r.name(p.object), 'a'+q.thread, q.label, p.kind, 'a'+p.thread, p.label)
				return
			}
		}
	}
}
