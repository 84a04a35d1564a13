package breaker

import (
	"strconv"
	"time"

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
			source = (*Breaker)(br)
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
	n.begin(kindMultiplex, flags)
	n.listenToAll(links)
	return &n.Breaker
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
