package breaker

import "time"

// source is what differs from one kind of breaker to another. Each kind is a struct that begins
// with a Breaker and adds what its source needs. That Breaker holds the struct as its source; you
// hold a pointer to the Breaker.
//
// The language lets you copy a Breaker by value. The copy's source still leads to the original, and
// that tells them apart (promise 20). A cast by a kind in the state word would save 16 bytes, and
// write to the copy's neighbor: see docs/design.md, "The kind in the state word, and a cast by it".
type source interface {
	// breaker returns the breaker whose source this is.
	breaker() *Breaker
	// poll trips the breaker if what it listens to has ended. It may be called at any time.
	poll()
	// attach registers with the source, because a goroutine is going to wait. Called once, under
	// flagAttaching, if flagLazy was set. It returns the flags to clear.
	attach() (clear uint32)
	// links returns the links of a node, and nil for a leaf.
	links() []link
	// release lets go of all that isn't a link. Of your code it runs only the stop function of a
	// foreign context. Called once, by the winner of the trip, or by the attacher on the winner's
	// behalf.
	release()
	// canceler takes out the cancel function to be called after the trip, if there is one.
	canceler() func()
	// deadline is Deadline without the links. Called only if flagLookUp is set.
	deadline() (time.Time, bool)
	// value looks the key up in the breaker's own context. Called only if flagLookUp is set.
	value(key any) any
	// ownErr is Err if flagOwnErr is set.
	ownErr() error
}

// A Breaker is its own source if only Trip and Close trip it. The other kinds share its methods.

func (b *Breaker) inside() (*Breaker, bool)    { return b, true }
func (b *Breaker) poll()                       {}
func (b *Breaker) links() []link               { return nil }
func (b *Breaker) release()                    {}
func (b *Breaker) canceler() func()            { return nil }
func (b *Breaker) deadline() (time.Time, bool) { return time.Time{}, false }
func (b *Breaker) value(any) any               { return nil }

func (b *Breaker) breaker() *Breaker { return b }           // not reached here: for breaker_pure
func (b *Breaker) attach() uint32    { return 0 }           // not reached here: never lazy
func (b *Breaker) ownErr() error     { return Interrupted } // not reached here: for contexts

// checkCopy panics if b is a copy of a breaker that a constructor made (promise 20). A zero value
// has no source.
func (b *Breaker) checkCopy() {
	if !b.isOriginal() {
		panicCopied()
	}
}

//go:noinline
func panicCopied() {
	panic("breaker: a Breaker made by a constructor was copied by value; keep the pointer, or embed *Breaker")
}

// newTripped returns a closed breaker, for a constructor that was given nothing to wait for.
func newTripped(cause error) *Breaker {
	b := &Breaker{state: wordOf(kindPlain, closed)}
	b.source = b
	b.cause.Set(cause)
	return b
}

// ensureAttached attaches the source of a breaker, if that hasn't been done: a goroutine is going
// to wait for the trip. Only breakers over a channel or a context have something to attach. The
// word is the one just loaded.
func (b *Breaker) ensureAttached(s uint32) {
	if s&(phase|flagLazy) != flagLazy {
		return
	}
	b.source.poll() // what has ended before shall not trip the breaker later (promise 9)
	for {
		s = b.state.Load()
		if s&(phase|flagLazy) != flagLazy {
			return // it has tripped meanwhile, or another goroutine attaches the source
		}
		if b.state.CompareAndSwap(s, s&^flagLazy|flagAttaching) {
			b.attachSource()
			return
		}
	}
}

// attachSource attaches the source, under flagAttaching, and ends that. If foreign code panics on
// the way, the source isn't attached, and the next goroutine that waits tries again (promise 8).
func (b *Breaker) attachSource() {
	clear, again := uint32(0), flagLazy
	defer func() { b.endAttaching(clear, again) }()
	clear = b.source.attach()
	again = 0
}

// endAttaching ends what a constructor or ensureAttached began under flagAttaching. If the breaker
// has tripped meanwhile, the winner has handed the release over to us.
func (b *Breaker) endAttaching(clear, set uint32) {
	s := b.move(flagAttaching|clear, set)
	if s&flagHandedOver != 0 {
		w := settlement{stage: finishing}
		w.begin(b)
		w.run()
	}
	if s&phase == claimed {
		b.awaitDone() // promise 9: what has tripped already is tripped on return
	}
}

