package breaker

import (
	"fmt"

	"github.com/kamilsk/breaker/internal/atomic"

	// Package internal/atomic makes aliases of its types. The compiler inlines a method through an
	// alias only if it has seen the method's own package.
	_ "go.uber.org/atomic"
)

// The machine. One 32-bit word holds all of it; every transition is one compare-and-swap.
//
//	                   ┌────────────────── nothing to close, run or release ─────────────────┐
//	                   │                                                                     ▼
//	┌──────┐  claim    │   ┌─────────┐  Done closed   ┌─────────┐  sources released,   ┌────────┐
//	│ open ├───────────┴──►│ claimed ├───────────────►│ tripped ├─────────────────────►│ closed │
//	└──────┘               └─────────┘                └─────────┘  callbacks run       └────────┘
//
// The goroutine whose claim succeeds is the winner. State returns Tripped for claimed and for
// tripped:
//
//	phase    Done                Err                   who writes to it
//	open     open                nil                   nobody yet: any goroutine may claim it
//	claimed  open, then closed   nil until it closes   the winner: cause, close of Done
//	tripped  closed              not nil               the winner: dependents, sources, callbacks
//	closed   closed              not nil               nobody; the breaker holds nothing any more
//
// A trip, step by step:
//
//  1. Claim: CAS open → claimed. From here on only the winner writes (promise 1).
//  2. Store the cause, a plain field, published by step 3 (promise 4).
//  3. Close Done if its channel was handed out. In this instant the breaker is tripped for every
//     observer (promise 2 and promise 3).
//  4. Publish: → tripped. From here on Err is one load again.
//  5. Trip the dependents, release the sources, run the callbacks, → closed (settle.go;
//     promise 6, promise 10 and promise 18).
//
// A trip skips each phase in which it has nothing to do. Without a channel to close, step 1 goes on
// to tripped. If the breaker holds nothing either, step 1 goes on to closed, so New and Close cost
// one locked instruction. With a channel, step 4 is left out where step 5 is done at once.
//
// Between 1 and 4 Err looks at Done itself, without blocking. Three ways look simpler, and all
// three are wrong: Err reads the claim, Err waits for Done, or Err reads a store after the close.
// docs/design.md says why, under "Err and Done by two words".
const (
	open    uint32 = 0
	claimed uint32 = 1
	tripped uint32 = 2
	closed  uint32 = 3

	phase uint32 = 3 // mask of the above
	// Set in tripped and closed: Done is closed, the cause is set.
	settled uint32 = 2
)

// The bits of the word. A flag that only a constructor sets never changes:
//
//	bits   name           set by                           when it changes afterwards
//	0-1    phase          constructor, claim, winner       only grows
//	2      flagDone       Done                             set once, in any phase
//	3      flagHeld       constructor, first registration  set once, while open
//	4      flagPoll       constructor                      channel, view: cleared by the attacher
//	5      flagLazy       constructor                      cleared to attach; set again by a panic
//	6      flagAttaching  constructor, attacher            cleared when the sources are attached
//	7      flagHandedOver winner                           set once, while flagAttaching
//	8      flagAwaited    AwaitClosed                      set once, in any phase
//	9      flagWeighing   Trip, or the end of a context    set once, in any phase
//	10     flagExpired    constructor, claim               never after the claim
//	11     flagOwnErr     constructor, claim               never after the claim
//	12     flagAsk        constructor                      never
//	13     flagLookUp     constructor                      never
//	14     flagPollOnly   constructor                      never
//	15     flagWatch      constructor                      never
//	16     flagRelay      the first derived context        set once, while open
//	17     flagBubble     constructor                      never
//	18     flagLive       constructor, first use           set once, while open
//	24-31  the kind       constructor                      never
//
// The attacher is the constructor, or the first goroutine that waits. The first use is that of a
// zero value, which has no constructor.
const (
	// flagDone: the channel in done has been handed out. While it is unset nobody can wait for the
	// breaker, and a trip has nothing to close. If Done sets it in the claimed phase, the winner
	// closes the channel.
	flagDone uint32 = 1 << (iota + 2)
	// flagHeld: there may be callbacks or dependents to go through, or sources to release. Without
	// it, open → closed is one step.
	flagHeld
	// flagPoll: Err, Cause and State ask the source. Over a foreign context the flag stays: package
	// context reports the end on a goroutine of its own, a little later (promise 19).
	flagPoll
	// flagLazy: the source isn't attached yet. The first goroutine that waits attaches it.
	flagLazy
	// flagAttaching: sources are being attached.
	flagAttaching
	// flagHandedOver: the winner came to release while flagAttaching was set, and left that to the
	// attacher. These two bits are their handshake: the one that comes second releases.
	flagHandedOver
	// flagAwaited: AwaitClosed waits for the phase closed.
	flagAwaited
	// flagWeighing: Is or Unwrap of a cause is being called, to know whether it is a deadline's.
	flagWeighing

	// flagExpired: the cause is a deadline's, so the Err of a view is context.DeadlineExceeded.
	flagExpired
	// flagOwnErr: Err isn't Interrupted but what the breaker's context says.
	flagOwnErr
	// flagAsk: before they claim, Close and Trip ask the contexts and channels that the breaker
	// owns (promise 19).
	flagAsk
	// flagLookUp: there is a timer or a context among the sources, direct or not, so there may be a
	// deadline or values to look up.
	flagLookUp
	// flagPollOnly: the source can't be attached, only asked (see signal.go), so flagPoll stays.
	flagPollOnly
	// flagWatch: all links are to watches of signals.
	flagWatch
	// flagRelay: package context may have derived contexts that the trip has to end. Set together
	// with flagHeld.
	flagRelay
	// flagBubble: made inside a testing/synctest bubble, so its timer is never pooled.
	flagBubble
	// flagLive: the recorder of live breakers is told when this one is closed.
	flagLive

	kindShift = 24 // the kind takes the highest byte
)

