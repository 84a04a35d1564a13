package breaker

import "github.com/kamilsk/breaker/internal/atomic"

// settlement is what the winner of a trip does once Done is closed: run the callbacks, release the sources, and the
// same for every breaker that this trips in turn.
//
// It is a worklist and not a recursion, so that a chain of 1,000,000 breakers needs no stack for it (promise
// 17), and all of its progress is in this struct, so that it goes on after a callback has panicked (promise 8).
// Nodes wait in a list threaded through themselves. A breaker without a node, a leaf, has no room for that; it
// needs none, because it is settled on the spot, between two links of the node that owns it.
type settlement struct {
	sweeping *Breaker // its callbacks are being run
	sweep    sweep
	node     *node // its links are being dropped
	link     *link // the next of them
	list     *node // claimed and published, nothing else done
	listed   int   // nodes in the list since the last batch
	depth    int   // batches that this is nested in
}

const (
	// batchSize is so many nodes that their memory is still in the cache when they are released. Without batches, a
	// fan-out of 1,000,000 goes through all of it twice.
	batchSize = 64
	// maxDepth bounds the nesting of batches, so that a tree isn't gone through by recursion.
	maxDepth = 4
)

// settle runs the callbacks and releases the sources of b, and of all that it trips. Only the winner calls it, after publish.
func (b *Breaker) settle() {
	s := b.state.Load()
	if s&phase == closed {
		return
	}
	if s&flagHeld == 0 {
		b.move(phase, closed)
		return
	}
	w := settlement{sweeping: b}
	w.prepare()
	w.run()
}

// run works until nothing is left to do.
func (w *settlement) run() {
	for {
		switch {
		case w.sweeping != nil:
			w.runCallbacks()
		case w.node != nil:
			w.dropLinks()
		case w.list != nil:
			n := w.list
			atomic.Writes(&n.next)
			w.list, n.next = n.next, nil
			w.sweeping = &n.Breaker
			w.prepare()
		default:
			return
		}
	}
}

// prepare readies w.sweeping for its sweep.
func (w *settlement) prepare() {
	w.sweep = sweep{}
	if b := w.sweeping; !b.registry.isEmpty() {
		// Callbacks may take their time, and ask Err: publish (step 4).
		if s := b.state.Load(); s&phase == claimed {
			b.move(phase, tripped)
		}
	}
}

// runCallbacks runs the callbacks of w.sweeping, then begins its release.
func (w *settlement) runCallbacks() {
	b := w.sweeping
	if !b.registry.isEmpty() {
		mark := b.expiry()
		for r := w.sweep.next(&b.registry); r != nil; r = w.sweep.next(&b.registry) {
			if r.isLink {
				atomic.Reads(&b.cause)
				w.trip(linkOf(r).node, b.cause, mark)
				if w.listed >= batchSize && w.depth < maxDepth {
					w.runBatch()
				}
				continue
			}
			w.call(callbackOf(r).drop())
		}
	}
	w.sweeping = nil
	if !b.leftToAttacher() {
		w.release(b)
	}
}

// release releases what a leaf holds, or begins to release a node.
func (w *settlement) release(b *Breaker) {
	var cancel func()
	switch kind := b.kind(); {
	case kind >= kindNode:
		w.node, w.link = nodeOf(b), nodeOf(b).first
		return
	case kind == kindContext:
		cancel = contextOf(b).release()
	case kind >= kindTimeout:
		timedOf(b).release()
	}
	w.closed(b, cancel)
}

// closed ends the settlement of one breaker. The function, if any, is the user's.
func (w *settlement) closed(b *Breaker, cancel func()) {
	if b.move(phase, closed)&flagLive != 0 {
		b.delist()
	}
	// After the move: who makes a directory later than this sees that the breaker is closed (see register).
	if base := b.registry.base.Load(); base != nil {
		base.forget()
	}
	if cancel != nil {
		w.call(cancel)
	}
}

// runBatch settles what is in the list, before the sweep under way goes on.
func (w *settlement) runBatch() {
	batch := settlement{list: w.list, depth: w.depth + 1}
	w.list, w.listed = nil, 0
	w.call(batch.run)
}

// dropLinks goes on with releasing w.node. It returns when a breaker that was owned needs a sweep first, or at the end.
func (w *settlement) dropLinks() {
	n := w.node
	for w.link != nil {
		l := w.link
		w.link = l.next()
		atomic.Reads(&l.source)
		source := l.source
		if !l.keep {
			// A closed breaker that someone retains shall not pin what it once listened to.
			atomic.Writes(&l.source)
			l.source = nil
		}
		if source == nil { // the construction ended before this link
			continue
		}
		source.unregister(&l.registration)
		atomic.Writes(&l.where)
		l.where = nil // or a closed breaker that someone retains pins a block of the source's, and its siblings in that
		if source.kind() == kindWatch {
			watchOf(source).leave()
			continue
		}
		if l.owned && w.close(source) {
			return
		}
	}
	w.node = nil
	var cancel func()
	if n.kind() == kindView {
		cancel = takeOut(&viewOf(&n.Breaker).cancel)
	}
	w.closed(&n.Breaker, cancel)
}

// trip trips a node that is registered with a breaker that has tripped.
func (w *settlement) trip(n *node, cause error, mark uint32) {
	if !n.claim(mark, cause == nil) {
		n.awaitDone() // as a loser does: who has tripped the breaker finds closed what follows it
		return
	}
	if cause != nil {
		atomic.Writes(&n.cause)
		n.cause = cause
	}
	n.publish()
	w.push(n)
}

// close closes a breaker that the node under way owns. It reports whether that has to be swept at once.
func (w *settlement) close(b *Breaker) bool {
	switch {
	case b.kind() == kindContext && contextOf(b).claimDone(): // as in trip
	case b.claim(b.ownMark(), true):
		b.publish()
	default:
		b.awaitDone()
		return false
	}
	if b.state.Load()&phase == closed {
		return false
	}
	if b.kind() >= kindNode {
		w.push(nodeOf(b))
		return false
	}
	w.sweeping = b
	w.prepare()
	return true
}

func (w *settlement) push(n *node) {
	atomic.Writes(&n.next)
	n.next, w.list = w.list, n
	w.listed++
}

// call runs a function of the user's. If that doesn't return, by a panic or by runtime.Goexit, the rest of
// the work is done on the way out: the panic goes on up with its own stack, which it wouldn't if it were recovered and
// thrown again.
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
