package breakersync_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func TestMutex(t *testing.T) {
	for name, br := range kinds(breaker.New()) {
		t.Run(name, func(t *testing.T) {
			var mu breakersync.Mutex
			require.NoError(t, mu.Lock(br))
			assert.False(t, mu.TryLock())
			mu.Unlock()
			assert.True(t, mu.TryLock())
			mu.Unlock()
			assert.PanicsWithValue(t, "breakersync: Unlock: the Mutex isn't locked", mu.Unlock)
			require.NoError(t, mu.Lock(br), "as good as before the misuse")
			mu.Unlock()
		})
	}
}

func TestMutex_NilBreaker(t *testing.T) {
	var mu breakersync.Mutex
	assertNilPanics(t, "Lock", func(br breaker.Interface) { _ = mu.Lock(br) })
	assert.True(t, mu.TryLock(), "nothing has changed")
}

// elastic/go-concert#12: a breaker that has tripped doesn't lock, though it could.
func TestMutex_AsksTheBreakerFirst(t *testing.T) {
	for name, br := range kinds(tripped()) {
		t.Run(name, func(t *testing.T) {
			var mu breakersync.Mutex
			assert.Equal(t, errStop, mu.Lock(br))
			assert.True(t, mu.TryLock())
		})
	}
}

func TestMutex_IsInterrupted(t *testing.T) {
	for name := range kinds(breaker.New()) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu breakersync.Mutex
				require.True(t, mu.TryLock())
				br := breaker.New()
				var got error
				go func() { got = mu.Lock(kinds(br)[name]) }()
				synctest.Wait()
				br.Trip(errStop)
				synctest.Wait()
				assert.Equal(t, errStop, got)
				mu.Unlock()
				assert.True(t, mu.TryLock(), "it is free")
			})
		})
	}
}

func TestMutex_TimesOut(t *testing.T) {
	for range 3 { // with waiters that another bubble has used
		synctest.Test(t, func(t *testing.T) {
			var mu breakersync.Mutex
			require.True(t, mu.TryLock())
			begun := time.Now()
			br := breaker.BreakByTimeout(time.Minute)
			assert.Equal(t, br.Wait(), mu.Lock(br))
			assert.Equal(t, time.Minute, time.Since(begun))
			br = breaker.BreakByTimeout(time.Minute)
			assert.Error(t, mu.Lock(br))
			assert.Equal(t, 2*time.Minute, time.Since(begun))
		})
		var mu breakersync.Mutex // and with waiters of no bubble
		require.True(t, mu.TryLock())
		assert.Error(t, mu.Lock(breaker.BreakByTimeout(time.Millisecond)))
	}
}

func TestMutex_IsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.Mutex
		require.True(t, mu.TryLock())
		const waiting = 10
		var (
			order    []int
			breakers [waiting]*breaker.Breaker
		)
		for i := range waiting {
			breakers[i] = breaker.New()
			go func() {
				if mu.Lock(breakers[i]) == nil {
					order = append(order, i)
					mu.Unlock()
				}
			}()
			synctest.Wait()
		}
		for _, i := range []int{0, 4, 5, 9} { // first, in the middle, last
			breakers[i].Close()
		}
		synctest.Wait()
		assert.False(t, mu.TryLock())
		mu.Unlock()
		synctest.Wait()
		assert.Equal(t, []int{1, 2, 3, 6, 7, 8}, order)
	})
}

// golang/go#63615: a mutex that comes free after the trip goes to the next waiter, not to the
// interrupted one.
func TestMutex_HandedOverAfterTheTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.Mutex
		require.True(t, mu.TryLock())
		br := breaker.New()
		// Callbacks run one after the other, with Done closed, and those of Lock follow: meanwhile
		// the mutex comes free.
		gate := make(chan struct{})
		for range 100 {
			br.OnTrip(func() { <-gate })
		}
		var first error
		second := false
		go func() { first = mu.Lock(br) }()
		synctest.Wait()
		go func() { second = mu.Lock(breaker.New()) == nil }()
		synctest.Wait()
		go br.Trip(errStop)
		<-br.Done()
		mu.Unlock()
		close(gate)
		synctest.Wait()
		assert.Equal(t, errStop, first)
		assert.True(t, second)
	})
}

// A trip, an unlock and a lock at the same moment: each waiter gets either the mutex or an error,
// and the mutex is never lost.
func TestMutex_TripAgainstHandover(t *testing.T) {
	for range 1000 {
		var mu breakersync.Mutex
		require.True(t, mu.TryLock())
		br := breaker.New()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if mu.Lock(br) == nil {
					mu.Unlock()
				}
			})
		}
		all.Go(func() { br.Trip(errStop) })
		all.Go(mu.Unlock)
		all.Wait()
		require.True(t, mu.TryLock(), "it is lost")
	}
}

func TestMutex_Excludes(t *testing.T) {
	var (
		mu      breakersync.Mutex
		all     sync.WaitGroup
		counter int // the race detector watches it
		locked  atomic.Int64
	)
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				br := breaker.New()
				if i%3 == 0 {
					all.Go(br.Close)
				}
				if mu.Lock(br) == nil {
					counter++
					locked.Add(1)
					mu.Unlock()
				}
				br.Close()
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, locked.Load(), counter)
	assert.True(t, mu.TryLock())
}

func TestMutex_Locker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.Mutex
		l := mu.Locker()
		l.Lock()
		locked := false
		go func() {
			l.Lock()
			locked = true
		}()
		synctest.Wait()
		assert.False(t, locked)
		l.Unlock()
		synctest.Wait()
		assert.True(t, locked)
		l.Unlock()
		assert.Panics(t, l.Unlock)
	})
}
