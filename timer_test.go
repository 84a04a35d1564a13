package breaker_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// timedBreakers are the two ways to make a breaker that trips after a while.
var timedBreakers = []struct {
	name string
	make func(time.Duration) *breaker.Breaker
}{
	{"timeout", breaker.BreakByTimeout},
	{"deadline", func(d time.Duration) *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(d)) }},
	{"deadline without monotonic reading", func(d time.Duration) *breaker.Breaker {
		return breaker.BreakByDeadline(time.Now().Add(d).Round(0))
	}},
	{"deadline in another zone", func(d time.Duration) *breaker.Breaker {
		return breaker.BreakByDeadline(time.Now().Add(d).In(time.FixedZone("east", 5*60*60)))
	}},
}

func TestTimer_TripsAtTheInstant(t *testing.T) {
	// promise 4, promise 14, promise 16
	const day = 24 * time.Hour
	for _, kind := range timedBreakers {
		for _, d := range []time.Duration{1, time.Millisecond, time.Second, day, 3650 * day} {
			t.Run(kind.name+" "+d.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					br := kind.make(d)
					at, ok := br.Deadline()
					require.True(t, ok)
					require.True(t, at.Equal(start.Add(d)), "the deadline is %v", at)

					time.Sleep(d - 1)
					synctest.Wait()
					testkit.RequireOpen(t, br)

					time.Sleep(time.Nanosecond)
					synctest.Wait()
					cause := testkit.RequireTripped(t, br)
					require.ErrorIs(t, cause, context.DeadlineExceeded)
					require.Equal(t, breaker.Closed, br.State())
					require.Equal(t, breaker.Interrupted, br.Err())

					at, ok = br.Deadline()
					require.True(t, ok)
					require.True(t, at.Equal(start.Add(d)), "after the trip the deadline is %v", at)
				})
			})
		}
	}
}

func TestTimer_WakesWhatWaits(t *testing.T) {
	// promise 16: in a bubble, the time of the bubble is what counts.
	for _, kind := range timedBreakers {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var group sync.WaitGroup
				for i := range 10 {
					group.Go(func() {
						d := time.Duration(i+1) * time.Minute
						<-kind.make(d).Done()
						assert.Equal(t, d, time.Since(start))
					})
				}
				group.Wait()
			})
		})
	}
}

func TestTimer_NeverFiresAfterClose(t *testing.T) {
	// promise 10: after Close there is no timer.
	for _, kind := range timedBreakers {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				br := kind.make(time.Second)
				calls := 0
				br.OnTrip(func() { calls++ })
				time.Sleep(time.Second - 1)
				br.Close()
				require.Equal(t, breaker.ErrClosed, br.Cause())

				time.Sleep(time.Hour)
				synctest.Wait()
				require.Equal(t, breaker.ErrClosed, br.Cause())
				require.Equal(t, 1, calls)
			})
		})
	}
}

// Close comes at the very instant at which the timer fires: one of them wins, and the cause is the
// winner's.
func TestTimer_FiresAgainstClose(t *testing.T) {
	// promise 1, promise 4
	var closed, fired int
	for round := 0; closed == 0 || fired == 0; round++ {
		require.Less(t, round, 100_000, "one of the two outcomes never came: closed %d, fired %d", closed, fired)
		synctest.Test(t, func(t *testing.T) {
			br := breaker.BreakByTimeout(time.Second)
			calls := 0
			br.OnTrip(func() { calls++ })
			time.Sleep(time.Second)
			if round%2 == 0 {
				synctest.Wait()
			}
			won := br.Trip(breaker.ErrClosed)
			cause := testkit.RequireTripped(t, br)
			if won {
				require.Equal(t, breaker.ErrClosed, cause)
				closed++
			} else {
				require.ErrorIs(t, cause, context.DeadlineExceeded)
				fired++
			}
			synctest.Wait()
			require.Equal(t, cause, br.Cause())
			require.Equal(t, 1, calls)
		})
	}
}

// A timer that was stopped serves another breaker: what is late of the first must not reach the
// second.
func TestTimer_StoppedNeverTripsTheNext(t *testing.T) {
	const rounds, each = 3000, 200
	var stopped, fired int
	next := make([]*breaker.Breaker, 0, rounds)
	for i := 0; i < rounds || stopped < each || fired < each; i++ {
		require.Less(t, i, 100*rounds, "one of the two outcomes is missing: stopped %d, fired %d", stopped, fired)
		short := breaker.BreakByTimeout(time.Duration(1 + i%16*500))
		for range i % 8 {
			runtime.Gosched() // lets the timer fire, sooner or later
		}
		short.Close()
		long := breaker.BreakByTimeout(time.Hour)
		if errors.Is(short.Cause(), context.DeadlineExceeded) {
			fired++
		} else {
			require.Equal(t, breaker.ErrClosed, short.Cause())
			stopped++
		}
		next = append(next, long)
	}
	for _, br := range next {
		testkit.RequireOpen(t, br)
		br.Close()
	}
}

