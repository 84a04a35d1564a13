//go:build !breaker_pure

package breaker

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"

	seam "github.com/kamilsk/breaker/internal/atomic"
)

// relay lets package context derive from a view as if it were a context of its own.
//
// The method AfterFunc is enough for a context derived from the view itself. But one derived from
// context.WithValue(view, …), which is what middleware passes on and what net/http makes of a BaseContext, doesn't see
// that method: package context then looks for one of its own contexts with the same Done, and starts a goroutine
// if there is none. The relay is that context. It is made when it is first asked for, so that a
// view from which nothing is derived costs nothing.
//
// Its Done must be the breaker's channel, and nothing public makes a context over a given channel: the one
// field is set by its name. Where package context doesn't have it any more, there is no relay, and the price is
// the goroutine. From then on the context closes the channel, when the winner of the trip cancels it.
type relay struct {
	b *Breaker
	// ctx is the context of package context. It believes that r is its parent.
	ctx context.Context
	// cancel ends ctx with r's Err and Cause. It is what package context gave to AfterFunc.
	cancel func()
	// cause is written by the winner of the trip, before it cancels ctx.
	cause error
}

// relayTo returns the relay of an open breaker, or nil if it can't have one.
func (b *Breaker) relayTo() *relay {
	if doneOffset < 0 {
		return nil // not reached here: a Go release whose contexts have no such field
	}
	b.watch(b.state.Load())
	done := b.handOut()
	base := b.registry.more()
	r := base.relay.Load()
	if r == nil {
		r = &relay{b: b}
		ctx, stop := context.WithCancel(r)
		_ = stop // r.cancel is what ends it
		r.ctx = ctx
		doneOf(ctx).Store(done)
		if !base.relay.CompareAndSwap(nil, r) {
			r = base.relay.Load()
		}
	}
	if b.state.Load()&phase != open {
		return nil // Dekker, as in register: the winner may not have seen it
	}
	return r
}

// end ends ctx, which closes the channel. Only the winner of the trip calls it.
func (r *relay) end() {
	r.cause = r.b.reason()
	r.cancel()
}

// Deadline, Done, Err, Value and AfterFunc are what package context asks its parent for.

func (*relay) Deadline() (time.Time, bool) { return time.Time{}, false } // not reached here: nobody asks

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

// doneOffset is where a context of package context keeps its channel, or -1 if that can't be told.
var doneOffset = func() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t := reflect.TypeOf(ctx)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return -1 // not reached here: another Go release
	}
	field, ok := t.Elem().FieldByName("done")
	if !ok || field.Type != reflect.TypeFor[atomic.Value]() {
		return -1 // not reached here: another Go release
	}
	return int(field.Offset)
}()

func doneOf(ctx context.Context) *atomic.Value {
	return (*atomic.Value)(unsafe.Add(reflect.ValueOf(ctx).UnsafePointer(), doneOffset))
}

func (v *contextView) Value(key any) any {
	b := (*Breaker)(v)
	b.checkCopy()
	if key != causeKey {
		return b.lookUp(key)
	}
	// Package context looks for a context of its own: to ask its cause, if the breaker has tripped, or to
	// derive from it. Those among the sources are never meant, because their Done is another one.
	if cause := b.Cause(); cause != nil {
		return endedWith(cause)
	}
	if r := b.relayTo(); r != nil {
		return r.ctx.Value(causeKey)
	}
	return nil
}

// endedWith returns a context of package context that ended with the cause. That is where context.Cause finds
// one, and only there.
func endedWith(cause error) any { return causeContext(context.Background(), cause).Value(causeKey) }

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

// closeDone closes the channel that was handed out. Only the winner calls it, once.
func (b *Breaker) closeDone() {
	if base := b.registry.base.Load(); base != nil {
		if r := base.relay.Load(); r != nil {
			seam.CloseBy(b.done.get(), r.end)
			return
		}
	}
	b.done.close()
}
