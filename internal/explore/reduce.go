package explore

// What Source-DPOR needs; doc.go says what it is for. The names are those of the paper where it has
// some.

// clock is a vector clock: how many events of each thread happened before, or are, the one that it
// belongs to.
type clock [maxThreads]uint16

func (c *clock) join(other *clock) {
	for i := range c {
		c[i] = max(c[i], other[i])
	}
}

// conflict reports whether two accesses of different threads are dependent, one being of the given
// kind.
func (e *event) conflict(f *event, kind Kind) bool {
	return e.object == f.object && e.object != nil && (e.kind.writes() || kind.writes())
}

// settle is called when the outcome of an event is known: it gives it its place in happens-before.
func (r *Run) settle(n int) {
	e := &r.events[n]
	t := r.threads[e.thread]
	if n >= r.fresh && !r.asleep {
		e.clock = r.order(e, n, &t.clock)
	}
	t.clock = e.clock
	for s := e.starts; s != 0; s &= s - 1 {
		r.threads[s.first()].clock = e.clock
	}
	if r.traced {
		r.traceEvent(e, r.labels[n])
	}
	if n >= r.fresh && !r.asleep {
		r.settlePlains(&e.clock)
	} else {
		r.settled = len(r.plains)
	}
}

// settleBlocked does that for the threads that aren't enabled when the search goes no further: they
// might have been, had they come before others.
func (r *Run) settleBlocked(enabled set) {
	if !r.reduces() {
		return
	}
	for i, t := range r.threads[:r.started] {
		if !t.finished && !enabled.has(t.id) {
			e := event{thread: uint8(i), object: t.next.object, asked: t.next.kind, kind: t.next.kind, waits: true}
			r.order(&e, r.depth, &t.clock)
		}
	}
}

func (r *Run) reduces() bool { return r.replay == nil && !r.options.Every && !r.asleep }

// order notes the races that event e, which comes after n others, is the second of, and returns its
// clock. Before is that of the thread's event before.
func (r *Run) order(e *event, n int, before *clock) clock {
	c := *before
	var awaited clock
	waiting := e.waits // the thread has been, since event i
	// Those with events that may not be ordered before e.
	others := set(1<<r.started-1) &^ (1 << e.thread)
	for i := n - 1; i >= 0 && others != 0; i-- {
		f := &r.events[i]
		if f.thread == e.thread {
			waiting = false
		}
		if !others.has(f.thread) {
			continue
		}
		if f.index <= c[f.thread] {
			others &^= 1 << f.thread
			continue
		}
		if !f.conflict(e, e.kind) {
			continue
		}
		if e.waits {
			// Event f may have ended its waiting, so that it couldn't have come just before f, but
			// perhaps before what made it wait.
			if waiting && !f.enabled.has(e.thread) {
				awaited.join(&f.clock)
				continue
			}
			if !waiting { // not known: do both
				awaited.join(&f.clock)
				r.race(i, e, before)
				continue
			}
		}
		r.race(i, e, before)
		c.join(&f.clock)
	}
	c.join(&awaited)
	c[e.thread] = e.index
	return c
}

// race makes the search come back to the state before event i with a thread that begins the order
// in which the last event comes first, unless that has been explored or is going to be. Before is
// what happens before it but for its access.
func (r *Run) race(i int, last *event, before *clock) {
	if !r.reduces() {
		return
	}
	e := &r.events[i]

	// v, notdep(e).p in the paper, is what follows event i without depending on it, then the last
	// event. Its initials are the threads whose first event in it depends on no other in it.
	var seen, initials set
	var first clock
	free := true // of conflicts between v and the last event
	for k := i + 1; k < r.depth; k++ {
		f := &r.events[k]
		if f == last {
			break
		}
		if f.clock[e.thread] >= e.index {
			continue
		}
		if f.conflict(last, last.asked) && f.thread != last.thread {
			free = false
		}
		if !seen.has(f.thread) {
			if f.clock.independent(seen, &first) {
				initials |= 1 << f.thread
			}
			seen |= 1 << f.thread
			first[f.thread] = f.index
		}
	}
	if p := last.thread; free && !seen.has(p) && before.independent(seen, &first) {
		initials |= 1 << p
	}
	c := &r.choices[i]
	if initials&(c.todo|c.sleep) == 0 {
		if initials.has(last.thread) {
			c.todo |= 1 << last.thread
		} else {
			c.todo |= 1 << initials.first()
		}
	}
}

// independent reports whether none of the events that are the threads' first is before c.
func (c *clock) independent(threads set, first *clock) bool {
	for s := threads; s != 0; s &= s - 1 {
		if u := s.first(); c[u] >= first[u] {
			return false
		}
	}
	return true
}

// sleep returns the threads that needn't be chosen next: those that needn't have been before the
// last event, or had been explored instead of it, and whose next step is independent of it.
func (r *Run) sleep() (sleep, readers set) {
	if r.depth == 0 {
		return 0, 0
	}
	c, e := &r.choices[r.depth-1], &r.events[r.depth-1]
	for s := (c.sleep | c.explored) &^ (1 << e.thread); s != 0; s &= s - 1 {
		id := s.first()
		next := r.threads[id].next
		if c.readers.has(id) {
			next.kind = Read
			readers |= 1 << id
		}
		if next.object == e.object && e.object != nil && (next.kind.writes() || e.kind.writes()) {
			continue
		}
		sleep |= 1 << id
	}
	return sleep, readers & sleep
}
