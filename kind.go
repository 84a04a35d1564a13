package breaker

import (
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
)

// What differs from kind to kind, besides construction and release, in one place.

// wordOf returns the state word of a breaker that is being made.
func wordOf(kind, flags uint32) atomic.Uint32 {
	return atomic.Uint32Of(kind<<kindShift | flags)
}

// newTripped returns a breaker that has nothing to wait for.
func newTripped(cause error) *Breaker {
	return &Breaker{state: wordOf(kindPlain, closed), cause: cause}
}

// watch makes sure that the source of a breaker is watched: somebody is going to wait for the trip. It does something
// only for a breaker over a channel or a context, and attaches once.
func (b *Breaker) watch() {
	if b.state.Load()&(phase|flagPoll) != flagPoll {
		return
	}
	b.poll() // what has ended before shall not trip the breaker later (promise 9)
	// The swap fails only if the breaker has tripped meanwhile, or somebody else watches the source: as long as nobody waits, nothing
	// else changes the word.
	s := b.state.Load()
	if s&(phase|flagPoll|flagPollOnly) == flagPoll && b.state.CompareAndSwap(s, s&^flagPoll|flagBusy) {
		b.attach()
	}
}

// attach has the source watched, under flagBusy, which it ends, also if a callback panics that this runs (promise 8).
func (b *Breaker) attach() {
	defer b.attached()
	switch b.kind() {
	case kindChannel:
		channelOf(b).attach()
	case kindContext:
		contextOf(b).attach()
	case kindView:
		nodeOf(b).listen(nodeOf(b).first)
	default:
		panic("breaker: a breaker without a source can't be polled")
	}
}

// attached ends what a constructor or watch began under flagBusy. If the breaker has tripped meanwhile, whoever tripped it left the
// release to us.
func (b *Breaker) attached() {
	if b.move(flagBusy, 0)&flagLeft != 0 {
		var w settlement
		w.release(b)
		w.run()
	}
}

// leftToAttacher is the other side of attached: it reports whether sources are still being attached, in which case
// the attacher has been told to release them.
func (b *Breaker) leftToAttacher() bool {
	for {
		s := b.state.Load()
		if s&flagBusy == 0 {
			return false
		}
		if b.state.CompareAndSwap(s, s|flagLeft) {
			return true
		}
	}
}

// poll asks a source that isn't watched, and trips the breaker if that has ended.
func (b *Breaker) poll() {
	switch b.kind() {
	case kindChannel:
		channelOf(b).poll()
	case kindContext:
		contextOf(b).poll()
	case kindNode, kindSignal, kindView:
		nodeOf(b).poll()
	default:
		panic("breaker: a breaker without a source can't be polled")
	}
}

// deadline is Deadline of a breaker that may have one. Like value, it goes through a chain by a loop: only a node with several
// nodes among its sources is gone into by recursion.
func (b *Breaker) deadline() (earliest time.Time, ok bool) {
	for b != nil {
		var at time.Time
		found := false
		next := (*Breaker)(nil)
		switch b.kind() {
		case kindTimeout:
			at, found = timeoutOf(b).deadline(), true
		case kindDeadline:
			at, found = deadlineOf(b).at, true
		case kindContext:
			at, found = contextOf(b).ctx.Deadline()
		case kindNode, kindView:
			for l := nodeOf(b).first; l != nil; l = l.next() {
				if !l.keep {
					continue
				}
				atomic.Reads(&l.source)
				if l.source.state.Load()&flagTimed == 0 {
					continue
				}
				inner := l.source
				if inner.kind() >= kindNode {
					inner, next = next, inner
				}
				if inner == nil {
					continue
				}
				if t, has := inner.deadline(); has && (!found || t.Before(at)) {
					at, found = t, true
				}
			}
		default:
			panic("breaker: a breaker without a deadline can't be timed")
		}
		if found && (!ok || at.Before(earliest)) {
			earliest, ok = at, true
		}
		b = next
	}
	return earliest, ok
}

// value looks for the key in the contexts among the sources, in the order in which they were given.
func (b *Breaker) value(key any) any {
	for b != nil && b.state.Load()&flagValues != 0 {
		switch b.kind() {
		case kindContext:
			return contextOf(b).ctx.Value(key)
		case kindNode, kindView:
			last := (*Breaker)(nil)
			for l := nodeOf(b).first; l != nil; l = l.next() {
				if !l.keep {
					continue
				}
				atomic.Reads(&l.source)
				if l.source.state.Load()&flagValues == 0 {
					continue
				}
				if last != nil {
					if v := last.value(key); v != nil {
						return v
					}
				}
				last = l.source
			}
			b = last
		default:
			panic("breaker: a breaker without a context can't have values")
		}
	}
	return nil
}
