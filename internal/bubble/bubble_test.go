package bubble_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/bubble"
)

func TestClock_OutsideIsReal(t *testing.T) {
	var last time.Duration
	for range 1000 {
		before := time.Since(bubble.Start)
		now, inside := bubble.Clock()
		after := time.Since(bubble.Start)
		require.False(t, inside)
		require.GreaterOrEqual(t, now, max(before, last))
		require.LessOrEqual(t, now, after)
		last = now
	}
	assert.NotEqual(t, bubble.Start, bubble.Start.Round(0), "no monotonic reading: made in a bubble")
}

// What has just found out that the time is real doesn't say so of a bubble, whose date is another.
func TestClock_InsideIsTheBubbles(t *testing.T) {
	// promise 16
	for range 10 {
		require.False(t, bubble.Inside())
		synctest.Test(t, func(t *testing.T) {
			before, inside := bubble.Clock()
			require.True(t, inside)
			for _, d := range []time.Duration{1, time.Hour, 1000 * time.Hour} {
				time.Sleep(d)
				now, inside := bubble.Clock()
				require.True(t, inside)
				require.Equal(t, d, now-before)
				require.Equal(t, time.Now(), bubble.Start.Add(now).Round(0).In(time.Now().Location()))
				before = now
			}
		})
	}
}

// A bubble may have any date: tests sleep until the day that they are about.
func TestInside_WhateverTheDate(t *testing.T) {
	// promise 16
	now := time.Now()
	for _, at := range []time.Time{now.Add(-time.Hour), now.Add(time.Minute), now.Add(1000 * time.Hour)} {
		require.False(t, bubble.Inside())
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(at.Sub(time.Now().Round(0)))
			require.True(t, bubble.Inside())
		})
	}
}

func TestInside_OnBothSidesAtOnce(t *testing.T) {
	// promise 16
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 1000 {
				assert.False(t, bubble.Inside())
			}
		})
		all.Go(func() {
			synctest.Test(t, func(t *testing.T) {
				for range 1000 {
					assert.True(t, bubble.Inside())
				}
			})
		})
	}
	all.Wait()
}

func TestOutsideOfBubbles_NothingIsAllocated(t *testing.T) {
	signal := make(<-chan struct{})
	var kept any
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		bubble.Clock()
		bubble.Inside()
		kept = bubble.Key(signal)
	}))
	assert.Equal(t, any(signal), kept)
}

func TestKey_IsOneForEachBubbleAndChannel(t *testing.T) {
	// promise 16
	one, two := make(chan struct{}), make(chan struct{})
	keys := []any{bubble.Key(one), bubble.Key(two)}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			a, b := bubble.Key(one), bubble.Key(two)
			var elsewhere any
			var all sync.WaitGroup
			all.Go(func() { elsewhere = bubble.Key(one) })
			all.Wait()
			require.Equal(t, a, elsewhere, "a bubble has many goroutines")
			keys = append(keys, a, b)
		})
	}
	for i := range keys {
		for j := range keys {
			require.Equal(t, i == j, keys[i] == keys[j], "%v and %v", keys[i], keys[j])
		}
	}
	require.Equal(t, keys[0], bubble.Key(one))
}

func TestOutside_RunsInNoBubble(t *testing.T) {
	// promise 16
	// On either side, and for several at once.
	check := func() {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				ran := false
				bubble.Outside(func() { ran = !bubble.Inside() })
				assert.True(t, ran)
			})
		}
		all.Wait()
	}
	check()
	synctest.Test(t, func(*testing.T) { check() })
}

// What is made by f is used outside while the bubble goes on, and after it.
func TestOutside_WhatItMakesIsNoBubbles(t *testing.T) {
	// promise 16
	var made chan struct{}
	ended := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		bubble.Outside(func() {
			made = make(chan struct{})
			go func() { <-made; close(ended) }()
		})
		time.Sleep(time.Hour) // the goroutine doesn't hold the bubble up
	})
	close(made)
	<-ended
}
