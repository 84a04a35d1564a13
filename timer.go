package breaker

import (
	"math"
	"sync"
	"time"

	"github.com/kamilsk/breaker/internal/live"
)

// BreakByTimeout returns a breaker that trips when the timeout has passed. Its cause then matches
// context.DeadlineExceeded. With a timeout of zero or less it is tripped on return.
//
// It costs one allocation, besides the timer if no stopped one can be used again, and no goroutine. Close it
// when the work is done: the timer is kept until then, or until it fires.
func BreakByTimeout(timeout time.Duration) *Breaker {
	flags := uint32(0)
	now, bubble := clock()
	if bubble {
		flags = flagBubble
	}
	// Promise 15: not into the past, nor where counting on from start would overflow.
	at := now + max(timeout, -farthest/2)
	if timeout > 0 && at < now || at > farthest {
		at = farthest
	}
	b := &timeoutBreaker{at: at}
	b.arm(kindTimeout, timeout, flags)
	if live.On() {
		b.enlist()
	}
	return &b.Breaker
}

// BreakByDeadline returns a breaker that trips at the deadline. Its cause then matches context.DeadlineExceeded. If the
// deadline has passed, it is tripped on return.
//
// It costs the same as BreakByTimeout.
func BreakByDeadline(deadline time.Time) *Breaker {
	flags := uint32(0)
	now := time.Now()
	if now == now.Round(0) {
		flags = flagBubble
	}
	b := &deadlineBreaker{at: deadline}
	b.arm(kindDeadline, deadline.Sub(now), flags)
	if live.On() {
		b.enlist()
	}
	return &b.Breaker
}

// timed is a breaker with a timer.
type timed struct {
	Breaker
	// alarm is written by the constructor before the timer runs, then owned by the winner of the trip.
	alarm *alarm
}

type timeoutBreaker struct {
	timed
	// at is the deadline, counted from start on the monotonic clock: a third of a time.Time.
	at time.Duration
}

type deadlineBreaker struct {
	timed
	at time.Time
}

// start is the zero of timeoutBreaker.at.
var start = time.Now()

// farthest bounds timeoutBreaker.at: some 292 years, and far enough from the end of what a Duration holds.
const farthest = math.MaxInt64 - time.Hour

// century is about where a time.Time loses its monotonic reading. Beyond, Deadline counts from start, whatever has happened to the wall
// clock since, because two results have to be equal.
const century = 100 * 365 * 24 * time.Hour

func (b *timeoutBreaker) deadline() time.Time {
	if b.at > century || b.at < -century {
		return start.Add(b.at).Round(0)
	}
	now := time.Now()
	return now.Add(b.at - now.Sub(start))
}

// alarm is a timer that can be used again for another breaker. To arm a fresh one costs three times as much and
// 112 bytes.
type alarm struct {
	timer *time.Timer
	// breaker is written before the timer is armed, and by nobody while it is.
	breaker *Breaker
}

// alarms holds the alarms whose timer was stopped in time: its function never runs for an arming that Stop has
// ended, so nothing late can reach the next breaker (aspnetcore#62385 is what happens otherwise).
// Alarms of bubbles are never among them (promise 16).
var alarms sync.Pool

// arm ends the construction, starting the timer.
func (t *timed) arm(kind uint32, timeout time.Duration, flags uint32) {
	if timeout <= 0 {
		t.state = wordOf(kind, closed|flagTimed|flagExpired)
		t.cause = errExpired
		return
	}
	t.state = wordOf(kind, flagHeld|flagTimed|flags)
	if flags&flagBubble == 0 {
		if a, ok := alarms.Get().(*alarm); ok {
			a.breaker, t.alarm = &t.Breaker, a
			a.timer.Reset(timeout)
			return
		}
	}
	a := &alarm{breaker: &t.Breaker}
	t.alarm = a
	// The alarm may go off before its timer is stored. That does no harm: fire doesn't need it, and nobody else
	// knows the breaker yet.
	a.timer = time.AfterFunc(timeout, a.fire)
}

// fire runs in the timer's own goroutine.
func (a *alarm) fire() {
	b := a.breaker
	if !b.claim(flagExpired, false) {
		return
	}
	timedOf(b).alarm = nil // it went off: there is nothing to stop, and it isn't used again
	b.finish(errExpired)
}

// release stops the timer. Only the winner calls it.
func (t *timed) release() {
	a := t.alarm
	if a == nil {
		return
	}
	t.alarm = nil
	if a.timer.Stop() && t.state.Load()&flagBubble == 0 {
		a.breaker = nil
		alarms.Put(a)
	}
}
