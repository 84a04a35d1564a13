package breakersync

import (
	"sync"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
)

// A Cond is a condition that goroutines wait for, whose Wait can be interrupted. It is used as
// sync.Cond, with a lock that guards the condition: a sync.Mutex, or the Locker of a Mutex or an
// RWMutex. The zero value is ready for use once it has an L.
//
// Signal wakes the goroutine that has waited longest. A goroutine whose breaker has interrupted it
// isn't there any more: Signal is never lost to it.
type Cond struct {
	// L is held while the condition is looked at or changed. It must not be changed once Wait has
	// been called.
	L sync.Locker

	mu      atomic.Mutex
	queued  list          // guarded by mu
	waiting atomic.Uint32 // how many are in it; written under mu
}

// NewCond returns a condition with that lock. It panics if the lock is nil.
func NewCond(l sync.Locker) *Cond {
	if l == nil {
		panic("breakersync: NewCond: the lock is nil")
	}
	return &Cond{L: l}
}

// Wait unlocks c.L and waits for Signal, Broadcast or the trip of the breaker. It locks c.L again
// before it returns, whatever it returns, and that can't be interrupted.
//
// It returns nil iff Signal or Broadcast has woken it. Otherwise it returns the cause of the
// breaker. If the breaker had tripped before the call, it returns at once, and hasn't unlocked c.L.
// If Signal came first, Wait returns nil though the breaker has tripped since: otherwise that
// signal would be lost.
//
// As with sync.Cond, the caller holds c.L, and calls Wait in a loop that looks at the condition. It
// panics if the breaker or c.L is nil.
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

// Signal wakes the goroutine that has waited longest, if there is any. The caller may hold c.L, and
// needn't. It never waits.
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

// Broadcast wakes all goroutines that wait. The caller may hold c.L, and needn't.
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

// giveUp is what the callback of a waiter's breaker does. It takes mu alone, so a goroutine that
// holds L may trip a breaker.
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
