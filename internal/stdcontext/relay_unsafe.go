//go:build !breaker_pure

package stdcontext

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	seam "github.com/kamilsk/breaker/internal/atomic"
)

// IsKey reports whether package context asks for a context of its own, by its private key.
func IsKey(key any) bool { return key == ownKey }

// ownKey isn't named anywhere: it is what context.Cause asks for.
var ownKey = func() any {
	k := keyCatcher{key: new(byte)} // nobody's, if context.Cause asks for nothing
	context.Cause(&k)
	return k.key
}()

// keyCatcher is a context that remembers the key it was asked for. It has ended, because since Go
// 1.26 context.Cause asks Err first.
type keyCatcher struct {
	context.Context
	key any
}

func (*keyCatcher) Err() error { return context.Canceled }

func (k *keyCatcher) Value(key any) any {
	k.key = key
	return nil
}

// Relay lets package context derive from a foreign context as if that were a context of its own.
//
// For a context derived from the foreign one itself, the method AfterFunc is enough. A context
// derived from context.WithValue(foreign, …) doesn't see that method. Middleware passes such
// contexts on, and net/http makes one of a BaseContext. Package context then looks for one of its
// own contexts with the same Done, and starts a goroutine if there is none. The relay has that
// context. Make it when package context first asks, so that a context from which nothing is derived
// costs nothing.
//
// Its Done must be the foreign context's channel, and nothing public makes a context over a given
// channel: the field is set by its name.
type Relay struct {
	// ctx is the context of package context, whose parent is the relay.
	ctx context.Context
	// cancel ends ctx with the relay's Err and cause. It is what package context gave to AfterFunc.
	cancel func()
	// cause and expired are written by Close, and say how ctx ends.
	cause   seam.Plain[error]
	expired seam.Plain[bool]
}

// NewRelay returns a relay for a foreign context whose Done is the channel. Call it only if
// HasRelay is true. If the relay isn't used, nothing has to be done.
func NewRelay(done chan struct{}) *Relay {
	r := new(Relay)
	ctx, stop := context.WithCancel((*parent)(r))
	_ = stop // r.cancel is what ends it
	r.ctx = ctx
	field[atomic.Value](ctx, doneOffset).Store(done)
	return r
}

// Context returns the context from which package context derives. Its Value answers the key of
// IsKey.
func (r *Relay) Context() context.Context { return r.ctx }

// Close closes done, the channel that NewRelay was given, and in the same instant tells package
// context the cause, which isn't nil: it does both under the lock under which context.Cause looks.
// If it has expired, what is derived ends with context.DeadlineExceeded, else with
// context.Canceled. But it doesn't end before End.
func (r *Relay) Close(done chan struct{}, cause error, expired bool) {
	r.cause.Set(cause)
	r.expired.Set(expired)
	seam.CloseBy(done, func() {
		mu := field[sync.Mutex](r.ctx, muOffset)
		mu.Lock()
		*field[error](r.ctx, causeOffset) = cause
		close(done)
		mu.Unlock()
	})
}

// End ends what is derived, and starts the functions of context.AfterFunc. It comes after Close.
func (r *Relay) End() {
	seam.Unseen(func() {
		// Which cancel closes; the one of Close is closed.
		field[atomic.Value](r.ctx, doneOffset).Store(make(chan struct{}))
		r.cancel()
	})
}

// parent is the relay as the parent of its context. These methods are what package context asks
// for.
type parent Relay

func (*parent) Deadline() (at time.Time, ok bool) { return } // not reached here: nobody asks

func (*parent) Done() <-chan struct{} { return never }

func (p *parent) Err() error {
	switch {
	case p.cause.Get() == nil:
		return nil // not reached here: nobody asks before Close
	case p.expired.Get():
		return context.DeadlineExceeded
	}
	return context.Canceled
}

func (p *parent) Value(key any) any {
	if cause := p.cause.Get(); cause != nil {
		return Ended(cause).Value(key)
	}
	return nil
}

func (p *parent) AfterFunc(cancel func()) func() bool {
	p.cancel = cancel
	return func() bool { return false } // not reached here: nobody stops it
}

// never is a channel that is never closed.
var never = make(chan struct{})

// The offsets of the lock, the channel and the cause in a context of package context. HasRelay
// reports whether they were found, each with the type that is expected. Nobody writes it.
var doneOffset, muOffset, causeOffset, HasRelay = func() (done, mu, cause uintptr, ok bool) {
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
