package breakersync

import (
	"sync"

	"github.com/kamilsk/breaker"
)

// An RWMutex is a lock for any number of readers or one writer, whose Lock and RLock can be
// interrupted. The zero value is unlocked.
//
// It is granted first come, first served: a reader that comes after a waiting writer waits too, so
// neither side starves. So don't ask for a second read lock while you hold one, as with
// sync.RWMutex. If a waiting writer is interrupted, the readers behind it go on at once. All
// methods may be called concurrently.
type RWMutex struct{ w weighted }

// all is what a writer takes. There are never so many readers.
const all = 1 << 30

// Lock locks the mutex for writing. It returns what Mutex.Lock returns.
func (m *RWMutex) Lock(br breaker.Interface) error {
	if b, ok := br.(*breaker.Breaker); ok && b != nil && b.Err() == nil && m.w.state.CompareAndSwap(0, all*one) {
		return nil
	}
	if err := ask(br, "Lock"); err != nil {
		return err
	}
	if m.TryLock() {
		return nil
	}
	return m.w.take(br, all, all)
}

// TryLock locks the mutex for writing if it is free, and reports whether it did. It never waits.
func (m *RWMutex) TryLock() bool { return m.w.state.CompareAndSwap(0, all*one) }

// Unlock undoes Lock. It never waits. It panics if the mutex isn't locked for writing.
func (m *RWMutex) Unlock() {
	if !m.w.state.CompareAndSwap(all*one, 0) {
		m.unlockSlow()
	}
}

func (m *RWMutex) unlockSlow() {
	if !m.w.give(all) {
		panic("breakersync: Unlock: the RWMutex isn't locked for writing")
	}
}

// RLock locks the mutex for reading. It returns what Mutex.Lock returns.
func (m *RWMutex) RLock(br breaker.Interface) error {
	if b, ok := br.(*breaker.Breaker); ok && b != nil && b.Err() == nil && m.w.tryTake(1, all) {
		return nil
	}
	if err := ask(br, "RLock"); err != nil {
		return err
	}
	if m.w.tryTake(1, all) {
		return nil
	}
	return m.w.take(br, 1, all)
}

// TryRLock locks the mutex for reading if no writer has it or waits for it, and reports whether it
// did. It never waits.
func (m *RWMutex) TryRLock() bool { return m.w.tryTake(1, all) }

// RUnlock undoes one RLock. It never waits. It panics if the mutex isn't locked for reading.
func (m *RWMutex) RUnlock() {
	if now := m.w.state.Add(^uint64(one - 1)); now&slow != 0 || now>>takenShift >= all-1 {
		m.runlockSlow(now)
	}
}

func (m *RWMutex) runlockSlow(now uint64) {
	if now>>takenShift >= all-1 { // it was 0, or a writer's
		m.w.state.Add(one)
		panic("breakersync: RUnlock: the RWMutex isn't locked for reading")
	}
	m.w.gave(1)
}

// Locker returns the mutex as a sync.Locker that locks for writing. Its Lock can't be interrupted.
func (m *RWMutex) Locker() sync.Locker { return (*writeLocker)(m) }

// RLocker returns the mutex as a sync.Locker that locks for reading. Its Lock can't be interrupted.
func (m *RWMutex) RLocker() sync.Locker { return (*readLocker)(m) }

type (
	writeLocker RWMutex
	readLocker  RWMutex
)

func (l *writeLocker) Lock() {
	if !(*RWMutex)(l).TryLock() {
		_ = l.w.take(nil, all, all) // without a breaker, it can't fail
	}
}

func (l *writeLocker) Unlock() { (*RWMutex)(l).Unlock() }

func (l *readLocker) Lock() {
	if !l.w.tryTake(1, all) {
		_ = l.w.take(nil, 1, all)
	}
}

func (l *readLocker) Unlock() { (*RWMutex)(l).RUnlock() }
