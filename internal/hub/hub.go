// Package hub lets many callers share what is costly to keep, such as a goroutine. It is a map
// whose entries are joined and left: the first caller that joins a key starts its entry, and the
// last that leaves the entry ends it.
//
//	type watch struct {
//		hub.Entry
//		…
//	}
//	var watches hub.Map[*watch]
//
//	w, found := watches.Join(key, start) // start returns a new *watch
//	…
//	if watches.Leave(w) {
//		// this was the last one: end it
//	}
//
// An entry is for one occasion only. What is about to tell those that have joined takes the entry
// out of the map first, by Remove. From then on Join starts another, so nobody learns of what
// happened before they came (promise 12).
//
// Joining an entry that others have joined takes no lock and allocates nothing, and so does leaving
// it. Starting an entry takes the map's one lock, and so does Remove. All methods may be called
// concurrently. The package relies on nothing but internal/atomic. What an entry does, and how it
// ends, is up to the caller.
package hub

import "github.com/kamilsk/breaker/internal/atomic"

// Map finds the entry for a key. Its zero value is empty. E is a pointer to a struct that embeds
// Entry.
type Map[E member] struct {
	mu      atomic.Mutex // held while an entry is started, or removed
	entries atomic.Map   // of E
}

type member interface {
	comparable
	entry() *Entry
}

// Entry is what a Map keeps of an entry. An entry is in one Map only, and once.
type Entry struct {
	// refs counts the callers that have joined and not left. Once it is 0 it stays 0.
	refs atomic.Int32
	// key is written before the entry is in the map.
	key atomic.Plain[any]
}

func (e *Entry) entry() *Entry { return e }

// Join returns the entry for the key, and whether there was one; if not, it is what start returns.
// The caller has joined it, and has to leave it once.
//
// Join calls start with the lock held, so start must not wait for another goroutine that joins or
// removes. It may start a goroutine that does. If start panics, nothing has changed.
func (m *Map[E]) Join(key any, start func() E) (e E, found bool) {
	if e, found := m.Find(key); found {
		return e, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, found := m.Find(key); found {
		return e, true
	}
	e = start()
	e.entry().refs = atomic.Int32Of(1)
	e.entry().key.Set(key)
	m.entries.Store(key, e)
	return e, false
}

// Find is Join if there is an entry for the key that some caller is on. Else it does nothing, and
// found is false.
func (m *Map[E]) Find(key any) (e E, found bool) {
	value, ok := m.entries.Load(key)
	if !ok {
		return e, false
	}
	held := value.(E)
	for refs := &held.entry().refs; ; {
		n := refs.Load()
		if n == 0 {
			return e, false
		}
		if refs.CompareAndSwap(n, n+1) {
			return held, true
		}
	}
}

// Leave undoes one Join or Find. It reports whether that was the last: then nobody gets e any more,
// and the caller ends it.
//
// It takes no lock: the goroutine that holds that may be waiting for the runtime's cleanups, and
// one of those may leave.
func (m *Map[E]) Leave(e E) (last bool) {
	if e.entry().refs.Dec() != 0 {
		return false
	}
	m.remove(e)
	return true
}

// Remove takes e out of the map, if it is still the one for its key: the next Join starts another.
// Those that have joined e are still on it, and leave it. Remove may be called more than once, and
// before the Join that started e has returned: it waits until e is in the map.
func (m *Map[E]) Remove(e E) {
	m.mu.Lock()
	m.remove(e)
	m.mu.Unlock()
}

func (m *Map[E]) remove(e E) { m.entries.CompareAndDelete(e.entry().key.Get(), e) }
