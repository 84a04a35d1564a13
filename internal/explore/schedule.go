package explore

import (
	"fmt"
	"math/bits"
	"strconv"
	"unsafe"
)

// set is a set of threads.
type set uint8

func (s set) has(id uint8) bool { return s&(1<<id) != 0 }

func (s set) first() uint8 { return uint8(bits.TrailingZeros8(uint8(s))) }

// nobody is the number of no thread. It is in no set.
const nobody uint8 = 255

// event is a step of a thread.
type event struct {
	object unsafe.Pointer // keeps the object, so that no other gets its address
	clock  clock
	index  uint16 // of the thread's events, from 1
	thread uint8
	asked  Kind // what was announced
	kind   Kind // what it was: a swap that failed is a read
	waits  bool // it could not have been made at any time
	starts set  // the threads that it started

	enabled set // those that could go on before it
}

// choice is the decision before an event.
type choice struct {
	enabled set // those that could go on
	chosen  uint8
	// explored are those chosen before. (Without reduction all enabled will be, with it those in
	// todo.)
	explored set
	todo     set
	// sleep are those that needn't be chosen. Of those and the explored, readers are known to make
	// a step that only reads.
	sleep   set
	readers set
	// preemptions is how many there have been before.
	preemptions int
	last        uint8 // whose step was the one before
}

// decide settles the event before, and returns the thread that makes the next one. It returns nil
// if no thread can, or need.
func (r *Run) decide() *thread {
	if r.depth > 0 {
		r.settle(r.depth - 1)
	}
	if len(r.always) > 0 {
		r.check()
	}
	if r.failure != "" {
		return nil
	}
	enabled, unfinished := r.enabled()
	if enabled == 0 {
		r.settleBlocked(enabled)
		if unfinished != 0 {
			r.Failf("deadlock: %s", r.blocked(unfinished))
		}
		return nil
	}
	if r.depth >= r.options.Steps {
		r.Failf("no end after %d steps", r.depth)
		return nil
	}
	id := r.choose(enabled)
	if r.failure != "" {
		return nil
	}
	t := r.threads[id]
	if r.depth == len(r.events) {
		r.events = append(r.events, event{})
	}
	e := &r.events[r.depth]
	if r.depth < r.fresh && e.asked != t.next.kind {
		r.Failf("the program isn't deterministic: step %d was a %v, and then a %v", r.depth, e.asked, t.next.kind)
		return nil
	}
	e.object, e.thread, e.asked, e.kind, e.starts = t.next.object, id, t.next.kind, t.next.kind, 0
	e.index, e.waits, e.enabled = t.clock[id]+1, t.next.ready != nil, enabled
	if r.traced {
		r.labels = append(r.labels[:r.depth], t.label)
	}
	r.depth++
	return t
}

// enabled returns the threads that can go on, and those that haven't ended and have to.
func (r *Run) enabled() (enabled, unfinished set) {
	for i, t := range r.threads[:r.started] {
		if t.finished {
			continue
		}
		if !t.daemon {
			unfinished |= 1 << i
		}
		if t.next.ready == nil || t.next.ready.Ready() {
			enabled |= 1 << i
		}
	}
	return enabled, unfinished
}

// choose decides which of the enabled threads goes on.
func (r *Run) choose(enabled set) uint8 {
	last := nobody
	if r.depth > 0 {
		last = r.events[r.depth-1].thread
	}
	switch {
	case r.led:
		return r.follow(enabled, last)
	case r.replay != nil:
		if r.depth < len(r.replay) {
			if id := r.replay[r.depth]; enabled.has(id) {
				return id
			}
		}
	case r.depth < len(r.choices):
		c := &r.choices[r.depth]
		if c.enabled != enabled {
			r.Failf("the program isn't deterministic: other threads could go on when step %d was repeated", r.depth)
		}
		return c.chosen
	case !r.asleep:
		return r.chooseNew(enabled, last)
	}
	if enabled.has(last) {
		return last
	}
	return enabled.first()
}

