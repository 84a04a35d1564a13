//go:build breaker_explore

package atomic

import (
	"sync"
	sync64 "sync/atomic"
	"unsafe"

	"go.uber.org/atomic"

	"github.com/kamilsk/breaker/internal/explore"
)

// The instrumented twin. Each access says what it is about to do, and the scheduler of package
// explore decides which thread goes on. Outside of an exploration it does what plain.go does.

// Int32 is the twin of atomic.Int32.
type Int32 struct{ v atomic.Int32 }

// Load returns the value.
func (x *Int32) Load() int32 {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

// Store sets the value.
func (x *Int32) Store(v int32) {
	explore.Access(unsafe.Pointer(x), explore.Write)
	x.v.Store(v)
}

// CompareAndSwap replaces old by next and reports whether it did.
func (x *Int32) CompareAndSwap(old, next int32) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

// Add adds to the value and returns the sum.
func (x *Int32) Add(delta int32) int32 {
	explore.Access(unsafe.Pointer(x), explore.Write)
	return x.v.Add(delta)
}

// Inc adds 1.
func (x *Int32) Inc() int32 { return x.Add(1) }

// Dec subtracts 1.
func (x *Int32) Dec() int32 { return x.Add(-1) }

// Uint32 is the twin of atomic.Uint32.
type Uint32 struct{ v atomic.Uint32 }

// Load returns the value.
func (x *Uint32) Load() uint32 {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

// Store sets the value.
func (x *Uint32) Store(v uint32) {
	explore.Access(unsafe.Pointer(x), explore.Write)
	x.v.Store(v)
}

// CompareAndSwap replaces old by next and reports whether it did.
func (x *Uint32) CompareAndSwap(old, next uint32) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

// Add adds to the value and returns the sum.
func (x *Uint32) Add(delta uint32) uint32 {
	explore.Access(unsafe.Pointer(x), explore.Write)
	return x.v.Add(delta)
}

// Inc adds 1.
func (x *Uint32) Inc() uint32 { return x.Add(1) }

// Dec subtracts 1.
func (x *Uint32) Dec() uint32 { return x.Add(^uint32(0)) }

// Uint64 is the twin of sync/atomic.Uint64.
type Uint64 struct{ v sync64.Uint64 }

// Load returns the value.
func (x *Uint64) Load() uint64 {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

// Store sets the value.
func (x *Uint64) Store(v uint64) {
	explore.Access(unsafe.Pointer(x), explore.Write)
	x.v.Store(v)
}

// CompareAndSwap replaces old by next and reports whether it did.
func (x *Uint64) CompareAndSwap(old, next uint64) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

// Add adds to the value and returns the sum.
func (x *Uint64) Add(delta uint64) uint64 {
	explore.Access(unsafe.Pointer(x), explore.Write)
	return x.v.Add(delta)
}

// Pointer is the twin of atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

// Load returns the pointer.
func (x *Pointer[T]) Load() *T {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

// Store sets the pointer.
func (x *Pointer[T]) Store(v *T) {
	explore.Access(unsafe.Pointer(x), explore.Write)
	x.v.Store(v)
}

// CompareAndSwap replaces old by next and reports whether it did.
func (x *Pointer[T]) CompareAndSwap(old, next *T) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

type unsafePointer struct{ v atomic.UnsafePointer }

func (x *unsafePointer) Load() unsafe.Pointer {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

func (x *unsafePointer) CompareAndSwap(old, next unsafe.Pointer) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

func swapped(ok bool) bool {
	if !ok {
		explore.Unchanged()
	}
	return ok
}

// Plain is the twin of a field that is read and written by plain accesses, which something else has
// to order.
type Plain[T any] struct{ v T }

// Get returns the value.
func (x *Plain[T]) Get() T {
	explore.Plain(unsafe.Pointer(x), explore.Read)
	return x.v
}

// Set sets the value.
func (x *Plain[T]) Set(v T) {
	explore.Plain(unsafe.Pointer(x), explore.Write)
	x.v = v
}

// Uint32Of returns an atomic that holds v, not shared yet.
func Uint32Of(v uint32) (x Uint32) {
	x.v.Store(v)
	return x
}

// Int32Of returns an atomic that holds v, not shared yet.
func Int32Of(v int32) (x Int32) {
	x.v.Store(v)
	return x
}

// channel is a channel seen as something that one waits for.
type channel struct{ c <-chan struct{} }

func (c channel) Ready() bool {
	select {
	case <-c.c:
		return true
	default:
		return false
	}
}

func objectOf(c <-chan struct{}) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&c)) }

// Close closes c.
func Close(c chan struct{}) {
	explore.Access(objectOf(c), explore.Write)
	close(c)
}

// CloseBy closes c by calling f, which does it by other means. Nothing that f does is seen by the
// scheduler.
func CloseBy(c chan struct{}, f func()) {
	explore.Access(objectOf(c), explore.Write)
	explore.Unseen(f)
}

// Unseen calls f, which works on what others share by means of its own. Nothing that f does is seen
// by the scheduler.
func Unseen(f func()) { explore.Unseen(f) }

// Closed reports whether c is closed.
func Closed(c <-chan struct{}) bool {
	explore.Access(objectOf(c), explore.Read)
	return channel{c}.Ready()
}

// Wait blocks until c is closed.
func Wait(c <-chan struct{}) {
	explore.Await(objectOf(c), explore.Read, channel{c})
	<-c
}

// AwaitZero returns when x is zero.
func AwaitZero(x *Uint32) { explore.Await(unsafe.Pointer(x), explore.Read, zero{x}) }

type zero struct{ x *Uint32 }

func (z zero) Ready() bool { return z.x.v.Load() == 0 }

// Go runs f in a thread of its own.
func Go(f func()) {
	if !explore.Go(f) {
		go f()
	}
}

// Mutex is the twin of sync.Mutex.
type Mutex struct{ m sync.Mutex }

// Ready reports whether it is free.
func (m *Mutex) Ready() bool {
	if !m.m.TryLock() {
		return false
	}
	m.m.Unlock()
	return true
}

// Lock locks it.
func (m *Mutex) Lock() {
	explore.Await(unsafe.Pointer(m), explore.Write, m)
	m.m.Lock()
}

// Unlock unlocks it.
func (m *Mutex) Unlock() {
	explore.Access(unsafe.Pointer(m), explore.Write)
	m.m.Unlock()
}

// Map is the twin of sync.Map: one object, whatever the key.
type Map struct{ m sync.Map }

// Load returns what is stored for the key.
func (m *Map) Load(key any) (value any, ok bool) {
	explore.Access(unsafe.Pointer(m), explore.Read)
	return m.m.Load(key)
}

// Store stores a value for the key.
func (m *Map) Store(key, value any) {
	explore.Access(unsafe.Pointer(m), explore.Write)
	m.m.Store(key, value)
}

// CompareAndDelete deletes the key if the value is stored for it.
func (m *Map) CompareAndDelete(key, value any) bool {
	explore.Access(unsafe.Pointer(m), explore.Swap)
	return swapped(m.m.CompareAndDelete(key, value))
}

// Received reports whether something was received from c, without waiting.
func Received(c <-chan struct{}) bool {
	explore.Access(objectOf(c), explore.Write)
	return channel{c}.Ready()
}

// Int64 is the twin of atomic.Int64.
type Int64 struct{ v atomic.Int64 }

// Load returns the value.
func (x *Int64) Load() int64 {
	explore.Access(unsafe.Pointer(x), explore.Read)
	return x.v.Load()
}

// Store sets the value.
func (x *Int64) Store(v int64) {
	explore.Access(unsafe.Pointer(x), explore.Write)
	x.v.Store(v)
}

// CompareAndSwap replaces old by next and reports whether it did.
func (x *Int64) CompareAndSwap(old, next int64) bool {
	explore.Access(unsafe.Pointer(x), explore.Swap)
	return swapped(x.v.CompareAndSwap(old, next))
}

// Gate is the twin of gate.
type Gate struct{ g gate }

// Ready reports whether it is open.
func (g *Gate) Ready() bool { return g.g.state.Load() == gateOpen }

// Wait returns when it is open.
func (g *Gate) Wait() {
	explore.Await(unsafe.Pointer(g), explore.Read, g)
	g.g.Wait()
}

// Open opens it.
func (g *Gate) Open() {
	explore.Access(unsafe.Pointer(g), explore.Write)
	g.g.Open()
}

// Shut shuts it.
func (g *Gate) Shut() {
	explore.Access(unsafe.Pointer(g), explore.Write)
	g.g.Shut()
}

// Pool is the twin of a pool. What was put last comes first, for every thread. So objects are
// reused as soon as possible, and an object that is put while still in use is noticed. A program
// starts with an empty one.
type Pool[T any] struct {
	m    sync.Mutex
	free []*T
}

// Get returns an object that was put, or nil.
func (p *Pool[T]) Get() (x *T) {
	explore.Access(unsafe.Pointer(p), explore.Write)
	p.m.Lock()
	defer p.m.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		x, p.free = p.free[last], p.free[:last]
	}
	return x
}

// Put keeps an object that is out of use.
func (p *Pool[T]) Put(x *T) {
	explore.Access(unsafe.Pointer(p), explore.Write)
	p.m.Lock()
	defer p.m.Unlock()
	p.free = append(p.free, x)
}
