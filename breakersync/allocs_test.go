//go:build !race

package breakersync_test

// The race detector drops some of what is pooled, so nothing is measured with it.

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// Each wait takes one allocation for the callback, and one more if the breaker is of another type.
func TestAllocs_MutexWaitAllocates(t *testing.T) {
	limits := map[string]float64{"breaker": 1, "NopCloser": 2, "embedded": 2}
	for name, br := range kinds(breaker.New()) {
		t.Run(name, func(t *testing.T) {
			var to, fro breakersync.Mutex
			to.TryLock()
			fro.TryLock()
			const rounds = 2000
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range rounds {
					_ = to.Lock(br)
					fro.Unlock()
				}
			}()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				to.Unlock()
				_ = fro.Lock(br)
			}
			runtime.ReadMemStats(&after)
			<-done
			assert.LessOrEqual(t, float64(after.Mallocs-before.Mallocs)/(2*rounds), limits[name]+0.1)
		})
	}
}

func TestAllocs_UncontendedAllocatesNothing(t *testing.T) {
	for name, br := range kinds(breaker.New()) {
		var (
			mu breakersync.Mutex
			rw breakersync.RWMutex
			wg breakersync.WaitGroup
			s  = breakersync.NewSemaphore(2)
		)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			_ = mu.Lock(br)
			mu.Unlock()
			_ = rw.Lock(br)
			rw.Unlock()
			_ = rw.RLock(br)
			rw.RUnlock()
			_ = s.Acquire(br, 2)
			s.Release(2)
			_ = wg.Wait(br)
		}), name)
	}
}