// follow lets the next byte of the lead decide, if there is something to decide. Where it ends,
// threads go on in turn.
func (r *Run) follow(enabled set, last uint8) uint8 {
	if bits.OnesCount8(uint8(enabled)) > 1 && len(r.lead) > 0 {
		skip := int(r.lead[0]) % bits.OnesCount8(uint8(enabled))
		r.lead = r.lead[1:]
		for ; skip > 0; skip-- {
			enabled &^= 1 << enabled.first()
		}
		return enabled.first()
	}
	if enabled.has(last) {
		return last
	}
	return enabled.first()
}

// chooseNew adds a choice. It is the thread that has been going on, if possible: a switch costs
// more than a step.
func (r *Run) chooseNew(enabled set, last uint8) uint8 {
	c := choice{enabled: enabled, last: last}
	if !r.options.Every {
		c.sleep, c.readers = r.sleep()
	} else if r.depth > 0 {
		before := &r.choices[r.depth-1]
		c.preemptions = before.preemptions
		if before.preempts(before.chosen) {
			c.preemptions++
		}
	}
	awake := enabled &^ c.sleep
	switch {
	case awake == 0:
		r.settleBlocked(enabled)
		r.asleep = true
		if enabled.has(last) {
			return last
		}
		return enabled.first()
	case awake.has(last):
		c.chosen = last
	default:
		c.chosen = awake.first()
	}
	c.todo = 1 << c.chosen
	r.choices = append(r.choices, c)
	return c.chosen
}

// preempts reports whether choosing id takes the turn from a thread that could have gone on.
func (c *choice) preempts(id uint8) bool { return id != c.last && c.enabled.has(c.last) }

// backtrack goes back to the last choice with an alternative and takes that. It reports false when
// there is none left.
func (r *Run) backtrack() bool {
	for n := len(r.choices) - 1; n >= 0; n-- {
		c := &r.choices[n]
		c.explored |= 1 << c.chosen
		if r.events[n].kind == Read {
			c.readers |= 1 << c.chosen
		}
		rest := c.todo &^ c.explored &^ c.sleep
		if r.options.Every {
			rest = c.enabled &^ c.explored
			if limit := r.options.Preemptions; limit > 0 && c.preemptions == limit && c.enabled.has(c.last) {
				rest &= 1 << c.last
			}
		}
		if rest != 0 {
			c.chosen = rest.first()
			r.choices, r.fresh = r.choices[:n+1], n
			return true
		}
	}
	return false
}

// check runs the checks that hold at every step.
func (r *Run) check() {
	for _, check := range r.always {
		Unseen(func() { r.guard(check) })
	}
}

// blocked describes the threads that can't go on.
func (r *Run) blocked(threads set) string {
	text := ""
	for i, t := range r.threads[:r.started] {
		if threads.has(uint8(i)) {
			text += fmt.Sprintf("[%c waits for %s in %s]", 'a'+i, r.name(t.next.object), t.label)
		}
	}
	return text
}

// schedule returns the choices made, for Replay: "a3b" is three steps of the first thread and one
// of the second.
func (r *Run) schedule() string {
	var text []byte
	for i := 0; i < r.depth; {
		id, n := r.events[i].thread, 0
		for ; i < r.depth && r.events[i].thread == id; i++ {
			n++
		}
		text = append(text, 'a'+id)
		if n > 1 {
			text = strconv.AppendInt(text, int64(n), 10)
		}
	}
	return string(text)
}

// parse is the reverse of schedule.
func parse(schedule string) ([]uint8, error) {
	choices := []uint8{}
	for i := 0; i < len(schedule); {
		id := schedule[i] - 'a'
		if id >= maxThreads {
			return nil, fmt.Errorf("explore: no thread %q in a schedule", schedule[i])
		}
		i++
		from := i
		for i < len(schedule) && '0' <= schedule[i] && schedule[i] <= '9' {
			i++
		}
		n := 1
		if i > from {
			var err error
			if n, err = strconv.Atoi(schedule[from:i]); err != nil || n > 1<<16 {
				return nil, fmt.Errorf("explore: no count %q in a schedule", schedule[from:i])
			}
		}
		for ; n > 0; n-- {
			choices = append(choices, id)
		}
	}
	return choices, nil
}
