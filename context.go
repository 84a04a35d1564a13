package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// BreakByContext returns a breaker that trips when ctx is done, with context.Cause(ctx) as its cause. When it trips, for
// whatever reason, it calls cancel, if that isn't nil, on the goroutine that trips it, which may be one that asks Err; so cancel must
// not block. A context that is done already gives a tripped breaker.
//
// It costs one allocation. While nobody waits for it, Err asks ctx and nothing is registered; the
// first Done, OnTrip or Multiplex registers with ctx, by context.AfterFunc, which needs a goroutine only if ctx isn't of
// package context, and not derived from one that is, nor from ToContext. Then the trip follows the end of ctx, on a
// goroutine that package context starts for it. BreakByContext panics if ctx is nil.
func BreakByContext(ctx context.Context, cancel context.CancelFunc) *Breaker {
	if ctx == nil {
		panic("breaker: BreakByContext: ctx is nil")
	}
	b := newContext(ctx, cancel)
	if live.On() {
		b.enlist()
	}
	return b
}

// newContext returns the breaker of BreakByContext.
func newContext(ctx context.Context, cancel context.CancelFunc) *Breaker {
	flags := flagHeld | flagTimed | flagValues
	if cancel != nil {
		flags |= flagOwnErr // a plain close cancels ctx, and Err has to match that
	}
	if view, ok := ctx.(*contextView); ok {
		b := &viewBreaker{cancel: cancel}
		b.over(b.array[:])
		l := &b.array[0]
		l.source, l.keep = (*Breaker)(view), true
		flags |= flagOwnErr | flagPoll
		if l.source.state.Load()&flagPollOnly == 0 {
			b.state = wordOf(kindView, flags)
			b.poll()
		} else {
			b.state = wordOf(kindView, flags|flagPollOnly|flagBusy)
			b.listen(l)
			b.attached()
		}
		return &b.Breaker
	}
	b := &contextBreaker{ctx: ctx, cancel: cancel}
	if ctx.Done() == nil {
		b.state = wordOf(kindContext, flags) // it never ends
		return &b.Breaker
	}
	b.state = wordOf(kindContext, flags|flagPoll)
	b.poll()
	return &b.Breaker
}

// contextBreaker listens to a context of others.
type contextBreaker struct {
	Breaker

	// ctx never changes: values and the deadline are looked up in it, also after the trip.
	ctx context.Context
	// cancel is the winner's.
	cancel context.CancelFunc
	// stop takes back the registration with ctx. Written under flagBusy, then the winner's.
	stop func() bool
	// own is Err if ctx has tripped the breaker. Written by the winner before it publishes.
	own *contextError
}

// viewBreaker listens to a context out of ToContext: to the breaker behind it, as a Multiplex would.
type viewBreaker struct {
	node
	// cancel is the winner's.
	cancel context.CancelFunc
	array  [1]link
}

// ownErr is Err of a breaker with flagOwnErr, the word being s: what its context said at the trip.
func (b *Breaker) ownErr(s uint32) error {
	if b.kind() == kindContext {
		atomic.Reads(&contextOf(b).own)
		if own := contextOf(b).own; own != nil {
			return own
		}
	}
	if s&flagOwnExpired != 0 {
		return errContextExpired
	}
	return errContextCanceled
}

// expiry returns the mark for what a breaker that has tripped trips.
func (b *Breaker) expiry() uint32 {
	if b.state.Load()&flagExpired != 0 {
		return flagExpired | flagOwnExpired
	}
	return 0
}

// ownMark returns the mark for a trip that doesn't come from the context: that may have ended before, unnoticed (promise 5).
func (b *Breaker) ownMark() uint32 {
	if b.kind() != kindView {
		return 0
	}
	atomic.Reads(&viewOf(b).first.source)
	source := viewOf(b).first.source
	if !source.hasTripped(source.state.Load()) {
		return 0
	}
	return source.expiry() & flagOwnExpired
}

// poll trips the breaker if ctx is done.
func (b *contextBreaker) poll() {
	if b.claimDone() {
		b.settle()
	}
}

