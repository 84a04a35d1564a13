package semaphore

import (
	"runtime"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// ErrCapacity is what Acquire returns when you ask for more permits than the semaphore has. It is
// breakersync.ErrCapacity.
var ErrCapacity = breakersync.ErrCapacity

var shared = New(runtime.GOMAXPROCS(0))

// Acquire takes n permits of the shared semaphore. See Semaphore.Acquire.
func Acquire(br breaker.Interface, n int) error { return shared.Acquire(br, n) }

// TryAcquire takes n permits of the shared semaphore if they are available. See
// Semaphore.TryAcquire.
func TryAcquire(n int) bool { return shared.TryAcquire(n) }

// Release gives n permits back to the shared semaphore. See Semaphore.Release.
func Release(n int) { shared.Release(n) }

// SetCapacity changes how many permits the shared semaphore has. See Semaphore.SetCapacity.
func SetCapacity(capacity int) { shared.SetCapacity(capacity) }

// A Semaphore is a number of permits, granted first come, first served. All methods may be called
// concurrently. The zero value has no permits, until SetCapacity.
type Semaphore struct{ s breakersync.Semaphore }

// New returns a semaphore with that many permits. It panics if the capacity is negative.
func New(capacity int) *Semaphore {
	if capacity < 0 {
		panic("semaphore: New: the capacity is negative")
	}
	s := new(Semaphore)
	s.s.Resize(capacity)
	return s
}

// Acquire takes n permits. If too few are available, it waits until there are enough or the breaker
// trips. It closes the breaker before it returns.
//
// It returns nil iff the caller has the permits. Otherwise it returns the cause of the breaker. If
// the breaker had tripped before the call, it does so even if the permits are available. If n is
// more than the capacity, it returns ErrCapacity without waiting. Without contention it costs a
// compare-and-swap and the Close. It panics if the breaker is nil or n is negative. Only then does
// it leave the breaker open.
func (s *Semaphore) Acquire(br breaker.Interface, n int) error {
	if b, ok := br.(*breaker.Breaker); br == nil || ok && b == nil {
		panic("semaphore: Acquire: the breaker is nil")
	}
	checked(n, "Acquire")
	defer br.Close()
	return s.s.Acquire(br, n)
}

// TryAcquire takes n permits if they are available and no other call is waiting. It reports whether
// it did, and never waits. It panics if n is negative.
func (s *Semaphore) TryAcquire(n int) bool { return s.s.TryAcquire(checked(n, "TryAcquire")) }

// Release gives n permits back. It never waits. It panics if n is negative, or more than are taken.
func (s *Semaphore) Release(n int) { s.s.Release(checked(n, "Release")) }

// SetCapacity changes how many permits there are. Additional permits go to the waiting calls. A
// smaller capacity takes effect once enough permits have been released. A call that waits for more
// than the new capacity returns ErrCapacity. SetCapacity never waits. It panics if the capacity is
// negative.
func (s *Semaphore) SetCapacity(capacity int) {
	if capacity < 0 {
		panic("semaphore: SetCapacity: the capacity is negative")
	}
	s.s.Resize(capacity)
}

func checked(n int, function string) int {
	if n < 0 {
		panic("semaphore: " + function + ": n is negative")
	}
	return n
}
