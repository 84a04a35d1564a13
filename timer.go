package breaker

import (
	"math"
	"sync"
	"time"

	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/live"
)

// BreakByTimeout returns a breaker that trips when the timeout has passed. Its cause then matches
// context.DeadlineExceeded. With a timeout of zero or less it is tripped on return.
//
// It costs one allocation and no goroutine. If no stopped timer can be used again, a new one adds
// its allocations. Close the breaker when the work is done: until then, or until it fires, the
// timer is retained.
func BreakByTimeout(timeout time.Duration) *Breaker {
	b := newTimeout(timeout, nil)
	if live.On() {
		b.enlist()
	}
	return b
}

// BreakByTimeoutCause is BreakByTimeout with a cause of your own, to say which timeout it was. With
// a nil cause it is BreakByTimeout. After the timeout, Err of its ToContext is
// context.DeadlineExceeded, whatever the cause.
func BreakByTimeoutCause(timeout time.Duration, cause error) *Breaker {
	b := newTimeout(timeout, cause)
	if live.On() {
		b.enlist()
	}
	return b
}

func newTimeout(timeout time.Duration, cause error) *Breaker {
	at, flags := after(timeout)
	var b *timeoutBreaker
	var own *error
	if cause == nil {
		b = &timeoutBreaker{at: at}
	} else {
		more := &struct {
			timeoutBreaker
			cause error
		}{timeoutBreaker{at: at}, cause}
		b, own = &more.timeoutBreaker, &more.cause
	}
	b.source = b
	b.start(kindTimeout, timeout, own, flags)
	return &b.Breaker
}

// BreakByDeadline returns a breaker that trips at the deadline. Its cause then matches
// context.DeadlineExceeded. If the deadline has passed, it is tripped on return.
//
// It costs the same as BreakByTimeout.
func BreakByDeadline(deadline time.Time) *Breaker {
	b := newDeadline(deadline, nil)
	if live.On() {
		b.enlist()
	}
	return b
}

// BreakByDeadlineCause is BreakByDeadline with a cause of your own, as in BreakByTimeoutCause. With
// a nil cause it is BreakByDeadline.
func BreakByDeadlineCause(deadline time.Time, cause error) *Breaker {
	b := newDeadline(deadline, cause)
	if live.On() {
		b.enlist()
	}
	return b
}

func newDeadline(deadline time.Time, cause error) *Breaker {
	now := time.Now()
	flags := uint32(0)
	if now == now.Round(0) {
		flags = flagBubble
	}
	var b *deadlineBreaker
	var own *error
	if cause == nil {
		b = &deadlineBreaker{at: deadline}
	} else {
		more := &struct {
			deadlineBreaker
			cause error
		}{deadlineBreaker{at: deadline}, cause}
		b, own = &more.deadlineBreaker, &more.cause
	}
	b.source = b
	b.start(kindDeadline, deadline.Sub(now), own, flags)
	return &b.Breaker
}

// timed is a breaker with a timer.
type timed struct {
	Breaker
	// alarm is written by the constructor before the timer runs, then owned by the winner of the
	// trip.
	alarm *alarm
}

type timeoutBreaker struct {
	timed
	// at is the deadline, counted from bubble.Start on the monotonic clock: a third of a time.Time.
	at time.Duration
}

func (b *timeoutBreaker) deadline() (time.Time, bool) { return timeAt(b.at, b.state.Load()), true }

type deadlineBreaker struct {
	timed
	at time.Time
}

func (b *deadlineBreaker) deadline() (time.Time, bool) { return b.at, true }

// farthest is the latest time that breakers keep: some 292 years after bubble.Start. It is an hour
// short of the longest Duration, so that adding to it doesn't overflow.
const farthest = math.MaxInt64 - time.Hour

// century is about where a time.Time loses its monotonic reading.
const century = 100 * 365 * 24 * time.Hour

// after returns the time, since bubble.Start, at which the timeout has passed, and flagBubble in a
// bubble.
func after(timeout time.Duration) (at time.Duration, flags uint32) {
	now, inside := bubble.Clock()
	if inside {
		flags = flagBubble
	}
	// Promise 15: not into the past, nor where counting on from bubble.Start would overflow.
	at = now + max(timeout, -farthest/2)
	if timeout > 0 && at < now || at > farthest {
		at = farthest
	}
	return at, flags
}

// timeAt returns the same time.Time for the same at (promise 23). Its wall clock reading is counted
// from bubble.Start. If the wall clock has been set since, that reading isn't corrected.
func timeAt(at time.Duration, word uint32) time.Time {
	if t := bubble.Start.Add(at); word&flagBubble == 0 && at <= century && at >= -century {
		return t
	}
	return bubble.Start.Add(at).Round(0)
}

// alarm is a timer that can be used again for another breaker. A fresh one costs three times as
// much to arm, and 112 bytes.
type alarm struct {
	timer *time.Timer
	// breaker and cause are written before the timer is armed, never while it is. If the alarm wins
	// the trip, it sets breaker to nil, which keeps it from being used again.
	breaker *Breaker
	// cause is nil for errExpired. A pointer keeps the struct in the size class of 24 bytes.
	cause *error
}

// alarms holds alarms whose timer was stopped in time. If Stop returns true, the function never
// runs for that arming, so nothing late can reach the next breaker (aspnetcore#62385 is what
// happens otherwise). Alarms of bubbles are never among them (promise 16).
var alarms sync.Pool

// start completes the construction: it arms the timer, or trips the breaker at once.
func (t *timed) start(kind uint32, timeout time.Duration, cause *error, flags uint32) {
	if timeout <= 0 {
		t.state = wordOf(kind, closed|flagLookUp|flagExpired|flags)
		t.cause.Set(causeAt(cause))
		return
	}
	t.state = wordOf(kind, flagHeld|flagLookUp|flags)
	arm(&t.alarm, &t.Breaker, timeout, cause, flags)
}

// arm stores an alarm for b and starts its timer. The alarm may go off before its timer is stored.
// That does no harm: the trip looks at the timer only once the constructor has returned, or has
// called endAttaching. The cause is nil for errExpired.
func arm(at **alarm, b *Breaker, timeout time.Duration, cause *error, flags uint32) {
	if flags&flagBubble == 0 {
		if a, ok := alarms.Get().(*alarm); ok {
			a.breaker, a.cause, *at = b, cause, a
			a.timer.Reset(timeout)
			return
		}
	}
	a := &alarm{breaker: b, cause: cause}
	*at = a
	a.timer = time.AfterFunc(timeout, a.fire)
}

// fire runs in the timer's own goroutine.
func (a *alarm) fire() {
	b := a.breaker
	if s, won := b.claim(b.state.Load(), flagExpired, false); won {
		a.breaker = nil
		b.finish(s, causeAt(a.cause))
	}
}

// causeAt returns the cause of a timeout.
func causeAt(own *error) error {
	if own == nil {
		return errExpired
	}
	return *own
}

// disarm stops the timer of a tripped breaker with that word. Only the winner calls it, or the
// attacher on its behalf.
func disarm(at **alarm, word uint32) {
	a := *at
	if a == nil {
		return
	}
	*at = nil
	// An alarm that has gone off isn't used again.
	if a.breaker != nil && a.timer.Stop() && word&flagBubble == 0 {
		a.breaker, a.cause = nil, nil
		alarms.Put(a)
	}
}

func (t *timed) release() { disarm(&t.alarm, t.state.Load()) }
