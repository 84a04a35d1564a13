package atomic

import (
	"sync"

	"go.uber.org/atomic"
)

// gate is what one goroutine waits at until another opens it, once. Its zero value is shut.
//
// It is a condition of the runtime's, without a lock. A channel would have to be made for each
// wait: a channel made inside a testing/synctest bubble can't be used again outside, nor the other
// way round. A condition belongs to neither side, and a goroutine that waits for it is durably
// blocked, as at a channel.
type gate struct {
	state atomic.Uint32
	cond  sync.Cond
}

const (
	gateShut   uint32 = iota
	gateParked        // the goroutine has its ticket of the condition, and blocks or is about to
	gateOpen
)

// Wait returns when the gate is open. One goroutine may call it.
func (g *gate) Wait() {
	if g.state.Load() != gateOpen {
		g.cond.L = (*ticket)(g)
		g.cond.Wait()
		g.state.Load() // orders what came before Open before what follows
	}
}

// Open opens the gate. If it lets a goroutine go on, doing so is the last that it does with the
// gate.
func (g *gate) Open() {
	if g.state.Swap(gateOpen) == gateParked {
		g.cond.Signal()
	}
}

// Shut makes the gate as good as new. Only its owner may call it, after Open has let it go on.
func (g *gate) Shut() { g.state.Store(gateShut) }

// ticket is the gate as the lock of its condition, which unlocks it between taking the ticket and
// blocking.
type ticket gate

// Unlock says that Open has to signal. If Open was faster, it signals to itself, and won't block.
func (t *ticket) Unlock() {
	if !t.state.CompareAndSwap(gateShut, gateParked) {
		t.cond.Signal()
	}
}

func (t *ticket) Lock() {}
