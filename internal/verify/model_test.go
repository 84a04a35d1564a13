package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kamilsk/breaker"
)

// The model: what the contract says, in the slowest and most obvious way. It is sequential, has no
// atomics, no registrations and no channels; who listens to whom is found by looking through all
// there is.
//
// It answers two questions about each step of a program.
//
// What ends? That is exact: trip and end follow the sources through plain lists, by recursion, and
// whatever isn't reached stays open.
//
// Why did it end? There the contract leaves room. If a context ends that two breakers watch, they
// hear of it in two goroutines, and if one Multiplex owns both, it may close the second before that
// one hears of it. So the model doesn't predict a cause, it demands a derivation of the one seen:
// from the command itself, from a child, an owner, a context, or a callback whose own cause has
// been derived before (explain). Where only one derivation exists, which is the rule, that is as
// exact as a prediction.
//
// It says less than the implementation does
//   - about the order of callbacks, and of what happens at the same instant: the programs use each
//     instant once;
//   - about the phase Tripped: it is compared when everything has come to rest;
//   - about signals and panics, which have no place in a program that is run a thousand times in
//     one process;
//   - about which of two breakers gets a value out of a channel when one of them is just being
//     watched.
//
// And it says more in one point: the causes made by the package are the same values every time.
type model struct {
	breakers []*modelBreaker
	contexts []*modelContext
	channels []*modelChannel
	now      time.Time
}

// modelBreaker is a breaker of any kind.
type modelBreaker struct {
	name string

	// Its sources.
	deadline  time.Time // its own, if it has a timer, fired or not
	timed     bool
	limit     error         // the cause when the timer goes off; nil for the package's own
	idle      time.Duration // the timeout of an Idle, which moves the deadline
	channel   *modelChannel
	ctx       *modelContext
	children  []modelChild
	callbacks []*modelCallback

	blind bool // a Within: has its context's values, and not those of what it watches
	bare  bool // out of BreakByContext: its Err may be another one (promise 5)

	// cancels: it has a cancel function, which ends cancel, if that isn't nil.
	cancels bool
	cancel  *modelContext

	// watched: it hears of its sources by itself. A breaker over a channel or a context begins
	// without, and has to be asked (promise 2 and promise 11).
	watched bool

	tripped   bool
	seen      reason  // what was observed, if tripped
	only      *reason // the one possible reason, if the command itself tripped it
	explained bool
	ranOut    bool // its own timer tripped it
}

// modelChild is a breaker that a Multiplex was given.
type modelChild struct {
	b     *modelBreaker
	owned bool // not behind NopCloser
}

// reason is why a breaker tripped: its Cause, and whether that counts as a deadline's for
// ToContext.
type reason struct {
	cause   error
	expired bool
}

func reasonOf(cause error) reason {
	return reason{cause, errors.Is(cause, context.DeadlineExceeded)}
}

// modelContext is a context of package context, or the view of a breaker.
type modelContext struct {
	name        string
	parent      *modelContext
	view        *modelBreaker // of which it is the view
	transparent bool          // out of WithValue: has no end of its own
	key         any

	deadline    time.Time
	timed       bool // has a deadline, its own or its parent's
	armed       bool // has a timer of its own
	timerCause  error
	cancelable  bool
	cancelCause error // what its cancel function gives as the cause

	ended     bool
	seen      ending
	only      *ending
	explained bool
}

// ending is how a context ended.
type ending struct {
	err, cause error
}

// modelChannel is a channel with room for one value.
type modelChannel struct {
	name    string
	closed  bool
	pending bool // a value that hasn't been received
	fired   bool // something was received in this step
}

// modelCallback is a registration by OnTrip.
type modelCallback struct {
	name    string
	b       *modelBreaker
	stopped bool
	ran     bool

	// What it does when it runs, besides being counted.
	action action
	target *modelBreaker
	cause  error          // for actTrip
	nested *modelCallback // for actRegister
}

type action int

const (
	actNone action = iota
	actTrip
	actClose
	actRegister
	actStop
)

// step begins the next step of a program.
func (m *model) step() {
	for _, c := range m.channels {
		c.fired = false
	}
}

