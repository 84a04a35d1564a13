package breaker

import (
	"strconv"
	"time"

	"github.com/kamilsk/breaker/internal/live"
)

// Multiplex returns a breaker that trips as soon as one of the given breakers trips, with its
// cause, or when it is closed itself. Its Deadline is the earliest of theirs.
//
// It owns them: once it has tripped, whatever tripped it, every one of them is closed. A breaker
// that others use, too, is to be passed as NopCloser(br): it is watched and never closed. If one
// has tripped already, the result is tripped on return; without any, it is as well.
//
// It costs one allocation for up to four breakers and two for more, another one for each that is of
// a type of yours, which is closed by its own Close, one registration with each, and no goroutine,
// and is linear in their number. The slice is neither kept nor written to. Multiplex panics if one
// of the breakers is nil.
func Multiplex(breakers ...Interface) *Breaker {
	b := join("Multiplex", breakers, true)
	if live.On() {
		b.enlist()
	}
	return b
}

// Any is Multiplex that owns nothing: it watches the given breakers, and never closes any of them.
// Close what it returns when the work is done: until then it is registered with each of them.
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

// join is Multiplex, and Any, which owns nothing. The first that trips trips the result (promise
// 9).
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
				// A type that embeds a breaker may have a Close that does more. It is called after
				// all that follows has been tripped, the breaker inside included, so that a chain
				// of them isn't closed by recursion (promise 18). begin overwrites the flagHeld of
				// this, and sets it itself.
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

// mustUnwrap is unwrap for a function with that name, which panics if there is nothing.
func mustUnwrap(br Interface, function string) *Breaker {
	b := unwrap(br)
	if b == nil {
		panic("breaker: " + function + ": the breaker is nil")
	}
	b.checkCopy()
	return b
}

// unwrapEmbedding is unwrap for a type of the user's, and says whether that owns the breaker. The
// Interface, or the pointer in it, or the one that it embeds, may be nil.
func unwrapEmbedding(br Interface) (b *Breaker, closes bool) {
	defer func() {
		if recover() != nil {
			b, closes = nil, false
		}
	}()
	return br.inside()
}

// nopCloser is a Breaker seen through another method set, so that a view costs no allocation.
type nopCloser Breaker

// NopCloser returns a view of a breaker whose Close does nothing, for handing it to someone who
// closes what he is given, as Multiplex does. It costs nothing, and holds nothing that would have
// to be closed. NopCloser panics if the breaker is nil.
func NopCloser(br Interface) Interface { return (*nopCloser)(mustUnwrap(br, "NopCloser")) }

func (*nopCloser) Close()                               {}
func (v *nopCloser) Done() <-chan struct{}              { return (*Breaker)(v).Done() }
func (v *nopCloser) Err() error                         { return (*Breaker)(v).Err() }
func (v *nopCloser) Cause() error                       { return (*Breaker)(v).Cause() }
func (v *nopCloser) Deadline() (time.Time, bool)        { return (*Breaker)(v).Deadline() }
func (v *nopCloser) OnTrip(f func()) (stop func() bool) { return (*Breaker)(v).OnTrip(f) }
func (v *nopCloser) inside() (*Breaker, bool)           { return (*Breaker)(v), false }
