package breaker

import "github.com/kamilsk/breaker/internal/atomic"

// node is a breaker that listens to other breakers: a Multiplex, and what waits for signals, for a channel or for
// another breaker's context. It is registered with each of its sources by a link that lies in the node itself,
// so there is neither a goroutine nor an allocation for a source.
type node struct {
	Breaker

	// next threads the worklist of a settlement. Only the winner of this node's trip uses it.
	next *node
	// first is the first of its links, which lie behind one another, in the node itself or elsewhere. Written before the node is shared. The
	// links are written by the constructor or by the first who waits, under flagBusy, then dropped by the winner.
	first *link
}

// link is the registration of a node with one source.
type link struct {
	registration
	node *node
	// source is set to nil when the link is dropped, unless keep says that it is still looked at.
	source *Breaker
}

// A node with a few links is one allocation, of a size class that fits it exactly: 96, 128, 160 or 192 bytes.
type (
	node1 struct {
		node
		array [1]link
	}
	node2 struct {
		node
		array [2]link
	}
	node3 struct {
		node
		array [3]link
	}
	node4 struct {
		node
		array [4]link
	}
)

// newNode returns a node with room for so many links. Its state word is still to be given.
func newNode(links int) *node {
	switch links {
	case 1:
		n := new(node1)
		return n.over(n.array[:])
	case 2:
		n := new(node2)
		return n.over(n.array[:])
	case 3:
		n := new(node3)
		return n.over(n.array[:])
	case 4:
		n := new(node4)
		return n.over(n.array[:])
	default:
		return new(node).over(make([]link, links))
	}
}

// over gives the node its links. A slice of them in the node would take 16 bytes more.
func (n *node) over(links []link) *node {
	n.first = &links[0]
	for i := range links {
		links[i].node, links[i].isLink = n, true
	}
	links[len(links)-1].isLast = true
	return n
}

// begin gives the node its state word, before it is registered with anything. It is flagBusy until attached, also if it has one link only: who
// trips it by that may not release it while register still looks at the link.
func (n *node) begin(kind, flags uint32) {
	n.state = wordOf(kind, flags|flagHeld|flagBusy)
}

// listen registers the node with the source of a link that has been filled in, and reports whether the node is still
// open. If the source has tripped, so has the node.
func (n *node) listen(l *link) bool {
	atomic.Reads(&l.source)
	if l.source.register(&l.registration) {
		return n.state.Load()&phase == open
	}
	l.source.awaitDone()
	atomic.Reads(&l.source.cause)
	cause, mark := l.source.cause, l.source.expiry()
	if n.claim(mark, cause == nil) {
		n.finish(cause)
	}
	return false
}

// listenToAll registers the node with the sources of all its links, and ends the construction. A callback that panics, of
// a source that trips on this occasion or of the node's own, doesn't keep it from that (promise 8); but nobody gets the node then, so it
// is closed, and leaves nothing behind.
func (n *node) listenToAll() {
	returned := false
	defer func() {
		if !returned {
			n.attached()
			n.Close()
		}
	}()
	for l := n.first; l != nil && n.listen(l); l = l.next() {
	}
	returned = true
	n.attached()
}

// inherited returns the flags of a node whose sources have the given ones: if one can only be asked, so must the node be.
func inherited(flags uint32) uint32 {
	if flags&flagPollOnly != 0 {
		flags |= flagPoll
	}
	return flags
}

// poll trips a node whose sources are only asked.
func (n *node) poll() {
	for l := n.first; l != nil; l = l.next() {
		if l.keep {
			atomic.Reads(&l.source)
			if cause := l.source.Cause(); cause != nil {
				n.trip(cause, l.source.expiry())
				return
			}
		}
	}
}
