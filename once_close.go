package breaker

import (
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/live"
)

// onceClose is the channel behind Done: made at the first call, closed exactly once.
//
// A channel takes 112 bytes, and more time than the rest of a breaker. So a breaker that trips
// before anything asked for Done never makes one. The field goes
//
//	nil → a channel → the same channel, closed          asked for before the trip
//	nil → (a channel that nobody saw →) a closed one    asked for after the trip
//
// flagDone in the state word says that the channel in the field is the one that was handed out. The
// state word alone decides: Done hands a channel out only by setting the bit while the breaker
// isn't settled, and the winner closes it only if the bit is set.
//
// Rejected in docs/design.md, "One closed channel for all": a closed channel that the package
// shares, and sealing the field at each trip.
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

// touch brings the channel into the cache. Its result means nothing.
func (o *onceClose) touch() uintptr { return o.c.Touch() }

// open returns the channel in the field, making it if there is none.
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

// openClosed returns the closed channel that stays in the field. Call it only for a settled breaker
// whose channel was never handed out. The field may then hold a channel that nobody has seen and
// nobody will close: openClosed replaces it.
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

// closedChannel returns a closed channel that code inside and outside of a bubble may use.
func closedChannel() chan struct{} {
	if bubble.Inside() {
		return closedOutside
	}
	made := make(chan struct{})
	atomic.Close(made)
	return made
}

// closedOutside is for code in bubbles only. A channel made in a bubble can't be used outside of
// it, where the breaker may be.
var closedOutside = func() chan struct{} {
	made := make(chan struct{})
	close(made)
	return made
}()

// shareDone returns the channel of Done. It sets flagDone, so that the winner closes the channel.
func (b *Breaker) shareDone() chan struct{} {
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
					b.enlistUsed(s)
				}
				return c
			}
		}
	}
}

// closeDone closes the channel that was handed out. Only the winner calls it, once (promise 1),
// with the word that its claim has left. With flagRelay, package context learns the cause in the
// same instant.
func (b *Breaker) closeDone(s uint32) {
	if s&flagRelay == 0 {
		b.done.close()
		return
	}
	relay := b.registry.Extra().Load()
	relay.Close(b.done.get(), contextCause(b.reason()), s&flagExpired != 0)
}

func wait(c <-chan struct{}) { atomic.Wait(c) }
