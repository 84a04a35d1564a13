package breakersync_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func TestWaitGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g breakersync.WaitGroup
		br := breaker.New()
		require.NoError(t, g.Wait(br))
		assert.NoError(t, g.Wait(tripped()), "there is nothing to wait for")
		end := make(chan struct{})
		for range 3 {
			g.Go(func() { <-end })
		}
		got := [3]error{errTask, errTask, errTask}
		never := breaker.New()
		for i, br := range []breaker.Interface{br, never, br} {
			go func() { got[i] = g.Wait(br) }()
			synctest.Wait()
		}
		assert.Equal(t, errStop, g.Wait(tripped()))
		br.Trip(errStop)
		synctest.Wait()
		assert.Equal(t, [3]error{errStop, errTask, errStop}, got)
		close(end)
		synctest.Wait()
		assert.Equal(t, [3]error{errStop, nil, errStop}, got)
		g.Add(2) // it can be used again
		g.Done()
		assert.Error(t, g.Wait(breaker.BreakByTimeout(time.Second)))
		g.Done()
		assert.NoError(t, g.Wait(never))
	})
}

func TestWaitGroup_BadInput(t *testing.T) {
	var g breakersync.WaitGroup
	assertNilPanics(t, "Wait", func(br breaker.Interface) { _ = g.Wait(br) })
	assert.PanicsWithValue(t, "breakersync: Go: f is nil", func() { g.Go(nil) })
	assert.PanicsWithValue(t, "breakersync: Add: the number of tasks becomes negative", g.Done)
	assert.NoError(t, g.Wait(breaker.New()), "nothing has changed")
}

func TestWaitGroup_Stress(t *testing.T) {
	for range 1000 {
		var (
			g   breakersync.WaitGroup
			all sync.WaitGroup
			n   int
		)
		br, never := breaker.New(), breaker.New()
		g.Go(func() { n++ })
		for range 2 {
			all.Go(func() { _ = g.Wait(br) })
			all.Go(func() {
				assert.NoError(t, g.Wait(never))
				assert.Equal(t, 1, n) // the race detector watches it
			})
		}
		all.Go(br.Close)
		all.Wait()
	}
}
