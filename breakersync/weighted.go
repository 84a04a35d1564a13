package breakersync

import (
	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
)

// weighted is a number of permits and a queue of waiters. Mutex, RWMutex and Semaphore are built on
// it. A Mutex has one permit. In an RWMutex a reader takes one permit and a writer takes all.
//
// The word is
//
//	bit 0       a waiter is queued, or the capacity is being changed
//	bits 1-15   a number that each change of the capacity increments
//	bits 16-63  how many permits are taken
//
// Taking permits is one compare-and-swap, and giving them back is one addition. While bit 0 is set,
// permits are taken under mu only, and a goroutine that gives some back locks mu and hands them to
// the queue. So bit 0 is set before the first waiter enters, and cleared with the last.
//
// The capacity is outside of the word. The number makes a compare-and-swap fail if the capacity has
// changed since it was read.
type weighted struct {
	state    atomic.Uint64
	mu       atomic.Mutex
	queued   list          // guarded by mu
	capacity atomic.Uint64 // written under mu
}

const (
	slow         = 1
	loud         = slow | 1<<63 // bit 63: more has been given back than was taken
	takenShift   = 16
	one          = 1 << takenShift
	revision     = 2
	revisionMask = one - revision
	maxCapacity  = 1 << 46 // so that the sum of two leaves the sign of the word alone
)

// tryTake takes n permits if they are available and the queue is empty.
func (s *weighted) tryTake(n, capacity uint64) bool {
	for {
		old := s.state.Load()
		if old&slow != 0 || old>>takenShift+n > capacity {
			return false
		}
		if s.state.CompareAndSwap(old, old+n<<takenShift) {
			return true
		}
	}
}

// take takes n permits, and waits for them in the queue. It doesn't ask the breaker first. With a
// nil breaker it can't be interrupted. The capacity is the fixed one of a Mutex or an RWMutex, or
// zero for a Semaphore.
func (s *weighted) take(br breaker.Interface, n, capacity uint64) error {
	w := newWaiter(s)
	w.want = n
	switch s.enter(w, capacity) {
	case granted:
		w.drop()
		return nil
	case refused:
		w.drop()
		return ErrCapacity
	}
	switch w.wait(br) {
	case granted:
		if br == nil {
			return nil
		}
		// The breaker may have tripped before the grant, with its callback still to come. The
		// caller can see the trip, so it gets the cause.
		if err := causeOf(br); err != nil {
			s.give(n)
			return err
		}
		return nil
	case interrupted:
		return br.Cause()
	case refused:
		return ErrCapacity
	default:
		panic("breakersync: unknown verdict")
	}
}

// enter puts the waiter into the queue, unless its permits are available, or never will be.
func (s *weighted) enter(w *waiter, capacity uint64) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if capacity == 0 {
		capacity = s.capacity.Load()
	} else if s.capacity.Load() == 0 {
		s.capacity.Store(capacity)
	}
	if w.want > capacity {
		return refused
	}
	for s.queued.first == nil {
		old := s.state.Load()
		if old>>takenShift+w.want <= capacity {
			if s.state.CompareAndSwap(old, old+w.want<<takenShift) {
				return granted
			}
		} else if s.state.CompareAndSwap(old, old|slow) {
			break
		}
	}
	s.queued.push(w)
	return 0
}

// give gives n permits back, and reports whether so many were taken.
func (s *weighted) give(n uint64) bool {
	return s.state.Add(-n<<takenShift)&loud == 0 || s.gave(n)
}

// gave completes a give that found the word loud: it hands the permits to the queue. It reports
// whether so many were taken.
func (s *weighted) gave(n uint64) bool {
	misuse := int64(s.state.Load()) < 0
	if misuse {
		s.state.Add(n << takenShift)
	}
	s.mu.Lock()
	out := s.grant()
	s.mu.Unlock()
	out.open()
	return !misuse
}

// grant gives the waiters at the front of the queue what they want, as long as there is enough. It
// stops at the first that has to wait: otherwise small requests could starve a large one. The
// caller holds mu, and opens the gates of the returned waiters after it has unlocked mu.
func (s *weighted) grant() (out woken) {
	capacity := s.capacity.Load()
	for w := s.queued.first; w != nil; w = s.queued.first {
		old := s.state.Load()
		if old>>takenShift+w.want > capacity {
			break
		}
		next := old + w.want<<takenShift
		if w.next == nil {
			next -= slow
		}
		if s.state.CompareAndSwap(old, next) {
			s.queued.take(w, granted)
			out.add(w)
		}
	}
	return out
}

// giveUp is the callback of a waiter's breaker.
func (s *weighted) giveUp(w *waiter) {
	s.mu.Lock()
	if !w.queued {
		s.mu.Unlock()
		return
	}
	front := w.prev == nil
	s.queued.take(w, interrupted)
	var out woken
	switch {
	case s.queued.first == nil:
		s.state.Add(^uint64(0)) // slow
	case front:
		out = s.grant() // the waiters behind it may want less
	}
	s.mu.Unlock()
	out.open()
	w.gate.Open()
}

// resize changes the capacity. Waiters for more than the new capacity are refused.
func (s *weighted) resize(capacity uint64) {
	s.mu.Lock()
	for {
		old := s.state.Load()
		next := old&^revisionMask | (old+revision)&revisionMask
		if s.state.CompareAndSwap(old, next|slow) {
			break
		}
	}
	s.capacity.Store(capacity)
	var out woken
	for w := s.queued.first; w != nil; {
		next := w.next
		if w.want > capacity {
			s.queued.take(w, refused)
			out.add(w)
		}
		w = next
	}
	var more woken
	if s.queued.first == nil {
		s.state.Add(^uint64(0)) // slow
	} else {
		more = s.grant()
	}
	s.mu.Unlock()
	out.open()
	more.open()
}