// The kinds of a breaker. Only String looks at them; what a kind does is in its source.
// docs/design.md says why nothing is cast by them.
const (
	kindPlain uint32 = iota
	kindTimeout
	kindDeadline
	kindContext
	kindMultiplex
	kindSignal
	kindChannel
	kindWithin
	kindIdle
)

var kindNames = [...]string{"", " by timeout", " by deadline", " by context", " by multiplex", " by signal", " by channel", " within", " by idle"}

// wordOf returns the state word of a breaker that is being made.
func wordOf(kind, flags uint32) atomic.Uint32 { return atomic.Uint32Of(kind<<kindShift | flags) }

// A State is how far a breaker has come. It only grows.
type State uint8

const (
	// Open: nothing has tripped the breaker.
	Open State = iota
	// Tripped: the breaker is being tripped. The goroutine that trips it closes Done, releases the
	// sources and runs the callbacks.
	Tripped
	// Closed: the trip is complete. The breaker holds nothing any more: no timer, registration,
	// signal handler or goroutine.
	Closed
)

// String returns "open", "tripped" or "closed".
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Tripped:
		return "tripped"
	case Closed:
		return "closed"
	default:
		panic(fmt.Sprintf("breaker: State %d does not exist", uint8(s)))
	}
}

// isOpen reports whether nothing has tripped the breaker.
func (b *Breaker) isOpen() bool { return b.state.Load()&phase == open }

// stateOf returns the State that a word stands for.
func stateOf(word uint32) State {
	switch word & phase {
	case open:
		return Open
	case claimed, tripped:
		return Tripped
	case closed:
		return Closed
	default:
		panic("breaker: a phase has two bits")
	}
}

// move clears and sets bits of the word, whatever other goroutines change in it meanwhile. It
// returns the word before.
func (b *Breaker) move(clear, set uint32) (before uint32) {
	for {
		s := b.state.Load()
		if b.state.CompareAndSwap(s, s&^clear|set) {
			return s
		}
	}
}

// claim takes the breaker from open as far as one step can, and reports whether this call did
// (promise 1). The word s is the one just loaded; the one returned is what claim leaves. It adds
// the mark.
//
// If it returns true, the caller is the winner and must finish: store the cause, publish, settle. A
// phase beyond claimed says that the cause is stored. So only a plain close, which has none, may go
// further than claimed.
func (b *Breaker) claim(s, mark uint32, plainClose bool) (word uint32, won bool) {
	for s&phase == open {
		next := claimed
		if plainClose && s&flagDone == 0 {
			next = tripped
			if s&flagHeld == 0 {
				next = closed
			}
		}
		if next |= s | mark; b.state.CompareAndSwap(s, next) {
			return next, true
		}
		s = b.state.Load()
	}
	return s, false
}

// publish makes the trip visible, once the cause is stored. On return Done is closed, or will be
// created closed (promise 3). Only the winner calls it. It takes the word that claim left, and
// returns the next one.
func (b *Breaker) publish(s uint32) (word uint32) {
	for s&settled == 0 { // after a plain close there may be nothing to close
		if s&flagDone != 0 {
			b.closeDone(s)
			return s // the phase stays claimed: settle moves it on
		}
		next := s&^phase | tripped
		if s&flagHeld == 0 {
			next = s&^phase | closed
		}
		if b.state.CompareAndSwap(s, next) {
			return next
		}
		s = b.state.Load() // Done shares its channel at this moment: it has to be closed
	}
	return s
}

// hasTripped reports whether Done is closed, or would be if you asked for it. All observers
// use this test (promise 2). If it returns true, the cause may be read. The word is the one just
// loaded.
func (b *Breaker) hasTripped(word uint32) bool {
	return word&settled != 0 ||
		word&(phase|flagDone) == claimed|flagDone && b.done.isClosed()
}

// awaitDone returns when Done is closed. Call it only after you have seen that the breaker isn't
// open: then the winner is between claim and publish, a few instructions away (promise 3).
func (b *Breaker) awaitDone() {
	if s := b.state.Load(); !b.hasTripped(s) {
		wait(b.shareDone())
	}
}