// trip trips a breaker, and all that follows from it.
func (m *model) trip(b *modelBreaker) {
	if b.tripped {
		return
	}
	b.tripped = true
	for _, c := range slices.Clone(b.callbacks) {
		m.run(c)
	}
	for _, parent := range m.breakers {
		for _, child := range parent.children {
			if child.b == b {
				m.trip(parent) // promise 9
			}
		}
	}
	for _, c := range m.contexts {
		if c.view == b {
			m.end(c) // promise 13
		}
	}
	for _, child := range b.children {
		if child.owned {
			m.trip(child.b) // promise 9
		}
	}
	if b.cancel != nil {
		m.end(b.cancel)
	}
}

// run runs a callback, unless it has been stopped (promise 6 and promise 7).
func (m *model) run(c *modelCallback) {
	if c.stopped || c.ran {
		return
	}
	c.ran = true
	switch c.action {
	case actTrip, actClose:
		m.ask(c.target) // what has ended counts (promise 19)
		m.trip(c.target)
	case actRegister:
		m.onTrip(c.nested)
	}
}

// onTrip registers a callback with its breaker.
func (m *model) onTrip(c *modelCallback) {
	c.b.callbacks = append(c.b.callbacks, c)
	m.watch(c.b)
	if c.b.tripped {
		m.run(c)
	}
}

// end ends a context, and all that follows from it.
func (m *model) end(c *modelContext) {
	if c.ended {
		return
	}
	c.ended = true
	for _, child := range m.contexts {
		if child.parent == c {
			m.end(child)
		}
	}
	for _, b := range m.breakers {
		if b.ctx == c && b.watched {
			m.trip(b)
		}
	}
}

// ask is what every observation of a breaker does that isn't watched: it looks at the source.
func (m *model) ask(b *modelBreaker) {
	if b.tripped || b.watched {
		return
	}
	if b.channel != nil && b.channel.receive() {
		m.trip(b) // alone: a value goes to the one that asks first
	}
	if b.ctx != nil {
		m.askContext(b.ctx)
		if b.ctx.ended {
			m.trip(b)
		}
	}
}

func (m *model) askContext(c *modelContext) {
	switch {
	case c.transparent && c.parent != nil:
		m.askContext(c.parent)
	case c.view != nil:
		m.ask(c.view)
	}
}

// watch is what every waiter does.
func (m *model) watch(b *modelBreaker) {
	if b.tripped || b.watched {
		return
	}
	b.watched = true
	if b.ctx != nil {
		m.watchContext(b.ctx)
		if b.ctx.ended {
			m.trip(b)
		}
	}
	if b.channel != nil {
		m.deliver(b.channel)
	}
}

func (m *model) watchContext(c *modelContext) {
	switch {
	case c.transparent && c.parent != nil:
		m.watchContext(c.parent)
	case c.view != nil:
		m.watch(c.view)
	}
}

// deliver trips all that watch a channel, if there is something to receive.
func (m *model) deliver(c *modelChannel) {
	var waiting []*modelBreaker
	for _, b := range m.breakers {
		if b.channel == c && b.watched && !b.tripped {
			waiting = append(waiting, b)
		}
	}
	if len(waiting) == 0 || !c.receive() {
		return
	}
	for _, b := range waiting {
		m.trip(b)
	}
}

func (c *modelChannel) receive() bool {
	if !c.closed && !c.pending {
		return false
	}
	c.pending = false
	c.fired = true
	return true
}

// goroutines is how many the library may have: one for each channel that someone waits for (promise
// 11).
func (m *model) goroutines() int {
	n := 0
	for _, c := range m.channels {
		if slices.ContainsFunc(m.breakers, func(b *modelBreaker) bool { return b.channel == c && b.watched && !b.tripped }) {
			n++
		}
	}
	return n
}

// next returns the next instant at which something ends by itself, and what.
func (m *model) next() (at time.Time, b *modelBreaker, c *modelContext) {
	for _, x := range m.breakers {
		if x.timed && !x.tripped && (at.IsZero() || x.deadline.Before(at)) {
			at, b, c = x.deadline, x, nil
		}
	}
	for _, x := range m.contexts {
		if x.armed && !x.ended && (at.IsZero() || x.deadline.Before(at)) {
			at, b, c = x.deadline, nil, x
		}
	}
	return at, b, c
}

// taken reports whether something ends by itself at that instant, or did.
func (m *model) taken(at time.Time) bool {
	return slices.ContainsFunc(m.breakers, func(b *modelBreaker) bool { return b.timed && b.deadline.Equal(at) }) ||
		slices.ContainsFunc(m.contexts, func(c *modelContext) bool { return c.timed && c.deadline.Equal(at) })
}

