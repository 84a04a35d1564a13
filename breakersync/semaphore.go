package breakersync

import "github.com/kamilsk/breaker"

// A Semaphore is a number of permits. Acquire takes some, and waits until there are enough; Release
// gives them back.
//
// Permits are granted first come, first served: a call for many isn't overtaken by calls for few.
// An interrupted waiter makes room for the waiters behind it. The zero value has the capacity 0,
// until Resize. All methods may be called concurrently. One goroutine may release what another has
// acquired.
type Semaphore struct{ w weighted }

// NewSemaphore returns a semaphore with that many permits. More than 1<<46 count as 1<<46. It
// panics if the capacity is negative.
func NewSemaphore(capacity int) *Semaphore {
	s := new(Semaphore)
	s.w.capacity.Store(min(permits(capacity, "NewSemaphore: the capacity"), maxCapacity))
	return s
}

// Acquire takes n permits. If too few are available, it waits until there are enough or the breaker
// trips.
//
// It returns nil iff the caller has the permits. Otherwise it returns the cause of the breaker. If
// the breaker had tripped before the call, it does so even if the permits are available. If n is
// more than the capacity, or Resize makes it so, it returns ErrCapacity without waiting. Without
// contention it costs two loads and a compare-and-swap. It panics if the breaker is nil or n is
// negative.
func (s *Semaphore) Acquire(br breaker.Interface, n int) error {
	if b, ok := br.(*breaker.Breaker); ok && b != nil && b.Err() == nil && n >= 0 && s.tryAcquire(uint64(n)) {
		return nil
	}
	return s.acquireSlow(br, n)
}

func (s *Semaphore) acquireSlow(br breaker.Interface, n int) error {
	want := permits(n, "Acquire: n")
	if err := ask(br, "Acquire"); err != nil {
		return err
	}
	if s.tryAcquire(want) {
		return nil
	}
	return s.w.take(br, want, 0)
}

// TryAcquire takes n permits if they are available and no other call is waiting. It reports whether
// it did, and never waits. It panics if n is negative.
func (s *Semaphore) TryAcquire(n int) bool { return s.tryAcquire(permits(n, "TryAcquire: n")) }

// Release gives n permits back. It never waits. It panics if n is negative, or more than are taken.
func (s *Semaphore) Release(n int) {
	if uint64(n) > maxCapacity || s.w.state.Add(-uint64(n)<<takenShift)&loud != 0 {
		s.releaseSlow(n)
	}
}

func (s *Semaphore) releaseSlow(n int) {
	if want := permits(n, "Release: n"); want > maxCapacity || !s.w.gave(want) {
		panic("breakersync: Release: n is more than the permits that are taken")
	}
}

// Resize changes the capacity. It never waits.
//
// Additional permits go to the waiting calls. A smaller capacity takes effect once enough permits
// have been released: none are taken away. A call that waits for more than the new capacity returns
// ErrCapacity. Resize panics if the capacity is negative.
func (s *Semaphore) Resize(capacity int) {
	s.w.resize(min(permits(capacity, "Resize: the capacity"), maxCapacity))
}

// Capacity returns how many permits there are, taken or not.
func (s *Semaphore) Capacity() int { return int(s.w.capacity.Load()) }

// Acquired returns how many permits are taken. By the time it returns, that may have changed.
func (s *Semaphore) Acquired() int { return int(s.w.state.Load() >> takenShift) }

// tryAcquire loads the word before the capacity: see weighted.
func (s *Semaphore) tryAcquire(n uint64) bool {
	for {
		old := s.w.state.Load()
		if old&slow != 0 || old>>takenShift+n > s.w.capacity.Load() {
			return false
		}
		if s.w.state.CompareAndSwap(old, old+n<<takenShift) {
			return true
		}
	}
}

// permits checks a number of permits.
func permits(n int, what string) uint64 {
	if n < 0 {
		panic("breakersync: " + what + " is negative")
	}
	return uint64(n)
}
