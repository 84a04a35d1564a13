//go:build !breaker_pure

package breaker

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	seam "github.com/kamilsk/breaker/internal/atomic"
)

// relay lets package context derive from a view as if the view were a context of its own
// (promise 13).
//
// For a context derived from the view itself, the method AfterFunc is enough. A context derived
// from context.WithValue(view, …) doesn't see that method. Middleware passes such contexts on, and
// net/http makes one of a BaseContext. Package context then looks for one of its own contexts with
// the same Done, and starts a goroutine if there is none. The relay is that context. It is made
// when package context first asks for it, so a view from which nothing is derived costs nothing.
//
// Its Done must be the breaker's channel, and nothing public makes a context over a given channel:
// the field is set by its name. If package context no longer has the fields needed here, there is
// no relay, and the price is the goroutine.
//
// The winner of the trip closes the channel under the lock of ctx, and under it stores the cause in
// ctx, where context.Cause looks. It ends ctx when the breaker's dependents have been tripped
// (promise 18): that ends what is derived from ctx, and starts the AfterFuncs.
type relay struct {
	b *Breaker
	// ctx is the context of package context, for which r is its parent.
	ctx context.Context
	// cancel ends ctx with r's Err and Cause. It is what package context gave to AfterFunc.
	cancel func()
	// cause is written by the winner of the trip.
	cause error
}

// relayTo returns the relay of an open breaker, or nil if it can't have one.
func (b *Breaker) relayTo() *relay {
	if !hasRelay {
		return nil // not reached here: a Go release whose contexts have no such field
	}
	b.watch(b.state.Load())
	done := b.handOut()
	place := b.registry.Extra()
	r := place.Load()
	if r == nil {
		r = &relay{b: b}
		ctx, stop := context.WithCancel(r)
		_ = stop // r.cancel is what ends it
		r.ctx = ctx
		field[atomic.Value](ctx, doneOffset).Store(done)
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

// closeDone closes the channel that was handed out. Only the winner calls it, once, with the word
// that its claim has left.
func (b *Breaker) closeDone(s uint32) {
	if s&flagRelay == 0 {
		b.done.close()
		return
	}
	done := b.done.get()
	r := b.registry.Extra().Load()
	r.cause = b.reason()
	seam.CloseBy(done, func() {
		mu := field[sync.Mutex](r.ctx, muOffset)
		mu.Lock()
		*field[error](r.ctx, causeOffset) = contextCause(r.cause)
		close(done)
		mu.Unlock()
	})
}

// endRelay ends what is derived from a breaker with flagRelay. Only the winner of the trip calls
// it.
func (b *Breaker) endRelay() {
	r := b.registry.Extra().Load()
	seam.Unseen(func() {
		// Which cancel closes; the breaker's is closed.
		field[atomic.Value](r.ctx, doneOffset).Store(make(chan struct{}))
		r.cancel()
	})
}

// Deadline, Done, Err, Value and AfterFunc are what package context asks its parent for.

func (*relay) Deadline() (at time.Time, ok bool) { return } // not reached here: nobody asks

func (*relay) Done() <-chan struct{} { return never }

func (r *relay) Err() error { return contextErrOf(r.b.state.Load()) }

func (r *relay) Value(key any) any {
	if key == causeKey && r.cause != nil {
		return endedWith(r.cause)
	}
	return nil
}

func (r *relay) AfterFunc(cancel func()) func() bool {
	r.cancel = cancel
	return func() bool { return false } // not reached here: nobody stops it
}

// never is a channel that is never closed.
var never = make(chan struct{})

// The offsets of the lock, the channel and the cause in a context of package context. hasRelay
// reports whether they were found.
var doneOffset, muOffset, causeOffset, hasRelay = func() (done, mu, cause uintptr, ok bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t := reflect.TypeOf(ctx)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return 0, 0, 0, false // not reached here: another Go release
	}
	ok = true
	find := func(name string, want reflect.Type) uintptr {
		field, found := t.Elem().FieldByName(name)
		ok = ok && found && field.Type == want
		return field.Offset
	}
	done = find("done", reflect.TypeFor[atomic.Value]())
	mu = find("mu", reflect.TypeFor[sync.Mutex]())
	cause = find("cause", reflect.TypeFor[error]())
	return done, mu, cause, ok
}()

// field returns the field at that offset of a context of package context.
func field[T any](ctx context.Context, offset uintptr) *T {
	return (*T)(unsafe.Add(reflect.ValueOf(ctx).UnsafePointer(), offset))
}

func (v *contextView) Value(key any) any {
	b := (*Breaker)(v)
	b.checkCopy()
	if key != causeKey {
		return b.lookUp(key)
	}
	// Package context looks for a context of its own: to ask its cause, if the breaker has tripped,
	// or to derive from it. It never means one among the sources, because that has another Done.
	if cause := b.Cause(); cause != nil {
		return endedWith(cause)
	}
	if r := b.relayTo(); r != nil {
		return r.ctx.Value(causeKey)
	}
	return nil
}

// endedWith returns a context of package context that ended with the cause. context.Cause finds the
// cause there, and only there.
func endedWith(cause error) any { return causeContext(context.Background(), cause).Value(causeKey) }

// causeKey is the private key by which package context asks for a context of its own.
var causeKey = func() any {
	var k keyCatcher
	context.Cause(&k)
	return k.key
}()

// keyCatcher is a context that is done, and remembers the key it was asked for.
type keyCatcher struct {
	context.Context
	key any
}

func (*keyCatcher) Err() error { return context.Canceled }

func (k *keyCatcher) Value(key any) any {
	k.key = key
	return nil
}
