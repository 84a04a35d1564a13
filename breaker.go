package breaker

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
	"github.com/kamilsk/breaker/internal/registry"
	"github.com/kamilsk/breaker/internal/stdcontext"
)

// Interface is implemented by every breaker. Multiplex, NopCloser and ToContext take it.
//
// It is sealed: only this package implements it. A type that embeds a Breaker, a *Breaker or an
// Interface satisfies it too.
type Interface interface {
	// Close trips the breaker if nothing did before, with the cause ErrClosed, and releases
	// everything it holds. When it returns, Done is closed. It is idempotent. Only that of
	// NopCloser's result does nothing.
	Close()
	// Done returns the channel that is closed when the breaker trips. It is never nil, and always
	// the same.
	Done() <-chan struct{}
	// Err returns nil as long as Done is open, and a non-nil error that matches Interrupted
	// afterwards.
	Err() error
	// Cause returns nil as long as Done is open, and then why the breaker tripped, which never
	// changes.
	Cause() error
	// Deadline returns the earliest known moment at which the breaker will trip by itself, and
	// whether there is one.
	Deadline() (time.Time, bool)
	// OnTrip registers f to be called once if the breaker trips. stop takes it back, and reports
	// whether it did.
	OnTrip(f func()) (stop func() bool)

	// inside returns the breaker that this is or embeds, and whether Close of this may close it.
	inside() (b *Breaker, closes bool)
}

// A Breaker is a one-shot stop signal with a cause. Any source can trip it, and any number of
// goroutines can wait for it.
//
// Its zero value is an open breaker that only Trip and Close trip, ready for use and for embedding.
// It must not be copied; go vet reports copies. All methods may be called concurrently, also from
// callbacks.
//
// A breaker can't be reset, because a late source would then interrupt unrelated work. Make a new
// one, or use Idle for a timeout that moves.
type Breaker struct {
	_ noCopy

	// state is the word of state.go: the machine, the flags and the kind. Any goroutine may write
	// it, by CAS.
	state atomic.Uint32
	// done is made by Done, and closed by the winner of the trip.
	done onceClose
	// cause is written by the winner before it publishes. Goroutines read it after they have seen
	// the breaker settled or Done closed. Nil stands for ErrClosed, so that a plain close has
	// nothing to write.
	cause atomic.Plain[error]
	// registry holds the callbacks, and the links of the nodes that listen.
	registry registry.Registry[node, linkTag, stdcontext.Relay]
	// source is what differs from kind to kind. Written by the constructor; nil in a zero value.
	source source
}

// New returns an open breaker that only Trip and Close trip. It costs one allocation and no
// goroutine.
func New() *Breaker {
	b := new(Breaker)
	b.source = b
	if live.On() {
		b.enlist()
	}
	return b
}

// Close trips the breaker if nothing did before, with the cause ErrClosed, and releases everything
// it holds.
//
// When it returns, Done is closed. If this call tripped the breaker, the callbacks have run, too,
// and nothing is left of it: no timer, registration, signal handler or goroutine. There is one
// exception: if another goroutine is just beginning to wait for a breaker over a channel or a
// context, that goroutine releases the source. Close is idempotent.
func (b *Breaker) Close() { b.end() }

func (b *Breaker) end() {
	b.checkCopy()
	s := b.state.Load()
	if s&(phase|flagAsk) == flagAsk {
		s = b.ask()
	}
	b.trip(s, nil, 0)
}

// Trip trips the breaker with the given cause. It returns true iff this call tripped the breaker.
//
// Cause then returns the very error given, or Interrupted if it is nil. When Trip returns, Done is
// closed. If it returns true, the callbacks have run on your goroutine and everything is released.
func (b *Breaker) Trip(cause error) bool {
	b.checkCopy()
	s := b.state.Load()
	if s&(phase|flagAsk) == flagAsk {
		s = b.ask()
	}
	if cause == nil {
		cause = Interrupted
	}
	won := false
	b.withExpiry(cause, func(mark uint32) { won = b.trip(s, cause, mark) })
	return won
}

