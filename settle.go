package breaker

import (
	"github.com/kamilsk/breaker/internal/registry"
	"github.com/kamilsk/breaker/internal/stdcontext"
)

// settlement is what the winner of a trip does once Done is closed, in this order (promise 18):
//
//	following   trip everything that follows: each node that listens to what has tripped
//	closing     close what the tripped nodes own, and go back to following
//	releasing   drop the links, stop the timers, leave the hubs, unregister from contexts; then
//	            end the contexts that package context has derived
//	finishing   run your code: callbacks, cancel functions, Close of your types
//
// Up to finishing none of your code runs, except what a foreign context does when it is asked or
// unregistered from. So no callback can find a dependent open, delay one, or change its cause. A
// node that holds nothing but timers, and that nothing depends on, goes through all of it at once,
// while it is in the cache.
//
// It is a worklist, so a chain of 1,000,000 breakers needs no stack (promise 17). All of its
// progress is in this struct, so it goes on after a callback has panicked (promise 8). Nodes wait
// in lists threaded through themselves. A leaf, a breaker without a node, needs no place in a list:
// the link of the node that owns it keeps it at hand.
//
// docs/design.md says why it neither calls Close ("Recursion") nor starts goroutines ("Fan-out on
// several goroutines"), and which steps can't be saved ("Cheaper requests").
type settlement struct {
	stage stage
	// root is the leaf that was tripped. If a node was, it is in the lists.
	root *Breaker
	// The lists, in this order: nodes whose dependents haven't been tripped yet; nodes that may own
	// something open; nodes to be released; nodes to be finished.
	toFollow, toClose, toRelease, toFinish *node

	// lost has the nodes that another goroutine is tripping. Their dependents may still be open,
	// and are tripped here, too. This is rare, so it may allocate.
	lost []*Breaker
	seen map[*Breaker]struct{}

	relayed bool     // there are derived contexts
	node    *node    // its pending leaves are being finished
	index   int      // the next of its links
	caller  *Breaker // its callbacks are being run
	sweep   sweep
	touched uintptr // what was read ahead, so that the compiler can't leave that out
}

type sweep = registry.Sweep[node, linkTag, stdcontext.Relay]

type stage uint8

const (
	following stage = iota
	releasing
	finishing
	ending // the caller's callbacks have run
)

// settle does all that follows from the trip of b. Only the winner calls it, with the word that
// publish returned.
func (b *Breaker) settle(s uint32) {
	if s&phase == closed {
		return
	}
	if s&flagHeld == 0 {
		b.moveToClosed(s) // there is no directory
		return
	}
	if b.settleAtOnce(s, true) {
		return
	}
	w := settlement{}
	if n := b.node(); n != nil {
		w.toFollow = n
	} else {
		w.root = b
	}
	w.markTripped(b, s)
	w.run()
}

// node returns the node that begins with b, or nil if it is a leaf.
func (b *Breaker) node() *node {
	if b.source == nil {
		return nil
	}
	if links := b.source.links(); links != nil {
		return links[0].Node
	}
	return nil
}

// markTripped makes the phase tripped if it is still claimed, because others will see it for a
// while: then Err is one load (step 4).
func (*settlement) markTripped(b *Breaker, s uint32) {
	if s&phase == claimed {
		b.move(phase, tripped)
	}
}

// moveToClosed makes the last transition. The word is the one last seen.
func (b *Breaker) moveToClosed(s uint32) {
	for !b.state.CompareAndSwap(s, s|closed) {
		s = b.state.Load()
	}
	if s&(flagLive|flagAwaited) != 0 {
		if s&flagLive != 0 {
			b.delist()
		}
		if s&flagAwaited != 0 {
			b.wakeAwaiting()
		}
	}
}

// becomeClosed is moveToClosed of a breaker that may have a directory.
func (b *Breaker) becomeClosed(s uint32) {
	b.moveToClosed(s)
	// If you keep the breaker, you don't keep the room for its callbacks (promise 10). After the
	// move: a goroutine that makes a directory later sees that the breaker is closed (see
	// register).
	b.registry.Forget()
}

