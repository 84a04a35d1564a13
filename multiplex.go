package breaker

import (
	"strconv"

	"github.com/kamilsk/breaker/internal/live"
)

// Multiplex returns a breaker that trips as soon as one of the given breakers trips, with its cause, or when it is
// closed itself. Its Deadline is the earliest of theirs.
//
// It owns them: once it has tripped, whatever tripped it, every one of them is closed. A breaker that others use, too,
// is to be passed as NopCloser(br): it is watched and never closed. If one has tripped already, the
// result is tripped on return; without any, it is as well.
//
// It costs one allocation for up to four breakers and two for more, another one for each that is of a type of yours, which is closed
// by its own Close, one registration with each, and no goroutine,
// and is linear in their number. The slice is neither kept nor written to. Multiplex panics if one of the
// breakers is nil.
func Multiplex(breakers ...Interface) *Breaker {
	if len(breakers) == 0 {
		return newTripped(errNothing)
	}
	n := newNode(len(breakers))
	l, flags := n.first, uint32(0)
	// Everything is checked before the node is registered with anything (promise 15).
	for i, br := range breakers {
		switch br := br.(type) {
		case *Breaker:
			l.source, l.owned = br, true
		case *nopCloser:
			l.source = (*Breaker)(br)
		default:
			if l.source = unwrap(br); l.source != nil {
				// A type that embeds a breaker may have a Close that does more. begin overwrites the flagHeld of this, and sets it itself.
				n.onTrip(br.Close)
			}
		}
		if l.source == nil {
			panic("breaker: Multiplex: breaker " + strconv.Itoa(i) + " is nil")
		}
		has := l.source.state.Load() & (flagTimed | flagValues | flagPollOnly)
		l.keep = has != 0
		flags |= has
		l = l.next()
	}
	n.begin(kindNode, inherited(flags))
	n.listenToAll()
	if live.On() {
		n.enlist()
	}
	return &n.Breaker
}

// unwrap returns the breaker behind an Interface, or nil if there is none.
func unwrap(br Interface) *Breaker {
	switch br := br.(type) {
	case nil:
		return nil
	case *Breaker:
		return br
	case *nopCloser:
		return (*Breaker)(br)
	default:
		return unwrapEmbedding(br)
	}
}

// mustUnwrap is unwrap for a function with that name, which panics if there is nothing.
func mustUnwrap(br Interface, function string) *Breaker {
	b := unwrap(br)
	if b == nil {
		panic("breaker: " + function + ": the breaker is nil")
	}
	return b
}

// unwrapEmbedding is unwrap for a type of the user's. Its pointer, or the one that it embeds, may be nil.
func unwrapEmbedding(br Interface) (b *Breaker) {
	defer func() {
		if recover() != nil {
			b = nil
		}
	}()
	return br.breaker()
}

// nopCloser is a Breaker seen through another method set, so that a view costs no allocation.
type nopCloser Breaker

// NopCloser returns a view of a breaker whose Close does nothing, for handing it to someone who closes what he is
// given, as Multiplex does. It costs nothing, and holds nothing that would have to be closed. NopCloser
// panics if the breaker is nil.
func NopCloser(br Interface) Interface { return (*nopCloser)(mustUnwrap(br, "NopCloser")) }

func (*nopCloser) Close()                  {}
func (v *nopCloser) Done() <-chan struct{} { return (*Breaker)(v).Done() }
func (v *nopCloser) Err() error            { return (*Breaker)(v).Err() }
func (v *nopCloser) breaker() *Breaker     { return (*Breaker)(v) }
