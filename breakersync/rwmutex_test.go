package breakersync_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func TestRWMutex(t *testing.T) {
	for name, br := range kinds(breaker.New()) {
		t.Run(name, func(t *testing.T) {
			var mu breakersync.RWMutex
			require.NoError(t, mu.RLock(br))
			require.NoError(t, mu.RLock(br))
			assert.False(t, mu.TryLock())
			assert.PanicsWithValue(t, "breakersync: Unlock: the RWMutex isn't locked for writing", mu.Unlock)
			assert.True(t, mu.TryRLock())
			for range 3 {
				mu.RUnlock()
			}
			assert.PanicsWithValue(t, "breakersync: RUnlock: the RWMutex isn't locked for reading", mu.RUnlock)
			require.NoError(t, mu.Lock(br))
			assert.False(t, mu.TryLock())
			assert.False(t, mu.TryRLock())
			assert.PanicsWithValue(t, "breakersync: RUnlock: the RWMutex isn't locked for reading", mu.RUnlock)
			mu.Unlock()
			assert.PanicsWithValue(t, "breakersync: Unlock: the RWMutex isn't locked for writing", mu.Unlock)
			assert.True(t, mu.TryLock())
			mu.Unlock()
		})
	}
}

func TestRWMutex_BadInput(t *testing.T) {
	var mu breakersync.RWMutex
	assertNilPanics(t, "Lock", func(br breaker.Interface) { _ = mu.Lock(br) })
	assertNilPanics(t, "RLock", func(br breaker.Interface) { _ = mu.RLock(br) })
	assert.Equal(t, errStop, mu.Lock(tripped()))
	assert.Equal(t, errStop, mu.RLock(tripped()))
	assert.True(t, mu.TryLock(), "nothing has changed")
}

// golang/go#37852: a writer that gives up lets the readers behind it go on, though readers hold the
// lock.
func TestRWMutex_WriterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.RWMutex
		never := breaker.New()
		require.NoError(t, mu.RLock(never))
		br := breaker.New()
		var writer error
		go func() { writer = mu.Lock(br) }()
		synctest.Wait()
		readers := make([]bool, 5)
		for i := range readers {
			go func() { readers[i] = mu.RLock(never) == nil }()
		}
		synctest.Wait()
		assert.NotContains(t, readers, true, "they wait behind the writer")
		assert.False(t, mu.TryRLock())
		br.Trip(errStop)
		synctest.Wait()
		assert.Equal(t, errStop, writer)
		assert.NotContains(t, readers, false)
		for range 6 {
			mu.RUnlock()
		}
		assert.True(t, mu.TryLock())
	})
}

func TestRWMutex_WriterWaitsForReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.RWMutex
		never := breaker.New()
		for range 3 {
			require.NoError(t, mu.RLock(never))
		}
		locked := false
		go func() { locked = mu.Lock(never) == nil }()
		for range 3 {
			synctest.Wait()
			assert.False(t, locked)
			mu.RUnlock()
		}
		synctest.Wait()
		assert.True(t, locked)
		mu.Unlock()
	})
}

func TestRWMutex_Excludes(t *testing.T) {
	var (
		mu      breakersync.RWMutex
		all     sync.WaitGroup
		counter int // the race detector watches it
		seen    [4]int
	)
	for w := range 4 {
		all.Go(func() {
			for i := range 500 {
				br := breaker.New()
				if i%3 == 0 {
					all.Go(br.Close)
				}
				if mu.Lock(br) == nil {
					counter++
					mu.Unlock()
				}
				br.Close()
			}
		})
		all.Go(func() {
			for i := range 500 {
				br := breaker.New()
				if i%3 == 0 {
					all.Go(br.Close)
				}
				if mu.RLock(br) == nil {
					seen[w] = counter
					mu.RUnlock()
				}
				br.Close()
			}
		})
	}
	all.Wait()
	assert.True(t, mu.TryLock())
}

func TestRWMutex_Lockers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.RWMutex
		w, r := mu.Locker(), mu.RLocker()
		w.Lock()
		locked := false
		go func() {
			r.Lock()
			locked = true
		}()
		synctest.Wait()
		assert.False(t, locked)
		w.Unlock()
		synctest.Wait()
		assert.True(t, locked)
		assert.True(t, mu.TryRLock())
		locked = false
		go func() {
			w.Lock()
			locked = true
		}()
		r.Unlock()
		synctest.Wait()
		assert.False(t, locked)
		r.Unlock()
		synctest.Wait()
		assert.True(t, locked)
		w.Unlock()
		r.Lock()
		assert.True(t, mu.TryRLock())
		r.Unlock()
	})
}