// settleAtOnce settles a breaker that nothing depends on, and that can let go of all it holds
// without running your code. It reports whether it did. At the root of a trip that includes watches
// of signals: there are no callbacks to hold them for (see release).
func (b *Breaker) settleAtOnce(s uint32, root bool) bool {
	if s&(flagAttaching|flagOwnErr) != 0 || s&(flagAsk|flagLazy) == flagAsk || !b.registry.IsEmpty() {
		return false
	}
	if b.source != nil {
		all := b.source.links()
		for i := range all {
			if l := &all[i]; l.is(owned) && !l.isPrivate(root) {
				return false
			}
		}
		for i := range all {
			if l := &all[i]; l.is(owned) && !l.closePrivate(root) {
				return false
			}
		}
	}
	b.letGo(s)
	return true
}

// letGo lets go of all that a breaker holds, which runs none of your code, and closes it.
func (b *Breaker) letGo(s uint32) {
	if b.source != nil {
		all := b.source.links()
		for i := range all {
			all[i].drop()
		}
		b.source.release()
	}
	b.becomeClosed(s)
}

// isPrivate reports whether the source of l holds at most a timer, or, at the root of a trip,
// watches of signals, and has no registration but l.
func (l *link) isPrivate(root bool) bool {
	b := l.source.Get()
	s := b.state.Load()
	if s&(flagAsk|flagAttaching|flagOwnErr) != 0 || !b.registry.HasAtMost(&l.registration) {
		return false
	}
	return b.source == nil || b.source.links() == nil || root && s&flagWatch != 0
}

// closePrivate closes the source of l, and reports whether that is all. It isn't if another
// goroutine has registered with the source since it was found private: then the source is closed,
// and pending.
func (l *link) closePrivate(root bool) bool {
	b := l.source.Get()
	s, won := b.claim(b.state.Load(), 0, true)
	if !won {
		// If somebody depends on it by now, what comes next goes that trip's way.
		b.awaitDone()
		return b.state.Load()&phase == closed || l.isPrivate(root)
	}
	s = b.publish(s)
	if !l.isPrivate(root) {
		l.Tag.pending.Set(true)
		return false
	}
	b.letGo(s)
	return true
}

// drop takes the link out of its source's registry, once.
func (l *link) drop() {
	if l.Tag.dropped.Get() {
		return
	}
	toWatch := l.isToWatch()
	l.Tag.dropped.Set(true)
	source := l.source.Get()
	if source == nil { // the construction ended before this link
		return
	}
	source.registry.Take(&l.registration)
	l.forget()
	if toWatch {
		source.source.(*watch).leave()
	}
}

// isToWatch reports whether the source is a watch, of a signal or a channel.
func (l *link) isToWatch() bool {
	if l.Tag.dropped.Get() || l.source.Get() == nil {
		return false
	}
	_, ok := l.source.Get().source.(*watch)
	return ok
}

// forget lets go of the source, unless it is still needed. If you retain a closed breaker, it must
// not retain what it once listened to.
func (l *link) forget() {
	if !l.is(keep) && !l.Tag.pending.Get() {
		l.source.Set(nil)
	}
}

// run works until nothing is left to do.
func (w *settlement) run() {
	if w.stage == following {
		w.tripAll()
		w.stage = releasing
		if w.root != nil {
			w.release(w.root, w.root.state.Load(), false)
		}
	}
	if w.stage == releasing {
		for w.toRelease != nil {
			w.releaseNode(pop(&w.toRelease))
		}
		w.stage = finishing
		if w.relayed {
			w.endRelays()
		}
		w.caller, w.root = w.root, nil
		w.sweep = sweep{Class: registry.Callbacks}
	}
	for w.caller != nil || w.nextCaller() {
		w.runCallbacks()
	}
}

// tripAll does following and closing. It runs none of your code.
func (w *settlement) tripAll() {
	if w.root != nil {
		w.tripDependents(w.root)
	}
	for {
		switch {
		case w.toFollow != nil:
			n := pop(&w.toFollow)
			w.tripDependents(&n.Breaker)
			if n.ownsSomething() {
				push(&w.toClose, n)
			} else {
				push(&w.toRelease, n)
			}
		case len(w.lost) > 0:
			b := w.lost[len(w.lost)-1]
			w.lost = w.lost[:len(w.lost)-1]
			w.tripDependents(b)
		case w.toClose != nil:
			n := pop(&w.toClose)
			push(&w.toRelease, n)
			w.closeOwned(n)
		default:
			return
		}
	}
}

