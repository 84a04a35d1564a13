package integrations_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

func TestRate_ATripEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		br := breaker.New()
		ctx := breaker.ToContext(br)
		require.NoError(t, limiter.Wait(ctx))

		time.AfterFunc(time.Minute, func() { br.Trip(errEnough) })
		assert.Equal(t, context.Canceled, limiter.Wait(ctx))
		assert.Equal(t, errEnough, context.Cause(ctx))
		assert.Equal(t, time.Minute, time.Since(start))

		require.NoError(t, limiter.Wait(context.Background()))
		assert.Equal(t, time.Hour, time.Since(start), "the token went back")
	})
}

// A wait that would take longer than the breaker lives fails at once. The breaker is still open
// then: it has no cause.
func TestRate_SeesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		br := breaker.Multiplex(breaker.BreakByTimeout(time.Minute), breaker.New())
		defer br.Close()
		require.NoError(t, limiter.Wait(breaker.ToContext(br)))
		assert.ErrorContains(t, limiter.Wait(breaker.ToContext(br)), "would exceed context deadline")
		assert.NoError(t, br.Cause())
		assert.Zero(t, time.Since(start))
	})
}

// What the library does with a token that is given up while others wait behind: it is lost.
func TestRate_LosesATokenInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := rate.NewLimiter(rate.Every(time.Second), 1)
		require.NoError(t, limiter.Wait(context.Background()))
		br := breaker.New()
		var all sync.WaitGroup
		// It would be the turn of this one after 1 s.
		all.Go(func() { assert.Error(t, limiter.Wait(breaker.ToContext(br))) })
		synctest.Wait()
		all.Go(func() {
			assert.NoError(t, limiter.Wait(context.Background()))
			assert.Equal(t, 2*time.Second, time.Since(start))
		})
		synctest.Wait()
		br.Trip(errEnough)
		all.Wait()
		require.NoError(t, limiter.Wait(context.Background()))
		assert.Equal(t, 3*time.Second, time.Since(start), "the one of the first second is lost")
	})
}

func TestRate_GoroutinesPerWait(t *testing.T) {
	assertGoroutinesPerWait(t, 0, 0, func(ctx context.Context) {
		_ = rate.NewLimiter(0, 0).Wait(ctx)
		_ = rate.NewLimiter(rate.Every(time.Hour), 1).WaitN(ctx, 1)
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		limiter.Allow()
		_ = limiter.Wait(ctx)
	})
}
