package breakersync

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/kamilsk/breaker"
)

// Sleep waits for the duration d, or until the breaker trips. It returns nil iff it has slept for
// the whole time and the breaker is open. Otherwise it returns the cause of the breaker. With a
// duration of zero or less it doesn't wait. It takes a timer, and releases it before it returns. It
// may be called concurrently. It panics if the breaker is nil.
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

// Every returns a sequence for a range loop. The body runs once each period, the first time after
// one period, until the breaker trips or the body leaves the loop. Afterwards br.Cause() tells
// which of the two it was.
//
//	for now := range breakersync.Every(br, time.Minute, 0.1) {
//		report(now)
//	}
//
// The jitter, from 0 to 1, shortens each period at random by up to that part of it. Here 0.1 stands
// for 54 to 60 seconds. So replicas that start together drift apart.
//
// The body runs on the goroutine of the loop. A slow body doesn't shift the times that follow; the
// times that it misses are skipped. A loop takes one timer and no goroutine. Each range over the
// result starts over, and several may run concurrently. Every panics if the breaker is nil, the
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