// tripDependents trips the nodes that listen to b, with its cause (promise 9).
func (w *settlement) tripDependents(b *Breaker) {
	if b.registry.IsEmpty() {
		return
	}
	cause, mark := b.cause.Get(), b.state.Load()&flagExpired
	all := sweep{Class: registry.Links}
	for r := all.NextLink(&b.registry); r != nil; r = all.NextLink(&b.registry) {
		if ahead := all.Ahead(); ahead != nil {
			w.touch(ahead)
		}
		n := r.Node
		s, won := n.claim(n.state.Load(), mark, cause == nil)
		if !won {
			w.followLost(&n.Breaker)
			continue
		}
		if cause != nil {
			n.cause.Set(cause)
		}
		s = n.publish(s)
		// To stop a timer takes as long as all the rest. The next nodes don't wait for it.
		if s&phase != closed && (s&flagLookUp != 0 || !n.settleAtOnce(s, false)) {
			w.markTripped(&n.Breaker, s)
			push(&w.toFollow, n)
		}
	}
}

// touch reads what the next trips are going to write. In a large fan-out none of it is in the
// cache. Here the misses of several trips overlap; in the trips each locked instruction would wait
// for its own. That halves the cost.
func (w *settlement) touch(slots []registry.Slot[node, linkTag]) {
	for i := range slots {
		if r := slots[i].Load(); r != nil && r.Node != nil {
			w.touched += uintptr(r.Node.state.Load()) + r.Node.done.touch()
		}
	}
}

// followLost handles a breaker that was tripped before. If another goroutine is still on its way
// through the dependents of that one, we trip them, too, so that none is open when our callbacks
// run (promise 18). Otherwise all of them are tripped, and only the link is still there.
func (w *settlement) followLost(b *Breaker) {
	b.awaitDone() // promise 3: Done of what follows a breaker is closed once its Trip has returned
	if b.state.Load()&phase == closed || b.registry.IsEmpty() {
		return
	}
	if _, twice := w.seen[b]; twice {
		return
	}
	if w.seen == nil {
		w.seen = make(map[*Breaker]struct{})
	}
	w.seen[b] = struct{}{}
	w.lost = append(w.lost, b)
}

// closeOwned closes what the node owns (promise 9).
func (w *settlement) closeOwned(n *node) {
	all := n.source.links()
	for i := range all {
		l := &all[i]
		if !l.is(owned) {
			continue
		}
		b := l.source.Get()
		if l.Tag.pending.Get() { // see closePrivate
			w.markTripped(b, b.state.Load())
			w.tripDependents(b)
			continue
		}
		s, won := w.close(b)
		if !won || s&phase == closed {
			continue
		}
		w.markTripped(b, s)
		if inner := b.node(); inner != nil {
			push(&w.toFollow, inner)
			continue
		}
		l.Tag.pending.Set(true)
		w.tripDependents(b)
	}
}

// close closes a breaker that a node owns. It reports whether this call did, and the word that it
// left.
func (w *settlement) close(b *Breaker) (word uint32, won bool) {
	if c, ok := b.source.(*contextBreaker); ok { // promise 19
		if s, won := c.claimEnded(); won {
			return s, true
		}
	}
	s, won := b.claim(b.state.Load(), 0, true)
	if !won {
		w.followLost(b)
		return s, false
	}
	return b.publish(s), true
}

// ownsSomething reports whether the node closes anything when it trips.
func (n *node) ownsSomething() bool {
	all := n.source.links()
	for i := range all {
		if all[i].is(owned) {
			return true
		}
	}
	return false
}

// releaseNode lets go of all that the node holds, and its pending leaves hold.
func (w *settlement) releaseNode(n *node) {
	s := n.state.Load()
	if n.releasesAtOnce(s) { // while it is in the cache
		n.letGo(s)
		return
	}
	push(&w.toFinish, n)
	all := n.source.links()
	for i := range all {
		if l := &all[i]; l.Tag.pending.Get() {
			source := l.source.Get()
			w.release(source, source.state.Load(), false)
		}
	}
	w.release(&n.Breaker, s, false)
}