// The same from many goroutines, which take each other's timers.
func TestTimer_StoppedAreSharedSafely(t *testing.T) {
	const workers, rounds = 4, 2000
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range rounds {
				short := breaker.BreakByTimeout(time.Duration(1 + (i+w)%10*1000))
				long := breaker.BreakByTimeout(time.Hour)
				runtime.Gosched()
				short.Close()
				again := breaker.BreakByTimeout(time.Hour)
				if !assert.NoError(t, long.Err()) || !assert.NoError(t, again.Err()) {
					return
				}
				long.Close()
				again.Close()
				assert.Equal(t, breaker.ErrClosed, long.Cause())
				assert.Equal(t, breaker.ErrClosed, again.Cause())
			}
		})
	}
	group.Wait()
}

// The shortest timer there is goes off while its breaker, and what listens to it, is still being
// made.
func TestTimer_FiresAgainstConstruction(t *testing.T) {
	const rounds = 3000
	for range rounds {
		br := breaker.BreakByTimeout(1)
		await(t, "the trip", br.Done())
		require.ErrorIs(t, testkit.RequireTripped(t, br), context.DeadlineExceeded)
	}
	for range rounds {
		long := breaker.BreakByTimeout(time.Hour)
		br := breaker.Multiplex(breaker.BreakByTimeout(1), long, breaker.BreakByTimeout(1))
		await(t, "the trip of a Multiplex", br.Done())
		require.ErrorIs(t, testkit.RequireTripped(t, br), context.DeadlineExceeded)
		testkit.Await(t, "the release", func() bool { return br.State() == breaker.Closed })
		require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, long))
	}
}

func TestTimer_NoTimeLeft(t *testing.T) {
	// promise 4: with no time left a breaker is tripped on return.
	makers := map[string]func() *breaker.Breaker{
		"no timeout":          func() *breaker.Breaker { return breaker.BreakByTimeout(0) },
		"a negative timeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(-1) },
		"the lowest timeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(math.MinInt64) },
		"the zero deadline":   func() *breaker.Breaker { return breaker.BreakByDeadline(time.Time{}) },
		"a deadline of now":   func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now()) },
		"a past deadline":     func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(-time.Hour)) },
		"a past wall clock":   func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Round(0).Add(-time.Hour)) },
		"the first deadline":  func() *breaker.Breaker { return breaker.BreakByDeadline(time.Unix(math.MinInt64, 0)) },
		"inside a Multiplex":  func() *breaker.Breaker { return breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0)) },
		"inside two of those": func() *breaker.Breaker { return breaker.Multiplex(breaker.Multiplex(breaker.BreakByTimeout(0))) },
	}
	for name, maker := range makers {
		check := func(t *testing.T) {
			br := maker()
			cause := testkit.RequireTripped(t, br)
			require.ErrorIs(t, cause, context.DeadlineExceeded)
			require.Equal(t, breaker.Interrupted, br.Err())
			require.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err())
			br.Close()
			require.Equal(t, cause, br.Cause())
		}
		t.Run(name, check)
		t.Run(name+", in a bubble", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { check(t) }) })
	}
}

func TestTimer_DeadlineOfATimeout(t *testing.T) {
	// promise 14
	for _, d := range []time.Duration{time.Nanosecond, time.Hour, 50 * 365 * 24 * time.Hour, 99 * 365 * 24 * time.Hour} {
		before := time.Now()
		br := breaker.BreakByTimeout(d)
		after := time.Now()
		at, ok := br.Deadline()
		require.True(t, ok)
		require.False(t, at.Before(before.Add(d)), "%v is too early for %v", at, d)
		require.False(t, at.After(after.Add(d)), "%v is too late for %v", at, d)
		// What is counted down to it, in a derived context for one, doesn't follow the wall clock.
		require.False(t, at == at.Round(0), "%v has no monotonic reading", at)
		br.Close()
		again, ok := br.Deadline()
		require.True(t, ok)
		require.True(t, again.Equal(at), "the deadline moved from %v to %v", at, again)
	}
}

func TestTimer_DeadlineOfADeadline(t *testing.T) {
	// promise 14: it is the very time that was given.
	now := time.Now()
	for name, at := range map[string]time.Time{
		"zero":              {},
		"past":              now.Add(-time.Hour),
		"future":            now.Add(time.Hour),
		"without monotonic": now.Add(time.Hour).Round(0),
		"another zone":      now.Add(time.Hour).In(time.FixedZone("west", -7*60*60)),
		"far":               time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			br := breaker.BreakByDeadline(at)
			got, ok := br.Deadline()
			require.True(t, ok)
			require.True(t, got == at, "%v became %v", at, got)
			br.Close()
			got, ok = br.Deadline()
			require.True(t, ok)
			require.True(t, got == at, "on close %v became %v", at, got)
		})
	}
}

