package breaker

import "github.com/kamilsk/breaker/internal/atomic"

// node is a breaker that listens to other breakers: a Multiplex, an Any, a Within, and breakers
// over signals, a channel or a view. A link in the node registers it with each source, so a source
// costs neither a goroutine nor an allocation.
type node struct {
	Breaker

	// next threads the lists of a settlement. Only the winner of this node's trip uses it.
	next *node
}

// link is the registration of a node with one source. The constructor writes its role before the
// node is shared. The attacher writes the rest, under flagBusy; after that the winner of the node's
// trip does.
type link struct {
	registration
	// source becomes nil when the link is dropped, unless keep says that it is still needed.
	source *Breaker
}

// A node with up to four links is one allocation. Each size is a type that has its links in an
// array.
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
	nodeN struct {
		node
		slice []link
	}
)

func (n *node1) links() []link { return n.array[:] }
func (n *node2) links() []link { return n.array[:] }
func (n *node3) links() []link { return n.array[:] }
func (n *node4) links() []link { return n.array[:] }
func (n *nodeN) links() []link { return n.slice }

// newNode returns a node with room for so many links. The caller still gives it a state word.
func newNode(links int) (*node, []link) {
	switch links {
	case 1:
		n := new(node1)
		return n.over(n, n.array[:]), n.array[:]
	case 2:
		n := new(node2)
		return n.over(n, n.array[:]), n.array[:]
	case 3:
		n := new(node3)
		return n.over(n, n.array[:]), n.array[:]
	case 4:
		n := new(node4)
		return n.over(n, n.array[:]), n.array[:]
	default:
		n := &nodeN{slice: make([]link, links)}
		return n.over(n, n.slice), n.slice
	}
}

// over gives the node its source and its links.
func (n *node) over(s source, links []link) *node {
	n.source = s
	for i := range links {
		links[i].node = n
	}
	return n
}

// begin gives the node its state word, before it is registered with anything. The node stays
// flagBusy until attached, even with one link: a goroutine that trips it through the link may not
// release it while register still looks at that.
func (n *node) begin(kind, flags uint32) {
	n.state = wordOf(kind, flags|flagHeld|flagBusy)
}

// listen registers the node with the source of a link, and reports whether the node is still open.
// If the source has tripped, so has the node.
func (n *node) listen(l *link) bool {
	atomic.Reads(&l.source)
	source := l.source
	if source.register(&l.registration) {
		return n.state.Load()&phase == open
	}
	source.awaitDone()
	n.follow(source)
	return false
}

// follow trips the node because the source has.
func (n *node) follow(source *Breaker) {
	atomic.Reads(&source.cause)
	cause, mark := source.cause, source.state.Load()&flagExpired
	if s, won := n.claim(n.state.Load(), mark, cause == nil); won {
		n.finish(s, cause)
	}
}

// listenToAll registers the node with the sources of all its links, and ends the construction. A
// callback may panic on the way, the node's own or one of a source that trips now. Then the
// construction still ends (promise 8), and as nobody gets the node, it is closed and leaves nothing
// behind.
func (n *node) listenToAll(links []link) {
	returned := false
	defer func() {
		if !returned {
			n.attached(0, 0)
			n.Close()
		}
	}()
	for i := range links {
		if !n.listen(&links[i]) {
			break
		}
	}
	returned = true
	n.attached(0, 0)
}

// listensTo fills in a link. It returns the node's flags with those that follow from the source,
// such as that of its deadline (promise 14).
func (l *link) listensTo(source *Breaker, own bool, flags uint32) uint32 {
	l.source = source
	has := source.state.Load() & (flagTimed | flagValues | flagPollOnly | flagAsk)
	if own {
		l.role = owned
	} else {
		has &^= flagAsk
	}
	if has != 0 {
		l.role |= keep
	}
	if has&flagPollOnly != 0 {
		has |= flagPoll // if a source can only be asked, so must the node be
	}
	return flags | has
}

// pollLinks asks the sources of a node that can only be asked, and trips the node if one has
// tripped.
func (n *node) pollLinks(links []link) {
	for i := range links {
		if l := &links[i]; l.is(keep) {
			atomic.Reads(&l.source)
			if l.source.Cause() != nil {
				n.follow(l.source)
				return
			}
		}
	}
}

// poll is for nodes that reach all their sources by links.
func (n *node) poll() {
	if n.state.Load()&(phase|flagPoll) == flagPoll {
		n.pollLinks(n.source.links())
	}
}
