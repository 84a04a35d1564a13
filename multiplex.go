package breaker

import (
	"strconv"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// Multiplex returns a breaker that trips as soon as one of the given breakers trips, with its
// cause, or when you trip or close it. Its Deadline is the earliest of theirs.
//
// It owns them: once it has tripped, whatever tripped it, it closes every one of them. Wrap in
// NopCloser whatever must outlive it: Multiplex watches that, and never closes it. If one of them
// has tripped already, the result is tripped on return. With no arguments it is already tripped.
//
// It costs one allocation for up to four breakers and two for more, one registration with each, and
// no goroutine, and takes time linear in their number. A breaker that is a type of yours costs
// another allocation, and is closed by its own Close. The slice is neither kept nor written to.
// Multiplex panics if one of the breakers is nil.
func Multiplex(breakers ...Interface) *Breaker {
	b := join("Multiplex", breakers, true)
	if live.On() {
		b.enlist()
	}
	return b
}

// Any is a Multiplex that owns nothing: it watches the given breakers, and never closes any of
// them. Close what it returns when the work is done: until then it is registered with each of them.
//
// It costs one allocation for up to four breakers and two for more, one registration with each, and
// no goroutine. Any panics if one of the breakers is nil.
func Any(breakers ...Interface) *Breaker {
	b := join("Any", breakers, false)
	if live.On() {
		b.enlist()
	}
	return b
}

// join is Multiplex, or Any if own is false. The first breaker that trips trips the result
// (promise 9).
func join(function string, breakers []Interface, own bool) *Breaker {
	if len(breakers) == 0 {
		return newTripped(errNothing)
	}
	n, links := newNode(len(breakers))
	flags := uint32(0)
	// Everything is checked before the node is registered with anything (promise 15).
	for i, br := range breakers {
		var source *Breaker
		owned := false
		switch br := br.(type) {
		case *Breaker:
			source, owned = br, own
		case *nopCloser:
			source = (*Breaker)(br) // only watched (promise 9)
		default:
			source, owned = unwrapEmbedding(br)
			owned = owned && own
			if source != nil && own {
				// A type that embeds a breaker may have a Close that does more. It is called when
				// all that follows has been tripped, the breaker inside included, so a chain of
				// such types isn't closed by recursion (promise 18). onTrip sets flagHeld; begin
				// overwrites it, and sets it itself.
				n.onTrip(br.Close)
			}
		}
		if source == nil {
			panic("breaker: " + function + ": breaker " + strconv.Itoa(i) + " is nil")
		}
		source.checkCopy()
		flags = links[i].listensTo(source, owned, flags)
	}
	n.beginAttaching(kindMultiplex, flags)
	n.listenToAll(links)
	return &n.Breaker
}

// node is a breaker that listens to other breakers: a Multiplex, an Any, a Within, and breakers
// over signals, a channel or a view. A link in the node registers it with each source, so a source
// costs neither a goroutine nor an allocation.
type node struct {
	Breaker

	// next threads the lists of a settlement. Only the winner of this node's trip uses it.
	next atomic.Plain[*node]
}

// link is the registration of a node with one source. The constructor writes its role before the
// node is shared. The attacher writes the rest, under flagAttaching; after that the winner of the
// node's trip does.
type link struct {
	registration
	// source becomes nil when the link is dropped, unless keep says that it is still needed.
	source atomic.Plain[*Breaker]
}

// linkTag is what a link notes in its registration, where it takes no room.
type linkTag struct {
	// role says what the source is to the node.
	role role
	// The next two are written by the winner of the node's trip.
	dropped atomic.Plain[bool] // it is out of the source's registry
	pending atomic.Plain[bool] // the winner has closed the source, whose callbacks haven't run yet
}

type role uint8

const (
	owned role = 1 << iota // the source is closed with the node
	// The source is still needed after the trip, for its deadline or its values, or must be asked.
	keep
	blind // values aren't looked up there
)

func (l *link) is(role role) bool { return l.Tag.role&role != 0 }

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
		return n.setSource(n, n.array[:]), n.array[:]
	case 2:
		n := new(node2)
		return n.setSource(n, n.array[:]), n.array[:]
	case 3:
		n := new(node3)
		return n.setSource(n, n.array[:]), n.array[:]
	case 4:
		n := new(node4)
		return n.setSource(n, n.array[:]), n.array[:]
	default:
		n := &nodeN{slice: make([]link, links)}
		return n.setSource(n, n.slice), n.slice
	}
}

