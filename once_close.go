package breaker

import (
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// onceClose is the channel behind Done: made at the first call, closed exactly once.
//
// A channel takes 112 bytes and more time than the rest of a breaker, so a breaker that is closed
// before anyone asked for Done never has one. The field goes
//
//	nil → a channel → the same channel, closed          asked for before the trip
//	nil → (a channel that nobody saw →) a closed one    asked for after the trip
//
// and the flagDone bit of the state word says that the channel in it is the one that was handed
// out. All that decides anything is the state word: a channel is handed out only by setting the bit
// while the breaker isn't settled, and whoever settles the breaker closes it only if the bit is
// set.
//
// Two rejected ways: a closed channel shared by the package, because a blocking receive on it takes
// its lock, which the whole process would share; and sealing the field with a second
// compare-and-swap at each trip, which makes New and Close three locked instructions instead of
// one.
type onceClose struct {
	c atomic.Chan
}

// close closes the channel that was handed out. Only the winner of the trip calls it, once, and
// only when flagDone is set.
func (o *onceClose) close() { atomic.Close(o.c.Load()) }

// isClosed reports whether the channel that was handed out is closed, without blocking and without
// a lock.
func (o *onceClose) isClosed() bool { return atomic.Closed(o.c.Load()) }

// get returns the channel, or nil if there is none yet.
func (o *onceClose) get() chan struct{} { return o.c.Load() }

// touch brings the channel into the cache. What it returns means nothing.
func (o *onceClose) touch() uintptr { return o.c.Touch() }

// open returns a channel that is in the field, making it if there is none.
func (o *onceClose) open() chan struct{} {
	if c := o.c.Load(); c != nil {
		return c
	}
	c := make(chan struct{})
	if o.c.CompareAndSwap(nil, c) {
		return c
	}
	return o.c.Load()
}

// openClosed returns a closed channel that is in the field for good. Only for a settled breaker
// whose channel was never handed out: what lies in the field may then be a channel that nobody has
// seen and nobody will close; it is replaced.
func (o *onceClose) openClosed() chan struct{} {
	var made chan struct{}
	for {
		c := o.c.Load()
		if c != nil && atomic.Closed(c) {
			return c
		}
		if made == nil {
			made = closedChannel()
		}
		if o.c.CompareAndSwap(c, made) {
			return made
		}
	}
}

// closedChannel returns a closed channel that may be used on both sides of a bubble.
func closedChannel() chan struct{} {
	if inBubble() {
		return closedOutside
	}
	made := make(chan struct{})
	atomic.Close(made)
	return made
}

// closedOutside is shared only by what runs in a bubble: a channel made there may not be used
// outside of it, where the breaker may be.
var closedOutside = func() chan struct{} {
	made := make(chan struct{})
	close(made)
	return made
}()

// handOut returns the channel of Done, and sets flagDone so that whoever trips the breaker closes
// it.
func (b *Breaker) handOut() chan struct{} {
	for {
		s := b.state.Load()
		switch {
		case s&flagDone != 0:
			return b.done.get()
		case s&settled != 0:
			c := b.done.openClosed()
			b.move(0, flagDone)
			return c
		default:
			c := b.done.open()
			if b.state.CompareAndSwap(s, s|flagDone) {
				if live.On() {
					b.enlistUsed()
				}
				return c
			}
		}
	}
}

func wait(c <-chan struct{}) { atomic.Wait(c) }
