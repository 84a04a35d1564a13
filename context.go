package breaker

import (
	"context"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
	"github.com/kamilsk/breaker/internal/registry"
	"github.com/kamilsk/breaker/internal/stdcontext"
)

// BreakByContext returns a breaker that trips when ctx is done, with context.Cause(ctx) as its
// cause. If ctx is done already, the breaker is tripped on return. When it trips, for whatever
// reason, it calls cancel, if that isn't nil. The call is on the goroutine that trips the breaker,
// which may be one that asks Err; so cancel must not block.
//
// It costs one allocation. While no goroutine waits for it, Err asks ctx and nothing is registered.
// The first Done, OnTrip or Multiplex registers with ctx, by context.AfterFunc. That needs a
// goroutine only if ctx is neither of package context, nor derived from one that is, nor returned
// by ToContext. Then the trip follows the end of ctx, on a goroutine that package context starts
// for it. BreakByContext panics if ctx is nil.
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
	flags := flagHeld | flagLookUp | flagAsk
	if cancel != nil {
		flags |= flagOwnErr // a plain close cancels ctx, and Err has to match that
	}
	if view, ok := ctx.(*contextView); ok {
		return newView(view, cancel, flags|flagOwnErr)
	}
	b := &contextBreaker{ctx: ctx}
	b.source = b
	b.cancel.Set(cancel)
	if ctx.Done() == nil {
		b.state = wordOf(kindContext, flags&^flagAsk) // it never ends
		return &b.Breaker
	}
	b.state = wordOf(kindContext, flags|flagPoll|flagLazy)
	b.poll()
	return &b.Breaker
}

// contextBreaker listens to a foreign context. Its Done follows cancel: see docs/design.md, "Done
// in the instant of cancel".
type contextBreaker struct {
	Breaker

	// ctx never changes: values and the deadline are looked up in it, also after the trip.
	ctx context.Context
	// cancel is the winner's.
	cancel atomic.Plain[func()]
	// stop takes back the registration with ctx. Written under flagAttaching, then the winner's.
	stop atomic.Plain[func() bool]
}

func (b *contextBreaker) ownErr() error               { return contextEnd{b} }
func (b *contextBreaker) canceler() func()            { return takeOut(&b.cancel) }
func (b *contextBreaker) deadline() (time.Time, bool) { return b.ctx.Deadline() }
func (b *contextBreaker) value(key any) any           { return b.ctx.Value(key) }

// poll trips the breaker if ctx is done, or awaits the goroutine that is tripping it.
func (b *contextBreaker) poll() {
	if b.state.Load()&settled == 0 && b.ctx.Err() != nil {
		tripByContext(&b.Breaker, b.ctx, flagOwnErr)
	}
}

// tripByContext trips b because the ctx that it listens to is done.
func tripByContext(b *Breaker, ctx context.Context, mark uint32) {
	cause := context.Cause(ctx)
	if ctx.Err() == context.DeadlineExceeded {
		b.trip(b.state.Load(), cause, mark|flagExpired) // the context's own cause may hide that
		return
	}
	b.withExpiry(cause, func(expired uint32) { b.trip(b.state.Load(), cause, mark|expired) })
}

// claimEnded claims and publishes the trip of an owned breaker if ctx is done. It reports whether
// this call did, and the word then. If foreign code panics here, ctx counts as not done.
func (b *contextBreaker) claimEnded() (word uint32, won bool) {
	var cause error
	mark := flagOwnErr
	ended := func() bool {
		defer func() { _ = recover() }()
		err := b.ctx.Err()
		if err == nil {
			return false
		}
		if err == context.DeadlineExceeded {
			mark |= flagExpired
		}
		cause = context.Cause(b.ctx)
		return true
	}()
	if !ended || cause == nil {
		return 0, false
	}
	if mark&flagExpired == 0 {
		b.withExpiry(cause, func(expired uint32) { mark |= expired })
	}
	s, won := b.claim(b.state.Load(), mark, false)
	if !won {
		return s, false
	}
	b.cause.Set(cause)
	return b.publish(s), true
}

// attach registers with ctx.
func (b *contextBreaker) attach() (clear uint32) { return attach(b.ctx, b.poll, &b.stop) }

func attach(ctx context.Context, poll func(), stop *atomic.Plain[func() bool]) (clear uint32) {
	stop.Set(context.AfterFunc(ctx, poll))
	return 0
}

func (b *contextBreaker) release() { unregister(&b.stop) }

// unregister takes back the registration with a context.
func unregister(stop *atomic.Plain[func() bool]) {
	if f := stop.Get(); f != nil {
		stop.Set(nil)
		f()
	}
}

// takeOut returns the function and forgets it, so that it can be collected.
func takeOut(f *atomic.Plain[func()]) func() {
	cancel := f.Get()
	f.Set(nil)
	return cancel
}

// viewBreaker listens to the breaker behind a view, as a Multiplex would.
type viewBreaker struct {
	node
	// cancel is the winner's.
	cancel atomic.Plain[func()]
	array  [1]link
}

