package breakersync_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// most is the largest capacity: 1<<46 where an int is that large.
const most = min(1<<46, math.MaxInt)

func TestSemaphore(t *testing.T) {
	for name, br := range kinds(breaker.New()) {
		t.Run(name, func(t *testing.T) {
			s := breakersync.NewSemaphore(5)
			require.NoError(t, s.Acquire(br, 3))
			assert.False(t, s.TryAcquire(3))
			assert.True(t, s.TryAcquire(2))
			require.NoError(t, s.Acquire(br, 0))
			assert.Equal(t, 5, s.Acquired())
			assert.Equal(t, 5, s.Capacity())
			for _, n := range []int{6, most, min(4*most, math.MaxInt), math.MaxInt} {
				assert.PanicsWithValue(t, "breakersync: Release: n is more than the permits that are taken", func() { s.Release(n) })
				assert.Equal(t, breakersync.ErrCapacity, s.Acquire(br, n), "golang/sync#7: it doesn't wait")
				assert.False(t, s.TryAcquire(n))
			}
			assert.Equal(t, 5, s.Acquired())
			s.Release(1)
			s.Release(4)
			assert.Panics(t, func() { s.Release(1) })
			assert.Zero(t, s.Acquired())
		})
	}
}

func TestSemaphore_ZeroValue(t *testing.T) {
	var s breakersync.Semaphore
	br := breaker.New()
	assert.Equal(t, breakersync.ErrCapacity, s.Acquire(br, 1))
	assert.False(t, s.TryAcquire(1))
	require.NoError(t, s.Acquire(br, 0))
	s.Resize(1)
	require.NoError(t, s.Acquire(br, 1))
	s.Release(1)
}

func TestSemaphore_Unlimited(t *testing.T) {
	s := breakersync.NewSemaphore(math.MaxInt)
	assert.Equal(t, most, s.Capacity())
	assert.True(t, s.TryAcquire(most))
	assert.False(t, s.TryAcquire(1))
	s.Release(most)
}

func TestSemaphore_BadInput(t *testing.T) {
	s := breakersync.NewSemaphore(1)
	br := breaker.New()
	assertNilPanics(t, "Acquire", func(br breaker.Interface) { _ = s.Acquire(br, 1) })
	assert.PanicsWithValue(t, "breakersync: Acquire: n is negative", func() { _ = s.Acquire(br, -1) })
	assert.PanicsWithValue(t, "breakersync: TryAcquire: n is negative", func() { s.TryAcquire(-1) })
	assert.PanicsWithValue(t, "breakersync: Release: n is negative", func() { s.Release(-1) })
	assert.PanicsWithValue(t, "breakersync: Resize: the capacity is negative", func() { s.Resize(-1) })
	assert.PanicsWithValue(t, "breakersync: NewSemaphore: the capacity is negative", func() { breakersync.NewSemaphore(-1) })
	assert.Equal(t, errStop, s.Acquire(tripped(), 1))
	assert.Equal(t, errStop, s.Acquire(tripped(), 2), "the breaker is asked first")
	assert.Zero(t, s.Acquired())
}

// golang/go#37852: the front gives up, and those behind it fit.
func TestSemaphore_FrontGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := breakersync.NewSemaphore(3)
		never := breaker.New()
		require.True(t, s.TryAcquire(1))
		br := breaker.New()
		var front error
		go func() { front = s.Acquire(br, 3) }()
		synctest.Wait()
		got := [3]bool{}
		for i := range got {
			go func() { got[i] = s.Acquire(never, 1) == nil }()
			synctest.Wait()
		}
		assert.False(t, s.TryAcquire(1), "it would overtake")
		assert.Equal(t, [3]bool{}, got)
		br.Trip(errStop)
		synctest.Wait()
		assert.Equal(t, errStop, front)
		assert.Equal(t, [3]bool{true, true, false}, got)
		s.Release(3)
		synctest.Wait()
		assert.True(t, got[2])
		s.Release(1)
		assert.Zero(t, s.Acquired())
	})
}

func TestSemaphore_Resize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := breakersync.NewSemaphore(2)
		never := breaker.New()
		require.True(t, s.TryAcquire(2))
		got := [3]error{errStop, errStop, errStop}
		for i, n := range []int{2, 1, 2} {
			go func() { got[i] = s.Acquire(never, n) }()
			synctest.Wait()
		}
		s.Resize(4) // the first goes on
		synctest.Wait()
		assert.Equal(t, [3]error{nil, errStop, errStop}, got)
		s.Resize(1) // the third will never
		synctest.Wait()
		assert.Equal(t, [3]error{nil, errStop, breakersync.ErrCapacity}, got)
		assert.Equal(t, 4, s.Acquired())
		s.Release(3)
		synctest.Wait()
		assert.Equal(t, errStop, got[1])
		s.Release(1)
		synctest.Wait()
		assert.Equal(t, [3]error{nil, nil, breakersync.ErrCapacity}, got)
		s.Release(1)
		s.Resize(0)
		assert.Equal(t, breakersync.ErrCapacity, s.Acquire(never, 1))
		assert.Zero(t, s.Acquired())
	})
}

// Nothing is lost and nothing is given twice, whatever trips, releases and resizes happen at the
// same time.
func TestSemaphore_Stress(t *testing.T) {
	for range 1000 {
		s := breakersync.NewSemaphore(3)
		br := breaker.New()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				if s.Acquire(br, i%3+1) == nil {
					s.Release(i%3 + 1)
				}
			})
		}
		all.Go(func() { s.Resize(2) })
		all.Go(br.Close)
		all.Go(func() { s.Resize(4) })
		all.Wait()
		require.Zero(t, s.Acquired())
		require.True(t, s.TryAcquire(s.Capacity()), "a waiter still seems to be queued")
	}
}

// 10,000 waiters are ended by one trip, without a goroutine for them.
func TestSemaphore_ManyWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := breakersync.NewSemaphore(1)
		require.True(t, s.TryAcquire(1))
		br := breaker.New()
		const waiting = 10_000
		var causes [waiting]error
		for i := range causes {
			go func() { causes[i] = s.Acquire(br, 1) }()
		}
		synctest.Wait()
		br.Trip(errStop)
		synctest.Wait()
		for _, cause := range causes {
			require.Equal(t, errStop, cause)
		}
		s.Release(1)
		assert.True(t, s.TryAcquire(1))
	})
}
