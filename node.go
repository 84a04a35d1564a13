package breaker

// node is a breaker that listens to other breakers: a Multiplex, and what waits for signals, for a channel or for
// another breaker's context. It is registered with each of its sources by a link that lies in the node itself,
// so there is neither a goroutine nor an allocation for a source.
type node struct {
	Breaker

	// next threads the worklist of a settlement. Only the winner of this node's trip uses it.
	next *node
	// links is written by the constructor or by the first who waits, under flagBusy, then dropped by the winner.
	links []link
}

// link is the registration of a node with one source.
type link struct {
	registration
	// source is set to nil when the link is dropped, unless keep says that it is still looked at.
	source *Breaker
}

// A node with a few links is one allocation, of a size class that fits it exactly: 112, 144, 176 or 208 bytes.
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

// newNode returns a node of the kind with room for so many links, under construction: it is flagBusy, and attached ends that.
func newNode(kind uint32, links int) *node {
	var n *node
	switch links {
	case 1:
		m := new(node1)
		n, m.links = &m.node, m.array[:]
	case 2:
		m := new(node2)
		n, m.links = &m.node, m.array[:]
	case 3:
		m := new(node3)
		n, m.links = &m.node, m.array[:]
	case 4:
		m := new(node4)
		n, m.links = &m.node, m.array[:]
	default:
		n = &node{links: make([]link, links)}
	}
	n.state = wordOf(kind, flagHeld|flagBusy)
	return n
}

// listen registers the node with the source of a link that has been filled in, and reports whether the node is still
// open. If the source has tripped, so has the node.
func (n *node) listen(l *link) bool {
	l.node = n
	if l.source.register(&l.registration) {
		return n.state.Load()&phase == open
	}
	l.source.awaitDone()
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
	for i := range n.links {
		if !n.listen(&n.links[i]) {
			break
		}
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
	for i := range n.links {
		if l := &n.links[i]; l.keep {
			if cause := l.source.Cause(); cause != nil {
				n.trip(cause, l.source.expiry())
				return
			}
		}
	}
}