// Done returns the channel that is closed when the breaker trips. It is never nil, and always the
// same.
//
// The first call makes the channel. For a breaker over a channel or a context it also asks the
// source and starts to wait for it, which may take a lock. Every other call is one or two atomic
// loads.
func (b *Breaker) Done() <-chan struct{} {
	s := b.state.Load()
	if s&(flagDone|flagLazy) == flagDone && b.isOriginal() {
		return b.done.get()
	}
	b.checkCopy()
	b.ensureAttached(s)
	return b.shareDone()
}

// err is Err for all but a breaker that is simply open. It is apart so that Err is inlined.
func (b *Breaker) err() error {
	b.checkCopy()
	s := b.state.Load()
	if s&(settled|flagOwnErr) == settled {
		return Interrupted
	}
	s, ok := b.observe(s)
	switch {
	case !ok:
		return nil
	case s&flagOwnErr != 0:
		return b.source.ownErr()
	default:
		return Interrupted
	}
}

// observe reports whether the breaker has tripped. It asks the source first if flagPoll is set. It
// takes the word just loaded and returns the one it decided on.
func (b *Breaker) observe(s uint32) (uint32, bool) {
	// Promise 19: also if another goroutine is about to close Done.
	if s&flagPoll != 0 && s&settled == 0 {
		b.source.poll()
		s = b.state.Load()
	}
	return s, b.hasTripped(s)
}

// Cause returns nil as long as Done is open. Afterwards it returns why the breaker tripped, which
// never changes:
//
//   - the error given to Trip, or Interrupted if that was nil;
//   - context.Cause of the context that ended;
//   - an error that matches context.DeadlineExceeded, after a timeout or a deadline;
//   - a SignalError, after a signal;
//   - ErrClosed, after a plain Close;
//   - an error that says so, after a channel's close or value, or if there was nothing to wait for.
//
// A Multiplex has the cause of the breaker that tripped it. The errors made by this package match
// Interrupted, and also match what ToContext(b).Err() returns.
func (b *Breaker) Cause() error {
	b.checkCopy()
	if _, ok := b.observe(b.state.Load()); !ok {
		return nil
	}
	return b.reason()
}

// Wait blocks until the breaker trips, and returns its Cause. It is Done and Cause in one.
func (b *Breaker) Wait() error {
	<-b.Done()
	return b.reason()
}

// reason is Cause of a breaker that has tripped.
func (b *Breaker) reason() error {
	if cause := b.cause.Get(); cause != nil {
		return cause
	}
	return ErrClosed
}

// State returns Open, Tripped or Closed. In the state Tripped, Done may still be about to close. To
// know whether to stop work, ask Err.
func (b *Breaker) State() State {
	b.checkCopy()
	s, _ := b.observe(b.state.Load())
	return stateOf(s)
}

// Deadline returns the earliest known moment at which the breaker will trip by itself, and whether
// there is one. It stays what it was when the breaker trips. A timeout's moment is kept on the
// monotonic clock: two results compare by Equal, and one may differ from another in the wall
// clock's reading if that was set meanwhile.
func (b *Breaker) Deadline() (time.Time, bool) {
	b.checkCopy()
	if b.state.Load()&flagLookUp == 0 {
		return time.Time{}, false
	}
	return b.earliest()
}