// claimDone claims and publishes the trip if ctx is done, and reports whether this call did.
func (b *contextBreaker) claimDone() bool {
	err := b.ctx.Err()
	if err == nil {
		return false
	}
	cause := context.Cause(b.ctx)
	mark := flagOwnErr | expiredMark(cause)
	if errors.Is(err, context.DeadlineExceeded) {
		mark |= flagExpired // the context's own cause may hide that
	}
	if !b.claim(mark, false) {
		return false
	}
	atomic.Writes(&b.own)
	b.own = contextErrorOf(err)
	atomic.Writes(&b.cause)
	b.cause = cause
	b.publish()
	return true
}

// attach registers with ctx.
func (b *contextBreaker) attach() {
	stop := context.AfterFunc(b.ctx, b.poll)
	atomic.Writes(&b.stop)
	b.stop = stop
}

// release takes the registration back and returns the cancel function, which is the user's.
func (b *contextBreaker) release() func() {
	atomic.Writes(&b.stop)
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
	return takeOut(&b.cancel)
}

// takeOut returns the function and forgets it, so that it can be collected.
func takeOut(f *context.CancelFunc) func() {
	atomic.Writes(f)
	cancel := *f
	*f = nil
	return cancel
}

// contextView is a Breaker seen through another method set, so that a view costs no allocation.
type contextView Breaker

// ToContext returns a context that is done at the same instant as the breaker.
//
//   - Its Err is context.DeadlineExceeded if the breaker's cause matches that, else context.Canceled.
//   - context.Cause of it, and of contexts derived from it, is the breaker's Cause.
//   - Its Deadline is the breaker's.
//   - Its Value looks into the contexts among the breaker's sources.
//
// It costs nothing. Neither it nor deriving from it, with values in between or without, starts a goroutine. ToContext
// panics if the breaker is nil.
func ToContext(br Interface) context.Context { return (*contextView)(mustUnwrap(br, "ToContext")) }

func (v *contextView) Deadline() (time.Time, bool) { return (*Breaker)(v).Deadline() }

func (v *contextView) Done() <-chan struct{} { return (*Breaker)(v).Done() }

func (v *contextView) Err() error {
	b := (*Breaker)(v)
	s, ok := b.observe(b.state.Load())
	if !ok {
		return nil
	}
	return contextErrOf(s)
}

// contextErrOf returns the error that a context has, the word being that of a breaker that isn't open.
func contextErrOf(word uint32) error {
	if word&flagExpired != 0 {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

func (v *contextView) Value(key any) any {
	b := (*Breaker)(v)
	if key != causeKey {
		return b.value(key)
	}
	// Package context looks for a context of its own: to ask its cause, if the breaker has tripped, or to
	// derive from it. Those among the sources are never meant, because their Done is another one.
	if cause := b.Cause(); cause != nil {
		return causeContext(cause)
	}
	if r := b.relayTo(); r != nil {
		return r.ctx.Value(causeKey)
	}
	return nil
}

// String names the view in the String of contexts derived from it.
func (v *contextView) String() string { return "breaker.ToContext" }

// AfterFunc is what package context looks for when it derives a context: with it, it needs no goroutine.
//
// It calls the method holding a mutex that f locks as well. So, other than OnTrip, a late
// registration runs f in a goroutine of its own; and f must find Err non-nil, or it panics.
func (v *contextView) AfterFunc(f func()) func() bool {
	b := (*Breaker)(v)
	c := &callback{f: f}
	if !b.register(&c.registration) {
		c.drop()
		b.awaitDone()
		atomic.Go(f)
	}
	return handle{b, c}.stop
}

// causeContext returns a context of package context that ended with the cause. That is where context.Cause finds
// one, and only there.
func causeContext(cause error) any {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx.Value(causeKey)
}

// causeKey is the private key by which package context asks for a context of its own.
var causeKey = func() any {
	var k keyCatcher
	context.Cause(&k)
	return k.key
}()

// keyCatcher is a context that is done, and remembers what it was asked for.
type keyCatcher struct {
	context.Context
	key any
}

func (*keyCatcher) Err() error { return context.Canceled }

func (k *keyCatcher) Value(key any) any {
	k.key = key
	return nil
}
