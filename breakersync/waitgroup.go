package breakersync

import (
	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
)

// A WaitGroup is a sync.WaitGroup whose Wait can be interrupted. It counts tasks, and Wait waits
// until the count is zero or a breaker trips. The zero value counts none.
//
// Interrupting Wait doesn't interrupt the tasks. To stop them, give them the breaker, or use a
// Group. All methods may be called concurrently, but an Add from zero has to happen before Wait.
type WaitGroup struct {
	state  atomic.Uint64 // bit 0: a waiter has come since the count was zero; changed under mu only
	mu     atomic.Mutex
	queued list // guarded by mu
}

const task = 2

// Go runs f in a goroutine of its own, and counts it as a task until it returns. f must not panic.
// Go panics if f is nil.
func (g *WaitGroup) Go(f func()) {
	if f == nil {
		panic("breakersync: Go: f is nil")
	}
	g.Add(1)
	atomic.Go(func() {
		defer g.Done()
		f()
	})
}

// Add adds delta, which may be negative, to the number of tasks. It panics if the number becomes
// negative.
func (g *WaitGroup) Add(delta int) {
	for {
		old := g.state.Load()
		next := old + uint64(int64(delta))*task
		if int64(next) < 0 {
			panic("breakersync: Add: the number of tasks becomes negative")
		}
		if g.state.CompareAndSwap(old, next) {
			if next == slow && old != slow {
				g.wake()
			}
			return
		}
	}
}

// Done subtracts one task, which has ended. It panics if there is none.
func (g *WaitGroup) Done() { g.Add(-1) }

// Wait waits until there are no tasks, or the breaker trips. If there are none it returns nil, even
// if the breaker has tripped. Otherwise it returns the cause of the breaker. It panics if the
// breaker is nil.
func (g *WaitGroup) Wait(br breaker.Interface) error {
	err := ask(br, "Wait")
	if g.state.Load() < task {
		return nil
	}
	if err != nil {
		return err
	}
	w := newWaiter(g)
	if !g.enter(w) {
		w.drop()
		return nil
	}
	if w.wait(br) == interrupted {
		return br.Cause()
	}
	return nil
}

// enter puts the waiter into the queue, and returns true, unless there is nothing to wait for.
func (g *WaitGroup) enter(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		old := g.state.Load()
		if old < task {
			return false
		}
		if g.state.CompareAndSwap(old, old|slow) {
			g.queued.push(w)
			return true
		}
	}
}

// wake wakes all waiters. If there are tasks again, either the earlier waiters have given up, or
// this is the misuse that sync.WaitGroup panics about. Then the waiters keep waiting.
func (g *WaitGroup) wake() {
	var out woken
	g.mu.Lock()
	if g.state.CompareAndSwap(slow, 0) {
		for w := g.queued.first; w != nil; w = g.queued.first {
			g.queued.take(w, granted)
			out.add(w)
		}
	}
	g.mu.Unlock()
	out.open()
}

// giveUp is the callback of a waiter's breaker.
func (g *WaitGroup) giveUp(w *waiter) {
	g.mu.Lock()
	queued := w.queued
	if queued {
		g.queued.take(w, interrupted)
	}
	g.mu.Unlock()
	if queued {
		w.gate.Open()
	}
}