func newView(view *contextView, cancel context.CancelFunc, flags uint32) *Breaker {
	b := new(viewBreaker)
	b.setSource(b, b.array[:])
	b.cancel.Set(cancel)
	l := &b.array[0]
	source := (*Breaker)(view)
	l.source.Set(source)
	l.Tag.role = keep
	// A view's breaker that isn't attached asks its own source. In a chain of them each would ask
	// all that come before it, so the one before is attached from here on (promise 25).
	source.ensureViewAttached()
	flags |= flagPoll
	if source.state.Load()&flagPollOnly == 0 {
		b.state = wordOf(kindContext, flags|flagLazy)
		b.poll()
	} else {
		b.state = wordOf(kindContext, flags|flagPollOnly|flagAttaching)
		b.listen(l)
		b.endAttaching(0, 0)
	}
	return &b.Breaker
}

// ensureViewAttached attaches a viewBreaker, and no other kind.
func (b *Breaker) ensureViewAttached() {
	if _, ok := b.source.(*viewBreaker); ok {
		b.ensureAttached(b.state.Load())
	}
}

func (b *viewBreaker) links() []link    { return b.array[:] }
func (b *viewBreaker) ownErr() error    { return viewEnd{b} }
func (b *viewBreaker) canceler() func() { return takeOut(&b.cancel) }
func (b *viewBreaker) poll() {
	if b.state.Load()&phase == open {
		b.pollLinks(b.array[:])
	}
}

// attach registers with the breaker behind the view. flagPoll stays until that is done, so that a
// callback of that breaker doesn't find this one open in between (promise 18).
func (b *viewBreaker) attach() (clear uint32) {
	b.listen(&b.array[0])
	return flagPoll
}

// contextView is a Breaker with another method set, so that ToContext doesn't allocate, and Done,
// cause and deadline are the breaker's own (promise 13). The context that ToContext returns is
// called a view.
type contextView Breaker

// ToContext returns a context that is done at the same instant as the breaker.
//
//   - Its Err is context.DeadlineExceeded if the breaker's cause matches that, else
//     context.Canceled.
//   - context.Cause of it, and of contexts derived from it, is the breaker's Cause.
//   - Its Deadline is the breaker's.
//   - Its Value looks into the contexts among the breaker's sources.
//
// It costs nothing. Neither it nor deriving from it, with values in between or without, starts a
// goroutine. ToContext panics if the breaker is nil.
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

// contextErrOf returns the Err of a view. The word is that of a breaker that isn't open.
func contextErrOf(word uint32) error {
	if word&flagExpired != 0 {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// Value looks the key up in the contexts among the breaker's sources. If package context looks for
// a context of its own, to ask the cause or to derive from it, it gets one that stands for the
// breaker (promise 13). It never means one among the sources, because that has another Done.
func (v *contextView) Value(key any) any {
	b := (*Breaker)(v)
	b.checkCopy()
	if !stdcontext.IsKey(key) {
		return b.lookUp(key)
	}
	if cause := b.Cause(); cause != nil {
		return stdcontext.Ended(contextCause(cause)).Value(key)
	}
	if r := b.relayTo(); r != nil {
		return r.Context().Value(key)
	}
	return nil
}

// relayTo returns the relay of an open breaker, or nil if it can't have one (promise 26).
func (b *Breaker) relayTo() *stdcontext.Relay {
	if !stdcontext.HasRelay {
		return nil // not reached here: breaker_pure, or another Go release
	}
	b.ensureAttached(b.state.Load())
	done := b.shareDone()
	place := b.registry.Extra()
	r := place.Load()
	if r == nil {
		r = stdcontext.NewRelay(done)
		if !place.CompareAndSwap(nil, r) {
			r = place.Load()
		}
	}
	for {
		s := b.state.Load()
		switch {
		case s&phase != open:
			return nil // the winner won't look for it
		case s&flagRelay != 0, b.state.CompareAndSwap(s, s|flagRelay|flagHeld):
			return r
		}
	}
}

// endRelay ends what is derived from a breaker with flagRelay, when the breaker's dependents have
// been tripped (promise 18). Only the winner of the trip calls it.
func (b *Breaker) endRelay() { b.registry.Extra().Load().End() }

// String names the view in the String of contexts derived from it.
func (v *contextView) String() string { return "breaker.ToContext" }

// AfterFunc is the method that package context looks for when it derives a context. With it, that
// needs no goroutine.
//
// Package context calls it while it holds a mutex that f locks as well. So, unlike in OnTrip, a
// late registration runs f in a goroutine of its own. And f panics unless it finds Err non-nil.
func (v *contextView) AfterFunc(f func()) func() bool {
	b := (*Breaker)(v)
	r := registry.NewCallback[node, linkTag](f)
	if !b.register(r) {
		r.Drop()
		b.awaitDone()
		atomic.Go(f)
	}
	return handle{b, r}.stop
}

// contextCause returns the cause in the words of package context where the breaker did what package
// context also does, because callers compare it with == (promise 22).
func contextCause(cause error) error {
	switch cause {
	case errExpired:
		return context.DeadlineExceeded
	case ErrClosed:
		return context.Canceled
	}
	return cause
}
