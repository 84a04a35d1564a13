package breakersync

import (
	"sync"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
)

// A Cond is a sync.Cond whose Wait can be interrupted. Its lock guards the condition: a sync.Mutex,
// or the Locker of a Mutex or an RWMutex. The zero value is ready for use once it has an L. All
// methods may be called concurrently.
//
// Signal wakes the goroutine that has waited longest. It never picks a goroutine that its breaker
// has interrupted, so no signal is lost.
type Cond struct {
	// L is held while you read or change the condition. Don't replace L once Wait has been called.
	L sync.Locker

	mu      atomic.Mutex
	queued  list          // guarded by mu
	waiting atomic.Uint32 // the length of queued; written under mu
}

// NewCond returns a condition with that lock. It panics if the lock is nil.
func NewCond(l sync.Locker) *Cond {
	if l == nil {
		panic("breakersync: NewCond: the lock is nil")
	}
	return &Cond{L: l}
}

// Wait unlocks c.L and waits for Signal, Broadcast or the trip of the breaker. It always locks c.L
// again before it returns. That lock can't be interrupted.
//
// It returns nil iff Signal or Broadcast has woken it, even if the breaker has tripped since.
// Otherwise it returns the cause of the breaker. If the breaker had tripped before the call, Wait
// returns at once, without unlocking c.L.
//
// As with sync.Cond, hold c.L when you call Wait, and call it in a loop that checks the condition.
// Wait panics if the breaker or c.L is nil.
func (c *Cond) Wait(br breaker.Interface) error {
	if c.L == nil {
		panic("breakersync: Wait: L is nil")
	}
	if err := ask(br, "Wait"); err != nil {
		return err
	}
	w := newWaiter(c)
	c.mu.Lock()
	c.queued.push(w)
	c.waiting.Inc()
	c.mu.Unlock()

	c.L.Unlock()
	v := w.wait(br)
	c.L.Lock()
	if v == interrupted {
		return br.Cause()
	}
	return nil
}

// Signal wakes the goroutine that has waited longest, if there is one. You may hold c.L, but
// needn't. Signal never waits.
func (c *Cond) Signal() {
	if c.waiting.Load() == 0 {
		return
	}
	c.mu.Lock()
	w := c.queued.first
	if w != nil {
		c.queued.take(w, granted)
		c.waiting.Dec()
	}
	c.mu.Unlock()
	if w != nil {
		w.gate.Open()
	}
}

// Broadcast wakes all waiting goroutines. You may hold c.L, but needn't. Broadcast never waits.
func (c *Cond) Broadcast() {
	if c.waiting.Load() == 0 {
		return
	}
	var out woken
	c.mu.Lock()
	for w := c.queued.first; w != nil; w = c.queued.first {
		c.queued.take(w, granted)
		out.add(w)
	}
	c.waiting.Store(0)
	c.mu.Unlock()
	out.open()
}

// giveUp is the callback of a waiter's breaker. It takes mu but not L, so a goroutine that holds L
// may trip a breaker.
func (c *Cond) giveUp(w *waiter) {
	c.mu.Lock()
	queued := w.queued
	if queued {
		c.queued.take(w, interrupted)
		c.waiting.Dec()
	}
	c.mu.Unlock()
	if queued {
		w.gate.Open()
	}
}
