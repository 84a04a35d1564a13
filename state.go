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
// What is called tripped outside is claimed or tripped here:
//
//	phase    Done                Err                   who writes the breaker
//	open     open                nil                   whoever wins the claim becomes the winner
//	claimed  open, then closed   nil until it closes   the winner: cause, close of Done
//	tripped  closed              not nil               the winner: dependents, sources, callbacks
//	closed   closed              not nil               nobody; nothing is held any more
//
// A trip, step by step:
//
//  1. Claim: CAS open → claimed. From here on nobody else writes (promise 1).
//  2. Store the cause, a plain field, published by step 3 (promise 4).
//  3. Close Done if its channel was handed out. This is the instant at which the breaker is tripped
//     for every observer (promises 2 and 3).
//  4. Publish: → tripped. From here on Err is one load again.
//  5. Trip what depends on it, release the sources, run the callbacks, → closed (settle.go;
//     promises 6, 10 and 18).
//
// A phase that would be empty is skipped: with no channel handed out step 1 claims and trips at
// once, and with nothing held it also closes, so that New and Close cost one locked instruction;
// with a channel and no callbacks step 4 is left out, because releasing takes less time than the
// locked instruction would save.
//
// Between 1 and 4 Err looks at Done itself, without blocking. Three ways that look simpler are
// wrong:
//
//   - claim, then close, with Err reading the claim: Err is non-nil while Done is open
//     (golang/go#75533);
//   - the same, with Err waiting for Done: every Err of a tripped breaker takes a channel's lock,
//     and with a channel shared by the process all of them take the same one (golang/go#80914);
//   - close, then store, with Err reading the store: Done is closed while Err is nil (D3).
const (
	open    uint32 = 0
	claimed uint32 = 1
	tripped uint32 = 2
	closed  uint32 = 3

	phase uint32 = 3 // mask of the above
	// The bit that tripped and closed have in common: Done is closed, the cause is set.
	settled uint32 = 2
)

// The flags that share the word with the phase. Those above the line change, each in one direction
// only; those below it are given at construction or by the claim and never change.
const (
	// flagDone: the channel in done has been handed out. While it is unset nobody can wait for the
	// breaker, and a trip has nothing to close. Set by Done in any phase; in the claimed phase it
	// makes the winner close the channel.
	flagDone uint32 = 1 << (iota + 2)
	// flagHeld: there may be registrations to sweep or sources to release. Set by the first
	// registration, or at construction. Without it, open → closed is one step.
	flagHeld
	// flagPoll: every observation asks the source. For a context of others it stays, because
	// package context tells of the end on a goroutine of its own, a little later (promise 19); for
	// a channel and a view it is cleared once the source is watched.
	flagPoll
	// flagLazy: the source isn't watched yet. Cleared by the first who waits.
	flagLazy
	// flagBusy: sources are being attached, by a constructor or by the first who waits.
	flagBusy
	// flagLeft: the winner came to release while flagBusy was set and left the release to the
	// attacher. Whichever of "attached" and "tripped" comes second releases; this bit and flagBusy
	// are their handshake.
	flagLeft
	// flagAwaited: AwaitClosed waits for the phase closed.
	flagAwaited
	// flagWeighing: methods of a cause are being called, to know whether it is a deadline's.
	flagWeighing

	// flagExpired: the cause is a deadline's, so a context view's Err is context.DeadlineExceeded.
	// Set by the claim.
	flagExpired
	// flagOwnErr: Err isn't Interrupted but what the breaker's context says. Set by the claim, or
	// from the beginning.
	flagOwnErr
	// flagAsk: Close and Trip ask the contexts and channels among what the breaker owns before they
	// claim (promise 19).
	flagAsk
	// flagTimed: Deadline has something to look at.
	flagTimed
	// flagValues: there is a context among the sources, direct or not.
	flagValues
	// flagPollOnly: the source can't be watched (see signal.go), so flagPoll stays.
	flagPollOnly
	// flagWatch: the links are to what catches signals, and nothing else.
	flagWatch
	// flagRelay: contexts of package context may have been derived that are to be ended. Set
	// together with flagHeld.
	flagRelay
	// flagBubble: made inside a testing/synctest bubble: its timer is never pooled.
	flagBubble
	// flagLive: made while someone kept a list of live breakers, who is to be told when it is
	// closed. Set by the constructor.
	flagLive
	// flagAsked: the recorder has been asked about the breaker, so it isn't asked again.
	flagAsked

	kindShift = 24 // the kind takes the highest byte
)

// The kinds of a breaker, for people: only String looks at them. What a kind does is in its source.
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

// A State is where a breaker stands in its life. It only ever grows.
type State uint8

const (
	// Open: nothing has tripped the breaker.
	Open State = iota
	// Tripped: the breaker has been tripped by someone who is closing Done, running the callbacks
	// and releasing the sources.
	Tripped
	// Closed: the breaker is tripped and holds nothing any more: no timer, registration, signal
	// handler or goroutine.
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

// stateOf maps the word to what is visible outside.
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

// move clears and sets bits of the word, whatever others do to it meanwhile, and returns the word
// before.
func (b *Breaker) move(clear, set uint32) (before uint32) {
	for {
		s := b.state.Load()
		if b.state.CompareAndSwap(s, s&^clear|set) {
			return s
		}
	}
}

// claim takes the breaker from open as far as one step can, and reports whether this call was the
// one (promise 1). It takes the word just loaded, and returns the one that it leaves; the mark is
// added to that. On success the caller is the winner and has to finish: store the cause, then
// publish, then settle. A plain close has no cause to store; only it may claim more than the
// claimed phase, because a phase beyond that promises that the cause is there.
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

// publish makes the trip visible, the cause being stored. On return Done is closed, or will be born
// closed (promise 3). Only the winner calls it, with the word that its claim has left; it returns
// the next one.
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
		s = b.state.Load() // Done hands out its channel at this moment: it has to be closed
	}
	return s
}

// hasTripped is what every observer goes by: it reports whether Done is closed, or would be if
// anyone asked for it (promise 2). The cause may be read if it returns true. The word is the state
// just loaded.
func (b *Breaker) hasTripped(word uint32) bool {
	return word&settled != 0 ||
		word&(phase|flagDone) == claimed|flagDone && b.done.isClosed()
}

// awaitDone returns when Done is closed. Whoever calls it has seen that the breaker isn't open, so
// the winner is between claim and publish, a few instructions away from it (promise 3).
func (b *Breaker) awaitDone() {
	if s := b.state.Load(); !b.hasTripped(s) {
		wait(b.handOut())
	}
}
