//go:build !breaker_explore

package atomic

import (
	"runtime"
	"sync"
	sync64 "sync/atomic"

	"go.uber.org/atomic"
)

type (
	Int32          = atomic.Int32
	Uint32         = atomic.Uint32
	Int64          = sync64.Int64 // the other ones aren't aligned on 32 bits
	Uint64         = sync64.Uint64
	Pointer[T any] = atomic.Pointer[T]
	Gate           = gate
	Mutex          = sync.Mutex
	Map            = sync.Map
	unsafePointer  = atomic.UnsafePointer
)

// Plain is a field that is read and written by plain accesses. Something else has to order them:
// the explorer checks that on each schedule.
type Plain[T any] struct{ v T }

// Get returns the value.
func (x *Plain[T]) Get() T { return x.v }

// Set sets the value.
func (x *Plain[T]) Set(v T) { x.v = v }

// Uint32Of returns an atomic that holds v. It is a plain store: only for memory that isn't shared
// yet.
func Uint32Of(v uint32) Uint32 { return *atomic.NewUint32(v) }

// Int32Of returns an atomic that holds v. It is a plain store: only for memory that isn't shared
// yet.
func Int32Of(v int32) Int32 { return *atomic.NewInt32(v) }

// Close closes c.
func Close(c chan struct{}) { close(c) }

// CloseBy closes c by calling f, which does it by other means.
func CloseBy(_ chan struct{}, f func()) { f() }

// Unseen calls f, which works on what others share by means of its own.
func Unseen(f func()) { f() }

// Closed reports whether c is closed. It takes no lock. Nothing is ever sent on c.
func Closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Wait blocks until c is closed.
func Wait(c <-chan struct{}) { <-c }

// AwaitZero returns when x is zero. The goroutine that makes it so is a few instructions away.
func AwaitZero(x *Uint32) {
	for x.Load() != 0 {
		runtime.Gosched()
	}
}

// Go runs f on a goroutine of its own.
func Go(f func()) { go f() }

// Received reports whether something was received from c, a value or that it is closed, without
// waiting.
func Received(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Pool keeps objects for reuse.
type Pool[T any] struct{ p sync.Pool }

// Get returns an object that was put, or nil.
func (p *Pool[T]) Get() *T {
	x, _ := p.p.Get().(*T)
	return x
}

// Put keeps an object that is out of use.
func (p *Pool[T]) Put(x *T) { p.p.Put(x) }
