package integrations_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/kamilsk/breaker"
)

func TestSemaphore_ATripEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := semaphore.NewWeighted(2)
		require.NoError(t, places.Acquire(context.Background(), 1))
		br := breaker.New()
		ctx := breaker.ToContext(br)
		time.AfterFunc(time.Minute, func() { br.Trip(errEnough) })
		assert.Equal(t, context.Canceled, places.Acquire(ctx, 2))
		assert.Equal(t, errEnough, context.Cause(ctx))
		assert.True(t, places.TryAcquire(1), "nothing was taken")

		late := breaker.BreakByTimeout(time.Minute)
		defer late.Close()
		assert.Equal(t, context.DeadlineExceeded, places.Acquire(breaker.ToContext(late), 1))
		assert.ErrorIs(t, late.Cause(), context.DeadlineExceeded)
	})
}

// A breaker that has tripped gets no place, though there is one.
func TestSemaphore_TrippedBefore(t *testing.T) {
	places := semaphore.NewWeighted(1)
	br := breaker.New()
	br.Trip(errEnough)
	assert.Equal(t, context.Canceled, places.Acquire(breaker.ToContext(br), 1))
	assert.True(t, places.TryAcquire(1))
}

func TestSemaphore_GoroutinesPerWait(t *testing.T) {
	assertGoroutinesPerWait(t, 0, 0, func(ctx context.Context) {
		places := semaphore.NewWeighted(1)
		places.TryAcquire(1)
		_ = places.Acquire(ctx, 1)
	})
}
