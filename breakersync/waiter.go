package breakersync

import (
	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
)

// A waiter is a goroutine in a queue. It is taken out exactly once, under the mutex of the queue,
// either by the goroutine that grants it what it waits for, or by the one that trips its breaker.
// That goroutine writes the verdict and opens the gate. So a trip and a grant at the same moment
// can't both count.
type waiter struct {
	gate atomic.Gate
	// queue is where it waits, written before it enters.
	queue queue
	// want is how much it waits for. Only weighted uses it.
	want uint64

	// Guarded by the mutex of the queue.
	prev, next *waiter
	queued     bool

	// verdict is written by the goroutine that took it out, before the gate opens, and read by the
	// waiter afterwards.
	verdict atomic.Plain[verdict]
	// onTrip is giveUp, kept because each method value is an allocation.
	onTrip func()
}

// queue is what waiters wait in.
type queue interface {
	// giveUp takes the waiter out, if it is still there, and opens its gate.
	giveUp(w *waiter)
}

type verdict uint8

const (
	granted verdict = iota + 1
	interrupted
	refused // what it waits for will never be there
)

// waiters holds waiters for reuse: there is no reference to them any more.
var waiters atomic.Pool[waiter]

func newWaiter(q queue) *waiter {
	w := waiters.Get()
	if w == nil {
		made := new(waiter)
		made.onTrip = func() { made.queue.giveUp(made) }
		w = made
	}
	w.queue = q
	return w
}

// drop makes the waiter available for reuse. There must be no other reference to it.
func (w *waiter) drop() {
	w.gate.Shut()
	w.queue, w.want = nil, 0
	w.verdict.Set(0)
	waiters.Put(w)
}

// wait returns the verdict once the waiter has been taken out of its queue. A nil breaker never
// interrupts it. The caller must not hold a mutex that giveUp locks: on a tripped breaker OnTrip
// runs the callback at once.
func (w *waiter) wait(br breaker.Interface) verdict {
	var v verdict
	unused := true // there is no other reference to the waiter
	switch b := br.(type) {
	case nil:
		v = w.await()
	case *breaker.Breaker:
		stop := b.OnTrip(w.onTrip) // inlined for this type, so that stop isn't allocated
		v = w.await()
		unused = v == interrupted || stop()
	default:
		stop := b.OnTrip(w.onTrip)
		v = w.await()
		unused = v == interrupted || stop()
	}
	// A callback that has interrupted the waiter has finished with it. A late callback may still
	// use the waiter, because stop never blocks (promise 7). Then the waiter is left to the garbage
	// collector.
	if unused {
		w.drop()
	}
	return v
}

func (w *waiter) await() verdict {
	w.gate.Wait()
	return w.verdict.Get()
}

// list is a queue's list of waiters, in the order in which they came. It is guarded by the mutex of
// the queue.
type list struct{ first, last *waiter }

func (l *list) push(w *waiter) {
	w.queued, w.prev, w.next = true, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

// take removes the waiter, wherever it is, and writes the verdict. The caller opens its gate once
// it has unlocked the mutex.
func (l *list) take(w *waiter, v verdict) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queued, w.prev, w.next = false, nil, nil
	w.verdict.Set(v)
}

// woken is a list of waiters that have been taken out, but whose gates are still closed.
type woken struct{ list }

func (c *woken) add(w *waiter) {
	if c.last == nil {
		c.first = w
	} else {
		c.last.next = w
	}
	c.last = w
}

// open opens their gates. The caller holds no mutex, so the woken goroutines don't contend for it.
func (c *woken) open() {
	for w := c.first; w != nil; {
		next := w.next // after Open, the waiter belongs to others
		w.next = nil
		w.gate.Open()
		w = next
	}
}