// OnTrip registers f to be called once if the breaker trips, and returns a function that takes it
// back.
//
// f runs with Done already closed, on the goroutine that trips the breaker, so it must not block.
// It may do anything else: register, stop, trip, close. If f panics, the other callbacks still run,
// the sources are released, and the panic goes on up that goroutine. On a breaker that has tripped,
// f runs before OnTrip returns.
//
// If stop returns true, it has prevented the call, and f never runs. Otherwise it returns false, as
// it does from the second call on. stop never waits for f, so you may call it from anywhere, also
// from f, and concurrently.
//
// Registering and stopping are lock-free and do the same work however many others are registered:
// one allocation, and one more if stop outlives the caller's frame. Among 1,000,000 others they
// take about twice as long (see BENCHMARKS.md). OnTrip panics if f is nil.
func (b *Breaker) OnTrip(f func()) (stop func() bool) {
	// Inlined into the caller, so that stop needs no allocation. A method value is cheap enough to
	// be inlined, a function literal isn't.
	return b.onTrip(f).stop
}

func (b *Breaker) onTrip(f func()) handle {
	if f == nil {
		panic("breaker: OnTrip: the callback is nil")
	}
	b.checkCopy()
	r := registry.NewCallback[node, linkTag](f)
	if !b.register(r) {
		r.Drop()
		b.awaitDone() // promise 6: with Done already closed
		f()
	}
	return handle{b, r}
}

// registration is an entry of a breaker's registry: a callback, or a link by which a node listens
// to one of its sources.
type registration = registry.Entry[node, linkTag]

// handle is a callback and the breaker it is registered with.
type handle struct {
	b *Breaker
	r *registration
}

// stop is what OnTrip and the context view return (promise 7).
func (h handle) stop() bool { return h.b.registry.Take(h.r) }

// register enters r, and reports whether it did. If it returns true, the trip sweeps r, unless it
// is taken out before (promise 6 and promise 7). If it returns false, the breaker isn't open any
// more, and Done is closed or about to be: the caller awaits it before it acts (the claimed
// window).
//
// register attaches a source that isn't attached yet.
func (b *Breaker) register(r *registration) bool {
	s := b.state.Load()
	if s&flagPoll != 0 {
		b.ensureAttached(s)
		s = b.state.Load()
	}
	for s&(phase|flagHeld) == open { // the first registration of a breaker that has no source
		if b.state.CompareAndSwap(s, s|flagHeld) {
			if live.On() {
				b.enlistUsed(s)
			}
			break
		}
		s = b.state.Load()
	}
	if s&phase != open {
		return false
	}
	at := b.registry.Put(r)
	if b.state.Load()&phase == open {
		return true // a trip from here on sees the slot
	}
	// Dekker: the sweep may have seen the slot, or not. If r is still there, we take it back. A
	// directory made for r after the breaker had forgotten its own goes, too.
	back := registry.TakeBack(at, r)
	if b.state.Load()&phase == closed {
		b.registry.Forget()
	}
	return !back
}

// trip is the way by which every source and every owner trips the breaker. It takes the word just
// loaded.
func (b *Breaker) trip(s uint32, cause error, mark uint32) bool {
	s, won := b.claim(s, mark, cause == nil)
	if !won {
		b.awaitDone() // promise 3
		return false
	}
	b.finish(s, cause)
	return true
}

// finish is what the winner does after its claim. The word is the one that claim left.
func (b *Breaker) finish(s uint32, cause error) {
	if cause != nil {
		b.cause.Set(cause)
	}
	b.settle(b.publish(s))
}

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// AwaitClosed blocks until the state is Closed: the breaker has tripped, its callbacks have
// returned, and its sources are released. When stop has returned false, use it to wait until the
// callback has returned:
//
//	if !stop() {
//		br.AwaitClosed()
//	}
//
// You may call it concurrently. But called from a callback of the breaker itself, or of what trips
// it, it never returns. Once the breaker is closed it is one load; before, it costs a channel.
func (b *Breaker) AwaitClosed() {
	b.checkCopy()
	if b.state.Load()&phase == closed {
		return
	}
	wait(b.Done())
	if b.state.Load()&phase == closed {
		return
	}
	c := make(chan struct{})
	awaiting.add(b, c)
	if b.move(0, flagAwaited)&phase == closed {
		b.wakeAwaiting() // nobody else does
	}
	wait(c)
}

