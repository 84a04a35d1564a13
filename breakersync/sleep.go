package breakersync

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/kamilsk/breaker"
)

// Sleep waits for the duration d, or until the breaker trips. It returns nil iff it has slept for
// the whole time and the breaker is open; otherwise the cause of the breaker. A duration of zero or
// less doesn't wait. It takes a timer, which is gone when Sleep returns. It panics if the breaker
// is nil.
func Sleep(br breaker.Interface, d time.Duration) error {
	if err := ask(br, "Sleep"); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return causeOf(br)
	case <-br.Done():
		return br.Cause()
	}
}

// Every returns a loop that runs its body once each period, the first time after one period, until
// the breaker trips or the body leaves the loop. Afterwards br.Cause() tells which of them it was.
//
//	for now := range breakersync.Every(br, time.Minute, 0.1) {
//		report(now)
//	}
//
// The jitter, from 0 to 1, is the part of each period by which it may be shorter, at random: 0.1
// stands for 54 to 60 seconds here. Replicas that start together then don't go on together.
//
// The body runs on the goroutine of the loop. How long it takes doesn't move the times that follow;
// those that it misses are left out. There is no goroutine, and one timer. Each range over the
// result begins anew, so they may also run concurrently. Every panics if the breaker is nil, the
// period isn't positive, or the jitter isn't from 0 to 1.
func Every(br breaker.Interface, period time.Duration, jitter float64) iter.Seq[time.Time] {
	ask(br, "Every")
	if period <= 0 {
		panic("breakersync: Every: the period isn't positive")
	}
	if !(jitter >= 0 && jitter <= 1) { // NaN too
		panic("breakersync: Every: the jitter isn't from 0 to 1")
	}
	return func(yield func(time.Time) bool) {
		if br.Err() != nil {
			return
		}
		next := func() time.Duration { return max(1, period-time.Duration(rand.Float64()*jitter*float64(period))) }
		wait := next()
		due := time.Now().Add(wait)
		timer := time.NewTimer(wait)
		defer timer.Stop()
		for {
			select {
			case now := <-timer.C:
				if br.Err() != nil || !yield(now) {
					return
				}
			case <-br.Done():
				return
			}
			due = due.Add(next())
			if late := time.Since(due); late >= 0 {
				due = due.Add((late/period + 1) * period)
			}
			timer.Reset(time.Until(due))
		}
	}
}
