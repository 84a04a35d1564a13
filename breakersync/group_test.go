package breakersync_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// await waits for the group's breaker and returns its cause, or that of the one outside.
func await(br breaker.Interface) error {
	<-br.Done()
	return br.Cause()
}

func succeed(breaker.Interface) error { return nil }

func TestGroup(t *testing.T) {
	br := breaker.New()
	for name, g := range map[string]*breakersync.Group{"zero": {}, "watching": breakersync.NewGroup(br)} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			for range 100 {
				assert.True(t, g.Go(func(br breaker.Interface) error {
					assert.True(t, br == breaker.Interface(g.Breaker()))
					n.Add(1)
					return br.Err()
				}))
			}
			require.NoError(t, g.Wait())
			assert.EqualValues(t, 100, n.Load())
			assert.Equal(t, breaker.ErrClosed, g.Breaker().Cause())
			assert.False(t, g.Go(succeed), "it is over")
		})
	}
	assert.NoError(t, br.Err(), "it isn't the group's")
	assert.NoError(t, new(breakersync.Group).Wait(), "no tasks")
}

// golang/go#59355: the first error is the cause that the others see, and what Wait returns.
func TestGroup_FirstErrorIsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g breakersync.Group
		var ended atomic.Int64
		for range 3 {
			g.Go(func(br breaker.Interface) error {
				err := await(br)
				assert.Equal(t, errTask, err)
				time.Sleep(time.Second) // Wait waits for it
				ended.Add(1)
				return errors.New("another one")
			})
		}
		g.Go(func(breaker.Interface) error { return errTask })
		assert.Equal(t, errTask, g.Wait())
		assert.EqualValues(t, 3, ended.Load())
		assert.Equal(t, errTask, g.Breaker().Cause())
	})
}

func TestGroup_IsInterrupted(t *testing.T) {
	br := breaker.New()
	g := breakersync.NewGroup(breaker.NopCloser(br))
	g.Go(await)
	br.Trip(errStop)
	assert.Equal(t, errStop, g.Wait())

	g = breakersync.NewGroup(br) // which has tripped
	assert.False(t, g.Go(succeed))
	assert.False(t, g.TryGo(succeed))
	assert.Equal(t, errStop, g.Wait(), "a task wasn't started")

	br = breaker.New()
	g = breakersync.NewGroup(br)
	g.Go(func(br breaker.Interface) error { <-br.Done(); return nil })
	br.Trip(errStop)
	assert.NoError(t, g.Wait(), "all has been done")
}

// golang/go#61611, golang/go#27837: after the first error no task is started, and Go doesn't wait
// for a place any more.
func TestGroup_Limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g breakersync.Group
		g.SetLimit(2)
		var running atomic.Int64
		task := func(br breaker.Interface) error {
			assert.LessOrEqual(t, running.Add(1), int64(2))
			defer running.Add(-1)
			return breakersync.Sleep(br, time.Second)
		}
		begun := time.Now()
		for range 10 {
			require.True(t, g.Go(task))
		}
		assert.Equal(t, 4*time.Second, time.Since(begun))
		assert.False(t, g.TryGo(task))
		var started bool
		go func() { started = g.Go(task) }()
		synctest.Wait()
		g.Breaker().Trip(errStop)
		synctest.Wait()
		assert.False(t, started)
		assert.Equal(t, errStop, g.Wait())
		assert.Equal(t, 4*time.Second, time.Since(begun))
	})
}

// golang/go#53757: a panic reaches Wait, and stops the others, so Wait isn't far.
func TestGroup_Panic(t *testing.T) {
	for _, value := range []any{"oops", errTask} {
		var g breakersync.Group
		g.SetLimit(2)
		g.Go(await)
		g.Go(func(breaker.Interface) error { panic(value) })
		func() {
			defer func() {
				p, ok := recover().(*breakersync.PanicError)
				require.True(t, ok)
				assert.Equal(t, value, p.Value)
				assert.Contains(t, string(p.Stack), "TestGroup_Panic")
				assert.Contains(t, p.Error(), "a task panicked: ")
				assert.Equal(t, value == any(errTask), errors.Is(p, errTask))
				assert.Equal(t, error(p), g.Breaker().Cause())
			}()
			_ = g.Wait()
		}()
	}
}

func TestGroup_Goexit(t *testing.T) {
	var g breakersync.Group
	g.Go(await)
	g.Go(func(breaker.Interface) error { runtime.Goexit(); return nil })
	assert.Equal(t, breakersync.ErrGoexit, g.Wait())
}

func TestGroup_BadInput(t *testing.T) {
	assertNilPanics(t, "NewGroup", func(br breaker.Interface) { breakersync.NewGroup(br) })
	var g breakersync.Group
	assert.PanicsWithValue(t, "breakersync: Go: the task is nil", func() { g.Go(nil) })
	assert.PanicsWithValue(t, "breakersync: TryGo: the task is nil", func() { g.TryGo(nil) })
	for _, n := range []int{0, -1} {
		assert.PanicsWithValue(t, "breakersync: SetLimit: n isn't positive", func() { g.SetLimit(n) })
	}
	assert.True(t, g.TryGo(succeed))
	assert.PanicsWithValue(t, "breakersync: SetLimit: a task has been started", func() { g.SetLimit(1) })
	assert.NoError(t, g.Wait())
}

func TestGroup_Stress(t *testing.T) {
	for range 1000 {
		br := breaker.New()
		g := breakersync.NewGroup(br)
		g.SetLimit(2)
		var done atomic.Int64
		go br.Trip(errStop)
		started := 0
		for range 5 {
			if g.Go(func(breaker.Interface) error { done.Add(1); return nil }) {
				started++
			}
		}
		err := g.Wait()
		require.EqualValues(t, started, done.Load())
		if started < 5 {
			require.Equal(t, errStop, err)
		} else {
			require.NoError(t, err)
		}
	}
}