// releasesAtOnce reports whether the node has no callbacks, can let go of all it holds without
// running your code, and holds nothing that must stay until the callbacks have run. The word is the
// node's.
func (n *node) releasesAtOnce(s uint32) bool {
	if s&(flagAttaching|flagAsk|flagOwnErr|flagWatch) != 0 || !n.registry.HasAtMostLink() {
		return false
	}
	all := n.source.links()
	for i := range all {
		if all[i].Tag.pending.Get() {
			return false
		}
	}
	return true
}

// release lets go of what b holds. The word is b's. Watches come last, after the callbacks: one of
// those may be about to catch the next signal, and at no moment may that kill the process
// (promise 12).
func (w *settlement) release(b *Breaker, s uint32, last bool) {
	w.relayed = w.relayed || s&flagRelay != 0
	if b.source == nil || s&flagAttaching != 0 {
		// Links are still being registered. The attacher or runCallbacks drops them, the one that
		// comes last.
		return
	}
	all := b.source.links()
	for i := range all {
		if l := &all[i]; last || !l.isToWatch() {
			l.drop()
		}
	}
	if s&flagAsk == 0 {
		b.source.release()
		return
	}
	w.call(b.source.release) // a foreign context's stop function is the user's
}

// endRelays ends the contexts that package context has derived from what has tripped. They are
// dependents, too, but ending them starts the goroutines of their AfterFuncs, which are your code.
func (w *settlement) endRelays() {
	if b := w.root; b != nil && b.state.Load()&flagRelay != 0 {
		b.endRelay()
	}
	for n := w.toFinish; n != nil; n = n.next.Get() {
		all := n.source.links()
		for i := range all {
			if l := &all[i]; l.Tag.pending.Get() {
				if source := l.source.Get(); source.state.Load()&flagRelay != 0 {
					source.endRelay()
				}
			}
		}
		if n.state.Load()&flagRelay != 0 {
			n.endRelay()
		}
	}
}

// nextCaller finds the next breaker to be finished.
func (w *settlement) nextCaller() bool {
	w.stage = finishing
	for {
		if w.node == nil {
			if w.toFinish == nil {
				return false
			}
			w.node, w.index = pop(&w.toFinish), 0
		}
		all := w.node.source.links()
		for w.index < len(all) {
			l := &all[w.index]
			w.index++
			if !l.Tag.pending.Get() {
				continue
			}
			l.Tag.pending.Set(false)
			w.begin(l.source.Get())
			if l.Tag.dropped.Get() {
				l.forget()
			}
			return true
		}
		w.begin(&w.node.Breaker)
		w.node = nil
		return true
	}
}

func (w *settlement) begin(b *Breaker) {
	w.caller, w.sweep = b, sweep{Class: registry.Callbacks}
}

// runCallbacks runs the callbacks of w.caller, and closes it.
func (w *settlement) runCallbacks() {
	b := w.caller
	if w.stage == finishing && !b.registry.IsEmpty() {
		for r := w.sweep.NextCallback(&b.registry); r != nil; r = w.sweep.NextCallback(&b.registry) {
			w.call(r.Drop())
		}
	}
	s, left := b.handOver()
	if left {
		w.caller = nil
		return
	}
	if w.stage == finishing {
		w.stage = ending
		// Also what the attacher was attaching when the rest was released.
		w.release(b, s, true)
	}
	w.caller, w.stage = nil, finishing
	var cancel func()
	if b.source != nil {
		cancel = b.source.canceler()
	}
	b.becomeClosed(s)
	if cancel != nil {
		w.call(cancel)
	}
}

// call runs a function of yours. If that doesn't return, because of a panic or runtime.Goexit, the
// rest of the work is done on the way out. Don't recover the panic: see docs/design.md, "Recovering
// panics of callbacks".
func (w *settlement) call(f func()) {
	returned := false
	defer func() {
		if !returned {
			w.run()
		}
	}()
	f()
	returned = true
}

func push(list **node, n *node) {
	n.next.Set(*list)
	*list = n
}

func pop(list **node) *node {
	n := *list
	*list = n.next.Get()
	n.next.Set(nil)
	return n
}
