package semaphore_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/semaphore"
)

var errStop = errors.New("stop")

// initial is the capacity before any SetCapacity, and processors their number at that time: a test
// may run on another.
var initial, processors = capacity(), runtime.GOMAXPROCS(0)

// capacity returns how many permits the shared semaphore has; it has to be free.
func capacity() (n int) {
	for semaphore.TryAcquire(1) {
		n++
	}
	semaphore.Release(n)
	return n
}

func TestSemaphore_Shared(t *testing.T) {
	assert.Equal(t, processors, initial)
	semaphore.SetCapacity(initial)
	for range initial {
		require.NoError(t, semaphore.Acquire(breaker.New(), 1))
	}
	assert.False(t, semaphore.TryAcquire(1))
	assert.Equal(t, semaphore.ErrCapacity, semaphore.Acquire(breaker.New(), initial+1))
	semaphore.SetCapacity(initial + 1)
	assert.True(t, semaphore.TryAcquire(1))
	semaphore.Release(initial + 1)
	assert.Panics(t, func() { semaphore.Release(1) })
}

// Acquire closes the breaker that it is given, whatever it returns, and never one in NopCloser.
func TestSemaphore_AcquireOwnsTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := semaphore.New(2)
		for _, test := range []struct {
			n     int
			err   error
			cause error // the breaker's, afterwards
		}{
			{1, nil, breaker.ErrClosed},
			{3, semaphore.ErrCapacity, breaker.ErrClosed},
			{2, errStop, errStop},
		} {
			br := breaker.BreakByTimeoutCause(time.Minute, errStop)
			assert.Equal(t, test.err, s.Acquire(br, test.n))
			assert.Equal(t, breaker.Closed, br.State())
			assert.Equal(t, test.cause, br.Cause())
		}
		br := breaker.New()
		require.NoError(t, s.Acquire(breaker.NopCloser(br), 1))
		assert.NoError(t, br.Err())
		go func() {
			time.Sleep(time.Second)
			s.Release(2)
		}()
		require.NoError(t, s.Acquire(br, 2), "it waits")
		assert.Equal(t, breaker.Closed, br.State())
	})
}

func TestSemaphore_BadInput(t *testing.T) {
	br := breaker.New()
	var s semaphore.Semaphore
	for _, nothing := range []breaker.Interface{nil, (*breaker.Breaker)(nil)} {
		assert.PanicsWithValue(t, "semaphore: Acquire: the breaker is nil", func() { _ = s.Acquire(nothing, 1) })
	}
	assert.PanicsWithValue(t, "semaphore: Acquire: n is negative", func() { _ = s.Acquire(br, -1) })
	assert.PanicsWithValue(t, "semaphore: TryAcquire: n is negative", func() { s.TryAcquire(-1) })
	assert.PanicsWithValue(t, "semaphore: Release: n is negative", func() { s.Release(-1) })
	assert.PanicsWithValue(t, "semaphore: New: the capacity is negative", func() { semaphore.New(-1) })
	assert.PanicsWithValue(t, "semaphore: SetCapacity: the capacity is negative", func() { s.SetCapacity(-1) })
	assert.NoError(t, br.Err(), "nothing has changed")
	assert.Equal(t, semaphore.ErrCapacity, s.Acquire(br, 1), "the zero value has no permits")
}

func TestSemaphore_Stress(t *testing.T) {
	for range 1000 {
		s := semaphore.New(2)
		br := breaker.New()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if s.Acquire(breaker.NopCloser(br), 2) == nil {
					s.Release(2)
				}
			})
		}
		all.Go(br.Close)
		all.Wait()
		require.True(t, s.TryAcquire(2))
	}
}