// handOver is the other side of endAttaching. If sources are still being attached, it tells the
// attacher to release them, and reports true. It returns the word as it is then.
func (b *Breaker) handOver() (word uint32, handed bool) {
	s := b.state.Load()
	for s&flagAttaching != 0 {
		if b.state.CompareAndSwap(s, s|flagHandedOver) {
			return s, true
		}
		s = b.state.Load()
	}
	return s, false
}

// ask asks the contexts and channels that the breaker owns, directly or not. What has ended counts,
// attached or not (promise 19): ask trips those breakers, and with them what follows from them. It
// returns the word as it is then.
func (b *Breaker) ask() (word uint32) {
	askSource(b.source)
	if b.source.links() != nil {
		w := walk{at: b, seek: theEnd}
		for inner := w.next(); inner != nil; inner = w.next() {
			if askSource(inner.source); !inner.isOpen() {
				// Another goroutine may have found that out first, and not have come to b yet. Then
				// we go its way.
				inner.awaitDone()
				w := settlement{lost: []*Breaker{inner}}
				w.run()
				break
			}
		}
	}
	return b.state.Load()
}

func askSource(s source) {
	if c, ok := s.(*channelBreaker); ok {
		c.ask()
		return
	}
	s.poll()
}

// earliest is Deadline of a breaker that may have one.
func (b *Breaker) earliest() (earliest time.Time, ok bool) {
	earliest, ok = b.source.deadline()
	if b.source.links() == nil {
		return earliest, ok
	}
	for w := (walk{at: b, seek: aDeadline}); ; {
		inner := w.next()
		if inner == nil {
			return earliest, ok
		}
		if at, has := inner.source.deadline(); has && (!ok || at.Before(earliest)) {
			earliest, ok = at, true
		}
	}
}

// lookUp looks for the key in the contexts among the sources, in the order of the arguments. It
// keeps no values itself: see docs/design.md, "Values".
func (b *Breaker) lookUp(key any) any {
	if b.state.Load()&flagLookUp == 0 {
		return nil
	}
	if v := b.source.value(key); v != nil || b.source.links() == nil {
		return v
	}
	for w := (walk{at: b, seek: aValue}); ; {
		inner := w.next()
		if inner == nil {
			return nil
		}
		if v := inner.source.value(key); v != nil {
			return v
		}
	}
}

// walk visits the breakers that links lead to from a node, depth first. It visits each once, so it
// takes time linear in their number (promise 25). It doesn't recurse. It allocates only if some
// node has several links to follow.
type walk struct {
	at    *Breaker // its links come next
	index int      // the next of them
	seek  sought
	// stack has the nodes to come back to, and their next link. It and seen are made only if there
	// is more than one way.
	stack []place
	seen  map[*Breaker]struct{}
}

// sought is what a walk looks for. It visits only breakers in which that may be.
type sought uint8

const (
	aDeadline sought = iota
	aValue           // through links that aren't blind
	theEnd           // of contexts and channels, through links to what is owned
)

func (s sought) flag() uint32 {
	if s == theEnd {
		return flagAsk
	}
	return flagLookUp
}

type place struct {
	at    *Breaker
	index int
}

func (w *walk) next() *Breaker {
	for w.at != nil {
		all := w.at.source.links()
		for w.index < len(all) {
			l := &all[w.index]
			w.index++
			if !l.is(keep) || l.is(blind) && w.seek == aValue || !l.is(owned) && w.seek == theEnd {
				continue
			}
			inner := l.source.Get()
			if inner.state.Load()&w.seek.flag() == 0 {
				continue
			}
			if inner.source.links() == nil {
				return inner
			}
			if w.seen == nil && !w.more(all[w.index:]) {
				w.at, w.index = inner, 0
				return inner
			}
			if w.seen == nil {
				w.seen = make(map[*Breaker]struct{})
			}
			if _, twice := w.seen[inner]; twice {
				continue
			}
			w.seen[inner] = struct{}{}
			w.stack = append(w.stack, place{w.at, w.index})
			w.at, w.index = inner, 0
			return inner
		}
		w.at = nil
		if n := len(w.stack); n > 0 {
			w.at, w.index = w.stack[n-1].at, w.stack[n-1].index
			w.stack = w.stack[:n-1]
		}
	}
	return nil
}

// more reports whether the walk may have to follow one of the links.
func (*walk) more(links []link) bool {
	for i := range links {
		if links[i].is(keep) {
			return true
		}
	}
	return false
}