// setSource gives the node its source and its links.
func (n *node) setSource(s source, links []link) *node {
	n.source = s
	for i := range links {
		links[i].Node = n
	}
	return n
}

// beginAttaching gives the node its state word, before it is registered with anything. The flag
// stays set until endAttaching, even with one link: a goroutine that trips the node through the
// link may not release it while register still looks at that.
func (n *node) beginAttaching(kind, flags uint32) {
	n.state = wordOf(kind, flags|flagHeld|flagAttaching)
}

// listen registers the node with the source of a link, and reports whether the node is still open.
// If the source has tripped, so has the node.
func (n *node) listen(l *link) bool {
	source := l.source.Get()
	if source.register(&l.registration) {
		return n.state.Load()&phase == open
	}
	source.awaitDone()
	n.follow(source)
	return false
}

// follow trips the node because the source has, with its cause (promise 9).
func (n *node) follow(source *Breaker) {
	cause, mark := source.cause.Get(), source.state.Load()&flagExpired
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
			n.endAttaching(0, 0)
			n.Close()
		}
	}()
	for i := range links {
		if !n.listen(&links[i]) {
			break
		}
	}
	returned = true
	n.endAttaching(0, 0)
}

// listensTo fills in a link. It returns the node's flags with those that follow from the source,
// such as that of its deadline (promise 14).
func (l *link) listensTo(source *Breaker, own bool, flags uint32) uint32 {
	l.source.Set(source)
	has := source.state.Load() & (flagLookUp | flagPollOnly | flagAsk)
	if own {
		l.Tag.role = owned
	} else {
		has &^= flagAsk
	}
	if has != 0 {
		l.Tag.role |= keep
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
			if source := l.source.Get(); source.Cause() != nil {
				n.follow(source)
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

// unwrap returns the breaker behind an Interface, or nil if there is none.
func unwrap(br Interface) *Breaker {
	switch br := br.(type) {
	case *Breaker:
		return br
	case *nopCloser:
		return (*Breaker)(br)
	default:
		b, _ := unwrapEmbedding(br)
		return b
	}
}

// mustUnwrap is unwrap, but panics in the name of the function if there is no breaker.
func mustUnwrap(br Interface, function string) *Breaker {
	b := unwrap(br)
	if b == nil {
		panic("breaker: " + function + ": the breaker is nil")
	}
	b.checkCopy()
	return b
}

// unwrapEmbedding is unwrap for a type of yours, and reports whether that owns the breaker. The
// Interface may be nil, and so may the pointer in it, or the one that it embeds.
func unwrapEmbedding(br Interface) (b *Breaker, closes bool) {
	defer func() {
		if recover() != nil {
			b, closes = nil, false
		}
	}()
	return br.inside()
}

// nopCloser is a Breaker with another method set, so that NopCloser doesn't allocate.
type nopCloser Breaker

// NopCloser returns the breaker with a Close that does nothing. Pass it to functions that close
// what they receive, as Multiplex does. It costs nothing, and holds nothing that you would have to
// close. NopCloser panics if the breaker is nil.
func NopCloser(br Interface) Interface { return (*nopCloser)(mustUnwrap(br, "NopCloser")) }

func (*nopCloser) Close()                               {}
func (v *nopCloser) Done() <-chan struct{}              { return (*Breaker)(v).Done() }
func (v *nopCloser) Err() error                         { return (*Breaker)(v).Err() }
func (v *nopCloser) Cause() error                       { return (*Breaker)(v).Cause() }
func (v *nopCloser) Deadline() (time.Time, bool)        { return (*Breaker)(v).Deadline() }
func (v *nopCloser) OnTrip(f func()) (stop func() bool) { return (*Breaker)(v).OnTrip(f) }
func (v *nopCloser) inside() (*Breaker, bool)           { return (*Breaker)(v), false }