func TestTimer_FarthestTimes(t *testing.T) {
	// promise 15: they don't overflow into the past.
	latest := time.Unix(1<<63-62135596801, 999999999)
	century := 100 * 365 * 24 * time.Hour
	for name, maker := range map[string]func() *breaker.Breaker{
		"the largest timeout":       func() *breaker.Breaker { return breaker.BreakByTimeout(math.MaxInt64) },
		"nearly the largest":        func() *breaker.Breaker { return breaker.BreakByTimeout(math.MaxInt64 - 1) },
		"the year 9999":             func() *breaker.Breaker { return breaker.BreakByDeadline(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"the latest time there is":  func() *breaker.Breaker { return breaker.BreakByDeadline(latest) },
		"as far as a duration goes": func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(math.MaxInt64)) },
	} {
		check := func(t *testing.T) {
			br := maker()
			defer br.Close()
			testkit.RequireOpen(t, br)
			at, ok := br.Deadline()
			require.True(t, ok)
			require.True(t, at.After(time.Now().Add(century)), "the deadline is %v", at)

			both := breaker.Multiplex(br, breaker.BreakByTimeout(time.Hour))
			testkit.RequireOpen(t, both)
			at, ok = both.Deadline()
			require.True(t, ok)
			require.True(t, at.Before(time.Now().Add(century)), "the earliest deadline is %v", at)
		}
		t.Run(name, check)
		t.Run(name+", in a bubble", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { check(t) }) })
	}
}

// The moment doesn't move, as long as a timeout may be.
func TestTimer_DeadlineStaysTheSame(t *testing.T) {
	// promise 14
	for _, d := range []time.Duration{math.MinInt64, -1, 0, time.Hour, math.MaxInt64 - 1, math.MaxInt64} {
		t.Run(d.String(), func(t *testing.T) {
			br := breaker.BreakByTimeout(d)
			defer br.Close()
			first, ok := br.Deadline()
			require.True(t, ok)
			for range 1000 {
				at, ok := br.Deadline()
				require.True(t, ok)
				require.True(t, at.Equal(first), "the deadline moved by %v", at.Sub(first))
			}
		})
	}
}

// A breaker that is tripped because no time was left has no deadline in the future.
func TestTimer_DeadlineOfALowTimeout(t *testing.T) {
	// promise 14, promise 15: to overflow into the future is as wrong.
	for _, d := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -time.Hour, -1} {
		check := func(t *testing.T) {
			br := breaker.BreakByTimeout(d)
			testkit.RequireTripped(t, br)
			at, ok := br.Deadline()
			require.True(t, ok)
			require.False(t, at.After(time.Now()), "%v", at)
		}
		t.Run(d.String(), check)
		t.Run(d.String()+", in a bubble", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { check(t) }) })
	}
}

// A timeout can say which one it was; a context goes on to say that it was a deadline.
func TestTimer_CauseOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, br := range []*breaker.Breaker{
			breaker.BreakByTimeoutCause(time.Second, errA),
			breaker.BreakByDeadlineCause(time.Now().Add(time.Second), errA),
			breaker.WithinCause(context.Background(), time.Second, errA),
			breaker.BreakByTimeoutCause(0, errA),
			breaker.BreakByDeadlineCause(time.Now().Add(-time.Second), errA),
			breaker.WithinCause(context.Background(), -1, errA),
		} {
			derived, cancel := context.WithCancel(breaker.ToContext(br))
			further, cancelFurther := context.WithCancel(context.WithValue(breaker.ToContext(br), keyA{}, "a"))
			require.Equal(t, errA, br.Wait())
			synctest.Wait()
			for _, ctx := range []context.Context{breaker.ToContext(br), derived, further} {
				require.Equal(t, context.DeadlineExceeded, ctx.Err())
				require.Equal(t, errA, context.Cause(ctx))
			}
			cancel()
			cancelFurther()
		}
		for _, br := range []*breaker.Breaker{
			breaker.BreakByTimeoutCause(time.Second, nil),
			breaker.BreakByDeadlineCause(time.Now().Add(time.Second), nil),
			breaker.WithinCause(context.Background(), time.Second, nil),
		} {
			require.ErrorIs(t, br.Wait(), context.DeadlineExceeded)
			require.ErrorIs(t, br.Cause(), breaker.Interrupted)
		}
	})
}
