package breakersync_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		br := breaker.BreakByTimeout(time.Minute)
		require.NoError(t, breakersync.Sleep(br, time.Second))
		assert.Equal(t, time.Second, time.Since(begun))
		require.NoError(t, breakersync.Sleep(br, 0))
		require.NoError(t, breakersync.Sleep(br, -1))
		assert.Equal(t, time.Second, time.Since(begun))
		err := breakersync.Sleep(br, math.MaxInt64)
		assert.Equal(t, br.Cause(), err)
		assert.Error(t, err)
		assert.Equal(t, time.Minute, time.Since(begun))
		assert.Equal(t, err, breakersync.Sleep(br, time.Second))
		assert.Equal(t, err, breakersync.Sleep(br, 0))
		assert.Equal(t, time.Minute, time.Since(begun))
	})
	assertNilPanics(t, "Sleep", func(br breaker.Interface) { _ = breakersync.Sleep(br, 1) })
}

func TestSleep_Every(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakByTimeout(10*time.Second + 1)
		begun := time.Now()
		var at []time.Duration
		every := breakersync.Every(br, 2*time.Second, 0)
		for now := range every {
			assert.Equal(t, now, time.Now())
			at = append(at, time.Since(begun))
			if len(at) == 1 {
				time.Sleep(1900 * time.Millisecond) // doesn't move the next
			}
			if len(at) == 2 {
				time.Sleep(2100 * time.Millisecond) // one is left out
			}
		}
		assert.Error(t, br.Cause())
		const s = time.Second
		assert.Equal(t, []time.Duration{2 * s, 4 * s, 8 * s, 10 * s}, at)
		for range every {
			assert.Fail(t, "it has tripped")
		}
	})
}

func TestSleep_EveryJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		last, least, most, n := time.Now(), time.Hour, time.Duration(0), 0
		for now := range breakersync.Every(br, time.Minute, 0.5) {
			gap := now.Sub(last)
			last, least, most = now, min(least, gap), max(most, gap)
			if n++; n == 1000 {
				break
			}
		}
		assert.NoError(t, br.Cause(), "the body has left the loop")
		assert.True(t, 30*time.Second <= least && least < 33*time.Second, "the least is %v", least)
		assert.True(t, 57*time.Second < most && most <= time.Minute, "the most is %v", most)
	})
}

// The breaker is tripped by the body, and at the same moment as a tick comes.
func TestSleep_EveryStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			br := breaker.New()
			n := 0
			for range breakersync.Every(br, time.Nanosecond, 1) {
				n++
				br.Close()
				time.Sleep(time.Second)
			}
			require.Equal(t, 1, n)
		}
	})
}

func TestSleep_EveryBadInput(t *testing.T) {
	br := breaker.New()
	assertNilPanics(t, "Every", func(br breaker.Interface) { breakersync.Every(br, 1, 0) })
	for _, period := range []time.Duration{0, -1, math.MinInt64} {
		assert.PanicsWithValue(t, "breakersync: Every: the period isn't positive", func() { breakersync.Every(br, period, 0) })
	}
	for _, jitter := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1)} {
		assert.PanicsWithValue(t, "breakersync: Every: the jitter isn't from 0 to 1", func() { breakersync.Every(br, 1, jitter) })
	}
}

func TestSleep_EveryFarthest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range breakersync.Every(breaker.BreakByTimeout(time.Hour), math.MaxInt64, 0) {
			assert.Fail(t, "it overflows")
		}
	})
}
