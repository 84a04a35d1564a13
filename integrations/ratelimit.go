package integrations

import (
	"context"
	"time"

	"go.uber.org/ratelimit"

	"github.com/kamilsk/breaker"
)

// Limiter is a go.uber.org/ratelimit limiter whose Take a breaker can interrupt. It starts no
// goroutine, and an interrupted Take doesn't lose its permission.
//
// Take of the library can't be interrupted: it reserves the next moment and sleeps until then. Its
// API lets you replace only the clock, and that is enough:
//
//   - With a clock that records the sleep instead of sleeping, Take is a reservation and returns at
//     once. Limiter does the waiting, in a select with the breaker's Done.
//   - One taker at a time reserves and waits, and the others queue up. A taker that is interrupted
//     in the queue has reserved nothing.
//   - A taker that is interrupted at the head gives the reservation back by moving the clock one
//     period ahead. The limiter then issues that moment once more, or counts it as slack, as if it
//     had never been reserved.
//   - A taker that comes to the head reserves with the clock at the moment of its call, as it would
//     have done without a queue. So late timers cost no permission.
//
// So the others go on at the same moments as with the library's own limiter, as if the interrupted
// takers had never come. The cost is that takers go on one after the other: Limiter keeps the
// library's pace up to some 100,000 permissions a second.
//
// All methods may be called concurrently.
type Limiter struct {
	limiter ratelimit.Limiter
	period  time.Duration
	start   time.Time

	// turn holds a value while a caller is at the head of the queue. The caller there owns what
	// follows.
	turn  chan struct{}
	clock *reservingClock
	// ahead is how far the limiter's time is ahead of the real one. It may overflow: only
	// differences count.
	ahead time.Duration
}

// NewLimiter returns a Limiter that permits rate events a second, or in the time given by
// ratelimit.Per. It takes the options of ratelimit.New, but ignores WithClock, which it needs
// itself. It panics if the rate isn't positive.
func NewLimiter(rate int, opts ...ratelimit.Option) *Limiter {
	if rate <= 0 {
		panic("integrations: NewLimiter: the rate isn't positive")
	}
	clock := new(reservingClock)
	return &Limiter{
		limiter: newWithClock(rate, opts, clock),
		period:  periodOf(rate, opts),
		start:   time.Now(),
		turn:    make(chan struct{}, 1),
		clock:   clock,
	}
}

// Take waits until the next event is permitted, and returns that moment. If br trips first, it
// returns the cause of br, and leaves the permission to other takers. If br has tripped before the
// call, Take always returns its cause. Takers are served first come, first served. Take starts no
// goroutine, and doesn't look at the deadline of br. It panics if br is nil.
func (l *Limiter) Take(br breaker.Interface) (time.Time, error) {
	if br == nil {
		panic("integrations: Limiter.Take: br is nil")
	}
	if br.Err() != nil {
		return time.Time{}, causeOf(br)
	}
	asked := time.Since(l.start)
	select {
	case l.turn <- struct{}{}:
	case <-br.Done():
		return time.Time{}, causeOf(br)
	}
	defer func() { <-l.turn }()

	at := l.reserve(asked)
	if wait := at - time.Since(l.start); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-br.Done():
			l.ahead += l.period
			return time.Time{}, causeOf(br)
		}
	}
	return l.start.Add(at), nil
}

// reserve returns the moment that the library issues to a caller at the given moment, both
// counted from the start on the monotonic clock: setting the wall clock changes nothing.
func (l *Limiter) reserve(asked time.Duration) time.Duration {
	return asked + l.clock.reserve(l.limiter, asked+l.ahead)
}

// causeOf returns why a breaker has tripped.
func causeOf(br breaker.Interface) error { return context.Cause(breaker.ToContext(br)) }

// reservingClock is the clock of a limiter that only reserves. It isn't for concurrent use.
type reservingClock struct {
	now   time.Duration
	slept time.Duration
}

// Now adds a nanosecond because the library takes the time 0 to mean that the limiter wasn't used
// yet.
func (c *reservingClock) Now() time.Time { return time.Unix(0, int64(c.now)+1) }

func (c *reservingClock) Sleep(d time.Duration) { c.slept = d }

// reserve returns how long a caller at the given time has to wait.
func (c *reservingClock) reserve(limiter ratelimit.Limiter, now time.Duration) time.Duration {
	c.now, c.slept = now, 0
	limiter.Take()
	return c.slept
}

// periodOf returns the time between two permissions, which only the library knows: how long the
// second of two callers at the same moment has to wait.
func periodOf(rate int, opts []ratelimit.Option) time.Duration {
	clock := new(reservingClock)
	limiter := newWithClock(rate, opts, clock)
	clock.reserve(limiter, 0)
	return clock.reserve(limiter, 0)
}

// newWithClock returns the library's limiter with the clock. It doesn't write to the slice.
func newWithClock(rate int, opts []ratelimit.Option, clock ratelimit.Clock) ratelimit.Limiter {
	return ratelimit.New(rate, append(opts[:len(opts):len(opts)], ratelimit.WithClock(clock))...)
}
