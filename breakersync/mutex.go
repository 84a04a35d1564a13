package breakersync

import (
	"sync"

	"github.com/kamilsk/breaker"
)

// A Mutex is a lock whose Lock can be interrupted. The zero value is an unlocked Mutex.
//
// It is granted first come, first served: Unlock hands it to the goroutine that has waited longest.
// All methods may be called concurrently. One goroutine may unlock what another has locked.
//
// Unlock synchronizes before the Lock that gets the mutex next, as with sync.Mutex.
type Mutex struct{ w weighted }

// Lock locks the mutex. If it is locked already, Lock waits until it is free or the breaker trips.
//
// It returns nil iff the caller has the mutex. Otherwise it returns the cause of the breaker. If
// the breaker had tripped before the call, it does so even if the mutex is free. Without contention
// it costs a load and a compare-and-swap. It panics if the breaker is nil.
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
		panic("breakersync: Unlock: the Mutex isn't locked")
	}
}

// Locker returns the mutex as a sync.Locker, for code such as Cond. Its Lock waits in the same
// queue, but can't be interrupted.
func (m *Mutex) Locker() sync.Locker { return (*mutexLocker)(m) }

type mutexLocker Mutex

func (l *mutexLocker) Lock() {
	if !l.w.state.CompareAndSwap(0, one) {
		_ = l.w.take(nil, 1, 1) // without a breaker, it can't fail
	}
}

func (l *mutexLocker) Unlock() { (*Mutex)(l).Unlock() }
