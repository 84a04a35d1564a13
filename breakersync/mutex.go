package breakersync

import (
	"sync"

	"github.com/kamilsk/breaker"
)

// A Mutex is a lock whose Lock can be interrupted. The zero value is an unlocked Mutex.
//
// It is granted first come, first served: Unlock hands it to the goroutine that has waited longest.
// All methods may be called concurrently. A goroutine may unlock a mutex that another one has
// locked.
//
// Unlock synchronizes before the Lock that gets the mutex next, as with sync.Mutex.
type Mutex struct{ w weighted }

// Lock locks the mutex. If it is locked already, Lock waits until it is free or the breaker trips.
//
// It returns nil iff the caller has the mutex. Otherwise it returns the cause of the breaker; also
// if the mutex is free, but the breaker had tripped before the call. Without contention it costs a
// load and a compare-and-swap. It panics if the breaker is nil.
func (m *Mutex) Lock(br breaker.Interface) error {
	if b, ok := br.(*breaker.Breaker); ok && b != nil && b.Err() == nil && m.w.state.CompareAndSwap(0, one) {
		return nil
	}
	return m.lockSlow(br)
}

func (m *Mutex) lockSlow(br breaker.Interface) error {
	if err := ask(br, "Lock"); err != nil {
		return err
	}
	if m.TryLock() {
		return nil
	}
	return m.w.take(br, 1, 1)
}

// TryLock locks the mutex if it is free, and reports whether it did. It never waits.
func (m *Mutex) TryLock() bool { return m.w.state.CompareAndSwap(0, one) }

// Unlock unlocks the mutex, or hands it to the goroutine that has waited longest. It never waits.
// It panics if the mutex isn't locked.
func (m *Mutex) Unlock() {
	if !m.w.state.CompareAndSwap(one, 0) {
		m.unlockSlow()
	}
}

func (m *Mutex) unlockSlow() {
	if !m.w.give(1) {
		panic("breakersync: Unlock of unlocked Mutex")
	}
}

// Locker returns a view of the mutex for code that takes a sync.Locker, such as Cond. Its Lock
// can't be interrupted. It queues with all others.
func (m *Mutex) Locker() sync.Locker { return (*mutexLocker)(m) }

type mutexLocker Mutex

func (l *mutexLocker) Lock() {
	if !l.w.state.CompareAndSwap(0, one) {
		_ = l.w.take(nil, 1, 1) // without a breaker, it can't fail
	}
}

func (l *mutexLocker) Unlock() { (*Mutex)(l).Unlock() }
