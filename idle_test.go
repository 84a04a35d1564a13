package breaker_test

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// An Idle trips exactly one timeout after it was touched last, and not before.
func TestIdle_TripsAfterTheLastTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		br := breaker.BreakByIdle(time.Minute)
		outer := breaker.Multiplex(breaker.NopCloser(br), breaker.BreakByTimeout(time.Hour))
		within := breaker.Within(context.Background(), time.Hour, br)
		ctx, cancel := context.WithCancel(breaker.ToContext(br))
		defer cancel()
		for range 10 {
			time.Sleep(59 * time.Second)
			require.True(t, br.Touch())
			want := time.Now().Add(time.Minute)
			for _, br := range []breaker.Interface{br, outer, within} {
				at, ok := br.Deadline() // promise 14: of what contains it, too
				require.True(t, ok)
				require.True(t, at.Equal(want), "%v instead of %v", at, want)
			}
			at, _ := breaker.ToContext(br).Deadline()
			require.True(t, at.Equal(want))
		}
		<-br.Done()
		require.Equal(t, 590*time.Second+time.Minute, time.Since(begin))
		synctest.Wait()
		require.Equal(t, context.DeadlineExceeded, ctx.Err())
		for _, br := range []breaker.Interface{br, outer, within} {
			require.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
		}
		require.False(t, br.Touch())
		require.False(t, br.Reset(time.Hour))
		require.Equal(t, breaker.Closed, br.State())
	})
}

// Reset may make it shorter or longer, at once.
func TestIdle_Reset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		br := breaker.BreakByIdle(time.Hour)
		require.True(t, br.Reset(time.Minute))
		time.Sleep(30 * time.Second)
		require.True(t, br.Touch())
		<-br.Done()
		require.Equal(t, 90*time.Second, time.Since(begin))

		begin = time.Now()
		br = breaker.BreakByIdle(time.Minute)
		require.True(t, br.Reset(time.Hour))
		<-br.Done()
		require.Equal(t, time.Hour, time.Since(begin))

		br = breaker.BreakByIdle(time.Minute)
		require.False(t, br.Reset(0))
		require.ErrorIs(t, br.Err(), breaker.Interrupted)

		br = breaker.BreakByIdle(time.Second)
		require.True(t, br.Reset(math.MaxInt64)) // promise 15: not into the past
		time.Sleep(time.Hour)
		require.NoError(t, br.Err())
		br.Close()
	})
}

// promise 15: the largest timeout doesn't overflow into the past. Not in a bubble, where the time
// is before start.
func TestIdle_FarthestTime(t *testing.T) {
	br := breaker.BreakByIdle(time.Hour)
	require.True(t, br.Reset(math.MaxInt64))
	require.True(t, br.Touch())
	at, ok := br.Deadline()
	require.True(t, ok)
	require.Greater(t, time.Until(at), 100*365*24*time.Hour)
	require.NoError(t, br.Err())
	br.Close()
}

// Closing it, or a zero value, leaves no timer behind; one that is over from the beginning is
// tripped on return.
func TestIdle_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakByIdle(time.Minute)
		br.Trip(errA)
		require.False(t, br.Touch())
		assertClosed(t, &br.Breaker, errA)
		for _, timeout := range []time.Duration{0, -1, math.MinInt64} {
			require.ErrorIs(t, breaker.BreakByIdle(timeout).Cause(), context.DeadlineExceeded)
			require.False(t, breaker.BreakByIdle(timeout).Touch())
		}
		var zero breaker.Idle
		require.True(t, zero.Touch())
		require.True(t, zero.Reset(time.Second))
		_, ok := zero.Deadline()
		require.False(t, ok)
		over := breaker.BreakByIdle(time.Second)
		before, _ := over.Deadline()
		<-over.Done()
		after, ok := over.Deadline()
		require.True(t, ok)
		require.True(t, before.Equal(after), "it stays what it was")
		zero.Close()
		require.False(t, zero.Touch())
	})
}

// promise 15: the longest timeouts don't overflow into the past, neither here nor in a bubble.
func TestIdle_Longest(t *testing.T) {
	test := func(t *testing.T) {
		for _, timeout := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1} {
			br := breaker.BreakByIdle(timeout)
			require.True(t, br.Touch())
			at, ok := br.Deadline()
			require.True(t, ok)
			require.Greater(t, time.Until(at), 200*365*24*time.Hour)
			require.True(t, br.Reset(timeout))
			require.NoError(t, br.Err())
			br.Close()
			require.False(t, br.Touch())
		}
	}
	test(t)
	synctest.Test(t, test)
}

// Touch against the time: what has returned true isn't followed by the trip before the timeout has
// passed, however many touch.
func TestIdle_TouchAgainstTheTrip(t *testing.T) {
	for range 200 {
		const timeout = 200 * time.Microsecond
		br := breaker.BreakByIdle(timeout)
		var last atomic.Int64
		begin := time.Now()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for range 300 {
					now := int64(time.Since(begin))
					if !br.Touch() {
						if br.Err() == nil {
							t.Error("Touch says that it has tripped, and Err is nil")
						}
						return
					}
					for {
						before := last.Load()
						if before >= now || last.CompareAndSwap(before, now) {
							break
						}
					}
				}
			})
		}
		<-br.Done()
		ended := time.Since(begin)
		if at := time.Duration(last.Load()); ended < at && ended+timeout < at {
			t.Errorf("touched after %v, and it had ended after %v", at, ended)
		}
		group.Wait()
		if at := time.Duration(last.Load()); at > ended {
			t.Errorf("Touch at %v returned true, and it had ended after %v", at, ended)
		}
	}
}

// Reset from many goroutines: the last one counts, and the timer is never armed too late.
func TestIdle_ResetAgainstReset(t *testing.T) {
	for range 300 {
		br := breaker.BreakByIdle(time.Hour)
		var group sync.WaitGroup
		for _, timeout := range []time.Duration{time.Hour, time.Microsecond, time.Minute} {
			group.Go(func() {
				br.Reset(timeout)
				br.Touch()
			})
		}
		group.Wait()
		br.Reset(time.Microsecond)
		await(t, "the trip", br.Done())
	}
}

// However the Resets of two goroutines meet, the timer is armed for when the breaker is due. The
// clock of the bubble stands still until both are done, and then goes to exactly that moment.
func TestIdle_ArmedForTheEarliest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range scaled(20_000) {
			br := breaker.BreakByIdle(time.Hour)
			var ready atomic.Int32
			var group sync.WaitGroup
			for i := range 2 {
				group.Go(func() {
					ready.Add(1)
					for ready.Load() < 2 {
						runtime.Gosched()
					}
					for n := range 5 {
						br.Reset(time.Duration(50-10*n-i) * time.Minute)
					}
				})
			}
			group.Wait()
			at, ok := br.Deadline()
			require.True(t, ok)
			require.LessOrEqual(t, time.Until(at), 10*time.Minute)
			time.Sleep(time.Until(at))
			synctest.Wait()
			require.Error(t, br.Err(), "the timer is armed too late")
		}
	})
}

func TestIdle_Allocations(t *testing.T) {
	br := breaker.BreakByIdle(time.Hour)
	defer br.Close()
	assert.Zero(t, testing.AllocsPerRun(1_000, func() { br.Touch() }))
}
