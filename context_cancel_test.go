package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/testkit"
)

// Whatever trips the breaker, cancel is called once, and before the trip returns to the winner.
func TestCancel_IsCalledOnce(t *testing.T) {
	for name, trip := range map[string]func(br *breaker.Breaker, end context.CancelFunc){
		"Close":                func(br *breaker.Breaker, _ context.CancelFunc) { br.Close() },
		"Close of a Multiplex": func(br *breaker.Breaker, _ context.CancelFunc) { breaker.Multiplex(br).Close() },
		"a sibling": func(br *breaker.Breaker, _ context.CancelFunc) {
			sibling := breaker.New()
			breaker.Multiplex(br, sibling)
			sibling.Trip(nil)
		},
		"a sibling that had tripped": func(br *breaker.Breaker, _ context.CancelFunc) {
			breaker.Multiplex(breaker.BreakByTimeout(0), br)
		},
		"Trip":             func(br *breaker.Breaker, _ context.CancelFunc) { br.Trip(assert.AnError) },
		"Err":              func(br *breaker.Breaker, end context.CancelFunc) { end(); _ = br.Err() },
		"the context":      func(br *breaker.Breaker, end context.CancelFunc) { br.Done(); end(); <-br.Done() },
		"Close, waited on": func(br *breaker.Breaker, _ context.CancelFunc) { br.Done(); br.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, func() {
				calls.Add(1)
				cancel()
			})
			require.Zero(t, calls.Load())
			trip(br, cancel)
			testkit.Await(t, "cancel is called", func() bool { return calls.Load() == 1 })
			require.Error(t, ctx.Err())
			br.Close()
			br.Close()
			breaker.Multiplex(br).Close()
			testkit.Await(t, "all is released", func() bool { return br.State() == breaker.Closed })
			require.Equal(t, int32(1), calls.Load())
		})
	}
	t.Run("synchronously", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		breaker.BreakByContext(ctx, cancel).Close()
		require.Equal(t, context.Canceled, ctx.Err()) // promise 10
	})
	t.Run("by the constructor", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		calls := 0
		br := breaker.BreakByContext(ctx, func() { calls++ })
		require.Equal(t, 1, calls)
		br.Close()
		require.Equal(t, 1, calls)
	})
	t.Run("against everything", func(t *testing.T) {
		for i := range 1000 {
			var calls atomic.Int32
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, func() {
				calls.Add(1)
				cancel()
			})
			steps := []func(){cancel, br.Close, func() { br.Trip(nil) }, func() { br.Done() }, func() { _ = br.Err() }}
			atOnce(i, steps...)
			testkit.Await(t, "all is released", func() bool { return br.State() == breaker.Closed })
			testkit.Await(t, "cancel is called", func() bool { return calls.Load() == 1 })
		}
	})
}

// Cancelling comes last, with the breaker closed: it may ask the breaker, and panic.
func TestCancel_MayDoAnything(t *testing.T) {
	// promise 8
	ctx, cancel := context.WithCancel(context.Background())
	var br *breaker.Breaker
	br = breaker.BreakByContext(ctx, func() {
		assert.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, br))
		assert.Equal(t, breaker.Closed, br.State())
		br.Close()
		cancel()
		panic("cancel panics")
	})
	sibling := breaker.BreakByTimeout(time.Hour)
	outer := breaker.Multiplex(br, sibling)
	require.PanicsWithValue(t, "cancel panics", outer.Close)
	require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, outer))
	require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, sibling))
	require.Equal(t, context.Canceled, ctx.Err())
}

// Err of a bare breaker matches what its context says, however both ended.
func TestContext_ErrMatches(t *testing.T) {
	// promise 5
	withCancel := func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	check := func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
		t.Helper()
		testkit.RequireTripped(t, br)
		require.Error(t, ctx.Err())
		require.ErrorIs(t, br.Err(), ctx.Err())
		require.Equal(t, br.Err(), br.Err())
	}
	t.Run("closed", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Close()
		require.Equal(t, breaker.ErrClosed, br.Cause())
		check(t, br, ctx)
	})
	t.Run("closed by a Multiplex", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		breaker.Multiplex(br, breaker.BreakByTimeout(0))
		check(t, br, ctx)
	})
	t.Run("tripped", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Trip(assert.AnError)
		require.Equal(t, assert.AnError, br.Cause())
		check(t, br, ctx)
	})
	t.Run("tripped with a deadline's cause", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Trip(context.DeadlineExceeded)
		require.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err()) // promise 13
		check(t, br, ctx)
	})
	t.Run("closed after the end of the context", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, nil)
		cancel()
		br.Close() // nobody had asked the breaker in between
		check(t, br, ctx)
	})
	t.Run("closed after the deadline of the context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			br := breaker.BreakByContext(ctx, cancel)
			time.Sleep(time.Minute)
			br.Close()
			check(t, br, ctx)
		})
	})
	t.Run("a view, cancelled", func(t *testing.T) {
		ctx := breaker.ToContext(breaker.BreakByTimeout(0))
		check(t, breaker.BreakByContext(ctx, nil), ctx)
	})
	t.Run("a view, expired while waited for", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, nil)
		br.Done()
		source.Trip(context.DeadlineExceeded)
		check(t, br, ctx)
	})
	t.Run("a view, closed after its end", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, nil)
		source.Trip(context.DeadlineExceeded)
		br.Close() // nobody had asked the breaker in between
		check(t, br, ctx)
	})
	t.Run("a view, tripped with a deadline's cause", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, source.Close)
		br.Trip(context.DeadlineExceeded)
		check(t, br, ctx)
	})
	t.Run("a view that goes on", func(t *testing.T) {
		source := breaker.New()
		br := breaker.BreakByContext(breaker.ToContext(source), nil)
		br.Trip(assert.AnError)
		err := br.Err()
		source.Trip(context.DeadlineExceeded)
		require.Equal(t, err, br.Err()) // what was said stays said
	})
	t.Run("not the context", func(t *testing.T) {
		ctx, cancel := withCancel()
		defer cancel()
		br := breaker.BreakByContext(ctx, nil)
		br.Trip(assert.AnError)
		testkit.RequireTripped(t, br)
		require.Equal(t, breaker.Interrupted, br.Err()) // the context goes on
		require.NoError(t, ctx.Err())
	})
}

// promise 10: cancel is called, also if its context never ends by itself, and if the breaker is
// closed with its owner.
func TestCancel_OfAContextThatNeverEnds(t *testing.T) {
	calls := 0
	br := breaker.BreakByContext(context.Background(), func() { calls++ })
	br.Close()
	assert.Equal(t, 1, calls)
	breaker.Multiplex(breaker.BreakByContext(context.Background(), func() { calls++ })).Close()
	assert.Equal(t, 2, calls)
}