// wakeAwaiting wakes the goroutines in AwaitClosed of b.
func (b *Breaker) wakeAwaiting() {
	for _, c := range awaiting.take(b) {
		atomic.Close(c)
	}
}

// awaiting has a channel for each goroutine in AwaitClosed. There are few of them: a word in each
// breaker would cost more.
var awaiting waiters

type waiters struct {
	mu atomic.Mutex
	of map[*Breaker][]chan struct{}
}

func (w *waiters) add(b *Breaker, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[*Breaker][]chan struct{})
	}
	w.of[b] = append(w.of[b], c)
}

func (w *waiters) take(b *Breaker) []chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.of[b]
	delete(w.of, b)
	return all
}

// String returns what there is to know about the breaker, for people: its source, its state, and,
// if it has them, its deadline and its cause.
//
//	breaker by timeout: open, deadline 2026-11-22T18:09:00Z
//	breaker by signal: closed, cause: signal received: interrupt
//
// It trips nothing and asks no source: an end that hasn't been noticed yet isn't in it. It
// allocates.
func (b *Breaker) String() string {
	b.checkCopy()
	s := b.state.Load()
	var text strings.Builder
	text.WriteString("breaker")
	text.WriteString(kindNames[s>>kindShift])
	text.WriteString(": ")
	text.WriteString(stateOf(s).String())
	if at, ok := b.Deadline(); ok {
		text.WriteString(", deadline ")
		text.WriteString(at.Format(time.RFC3339Nano))
	}
	if b.hasTripped(s) {
		text.WriteString(", cause: ")
		text.WriteString(textOf(b.reason()))
	}
	return text.String()
}

// textOf returns what the error says, also if its Error panics (promise 21).
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "an error whose Error panics"
		}
	}()
	return err.Error()
}

// What follows has fmt, log/slog and encoding/json print what String says. By themselves they go
// through the fields, which others may be writing at the time (promise 27).

// Format prints String, whatever the verb.
func (b *Breaker) Format(f fmt.State, verb rune) { format(f, verb, b.String()) }

// MarshalText returns String.
func (b *Breaker) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (v *nopCloser) String() string                  { return (*Breaker)(v).String() }
func (v *nopCloser) Format(f fmt.State, verb rune)   { format(f, verb, v.String()) }
func (v *nopCloser) MarshalText() ([]byte, error)    { return []byte(v.String()), nil }
func (v *contextView) Format(f fmt.State, verb rune) { format(f, verb, v.String()) }
func (v *contextView) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }

func format(f fmt.State, verb rune, text string) { fmt.Fprintf(f, fmt.FormatString(f, verb), text) }

// Package breakerprof keeps a list of live breakers, and is told about them here. While it isn't in
// use, that costs a constructor one load of a word that nobody writes.

// enlist tells the recorder of a new breaker. Only a constructor calls it, directly, so that the
// frame above is the constructor's.
func (b *Breaker) enlist() {
	r := live.Get()
	if b.state.Load()&phase != open || !r.Made(b) {
		return
	}
	for {
		s := b.state.Load()
		if s&phase != open {
			r.Closed(b) // whoever tripped it didn't know that somebody wants to
			return
		}
		// flagHeld makes a trip go all the way to the end of a settlement, which calls delist.
		if b.state.CompareAndSwap(s, s|flagLive|flagHeld) {
			return
		}
	}
}

// enlistUsed tells the recorder of a zero value that a goroutine begins to wait for: it has no
// constructor. The word is from before the first registration set flagHeld, or Done flagDone. Only
// one of the two finds the other unset, so the recorder is asked once.
func (b *Breaker) enlistUsed(before uint32) {
	if b.source == nil && before&(flagHeld|flagDone) == 0 {
		b.enlist()
	}
}

// delist tells the recorder that a breaker with flagLive is closed.
func (b *Breaker) delist() { live.Get().Closed(b) }