// deadlineOf is the earliest deadline among the sources (promise 14). It outlives the trip.
func (m *model) deadlineOf(b *modelBreaker) (at time.Time, ok bool) {
	if b.timed {
		at, ok = b.deadline, true
	}
	if b.ctx != nil {
		if t, has := m.deadlineOfContext(b.ctx); has && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for _, child := range b.children {
		if t, has := m.deadlineOf(child.b); has && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

func (m *model) deadlineOfContext(c *modelContext) (time.Time, bool) {
	if c.view != nil {
		return m.deadlineOf(c.view)
	}
	if c.parent != nil && !c.armed {
		return m.deadlineOfContext(c.parent) // of an Idle, it moves
	}
	return c.deadline, c.timed
}

// has reports whether a value is found through a context; sees, through a breaker (promise 13).
func (m *model) has(c *modelContext, key any) bool {
	if c.key == key {
		return true
	}
	if c.view != nil {
		return m.sees(c.view, key)
	}
	return c.parent != nil && m.has(c.parent, key)
}

func (m *model) sees(b *modelBreaker, key any) bool {
	if b.ctx != nil || b.blind {
		return b.ctx != nil && m.has(b.ctx, key)
	}
	return slices.ContainsFunc(b.children, func(child modelChild) bool { return m.sees(child.b, key) })
}

// explain finds a derivation for everything that has ended, given what was seen of it. Each
// derivation begins with something explained before, so that two can't be each other's reason.
func (m *model) explain() error {
	for progress := true; progress; {
		progress = false
		for _, b := range m.breakers {
			if b.tripped && !b.explained && slices.Contains(m.reasons(b), b.seen) {
				b.explained, progress = true, true
			}
		}
		for _, c := range m.contexts {
			if c.ended && !c.explained && slices.Contains(m.endings(c), c.seen) {
				c.explained, progress = true, true
			}
		}
	}
	var all []error
	for _, b := range m.breakers {
		if b.tripped && !b.explained {
			all = append(all, fmt.Errorf("promise 4: %s tripped with %v, possible: %v", b.name, b.seen, m.reasons(b)))
		}
	}
	for _, c := range m.contexts {
		if c.ended && !c.explained {
			all = append(all, fmt.Errorf("promise 13: %s ended with %v, possible: %v", c.name, c.seen, m.endings(c)))
		}
	}
	return errors.Join(all...)
}

// reasons returns why a breaker may have tripped, as far as that is explained itself.
func (m *model) reasons(b *modelBreaker) (all []reason) {
	if b.only != nil {
		return []reason{*b.only}
	}
	if c := b.channel; c != nil && (c.fired || c.closed || c.pending) {
		all = append(all, reasonOf(madeChannel))
	}
	if c := b.ctx; c != nil && c.ended && c.explained {
		r := reasonOf(c.seen.cause)
		r.expired = r.expired || c.seen.err == context.DeadlineExceeded
		if c.view != nil {
			r = c.view.seen // it listens to the breaker behind the view, as a Multiplex does
		}
		all = append(all, r)
	}
	for _, child := range b.children {
		if child.b.tripped && child.b.explained {
			all = append(all, child.b.seen)
		}
	}
	for _, other := range m.breakers {
		if !other.tripped || !other.explained {
			continue
		}
		for _, child := range other.children {
			if child.b == b && child.owned {
				all = append(all, reasonOf(breaker.ErrClosed))
			}
		}
		for _, c := range other.callbacks {
			switch {
			case c.target != b || !c.ran:
			case c.action == actTrip:
				all = append(all, reasonOf(c.cause))
			case c.action == actClose:
				all = append(all, reasonOf(breaker.ErrClosed))
			}
		}
	}
	return all
}

// endings returns how a context may have ended, as far as that is explained itself.
func (m *model) endings(c *modelContext) (all []ending) {
	if c.only != nil {
		return []ending{*c.only}
	}
	if b := c.view; b != nil && b.explained {
		err := context.Canceled
		if b.seen.expired {
			err = context.DeadlineExceeded
		}
		all = append(all, ending{err, viewCause(b.seen.cause)})
	}
	if c.parent != nil && c.parent.explained {
		all = append(all, c.parent.seen)
	}
	for _, b := range m.breakers {
		if b.cancel == c && b.explained {
			all = append(all, ending{context.Canceled, c.cancelCause})
		}
	}
	return all
}
