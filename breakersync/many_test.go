package breakersync_test

import (
	"context"
	"fmt"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
	"github.com/kamilsk/breaker/internal/testkit"
)

// One trip ends 10,000 waits of each kind. Run it with -v for the table.
func TestWaits_EndManyByOneTrip(t *testing.T) {
	const many = 10_000
	var (
		mu        breakersync.Mutex
		rw        breakersync.RWMutex
		cond      = breakersync.NewCond(&sync.Mutex{})
		group     breakersync.WaitGroup
		semaphore = breakersync.NewSemaphore(1)
		channel   = make(chan struct{})
	)
	require.True(t, mu.TryLock())
	require.True(t, rw.TryLock())
	require.True(t, semaphore.TryAcquire(1))
	group.Add(1)

	ways := []struct {
		name string
		wait func(br *breaker.Breaker, ctx context.Context) error
	}{
		{"Mutex.Lock", func(br *breaker.Breaker, _ context.Context) error { return mu.Lock(br) }},
		{"RWMutex.RLock", func(br *breaker.Breaker, _ context.Context) error { return rw.RLock(br) }},
		{"Semaphore.Acquire", func(br *breaker.Breaker, _ context.Context) error { return semaphore.Acquire(br, 1) }},
		{"WaitGroup.Wait", func(br *breaker.Breaker, _ context.Context) error { return group.Wait(br) }},
		{"Cond.Wait", func(br *breaker.Breaker, _ context.Context) error {
			cond.L.Lock()
			defer cond.L.Unlock()
			return cond.Wait(br)
		}},
		{"select, a context", func(_ *breaker.Breaker, ctx context.Context) error {
			select {
			case channel <- struct{}{}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-20s %12s %22s\n", "10,000 waits in", "all ended in", "goroutines besides")
	for _, way := range ways {
		best := time.Hour
		for range 3 {
			before := testkit.AllGoroutines()
			br := breaker.New()
			ctx, cancel := context.WithCancelCause(t.Context())
			br.OnTrip(func() { cancel(errStop) })
			var waits sync.WaitGroup
			failed := make(chan error, many)
			for range many {
				waits.Go(func() {
					if err := way.wait(br, ctx); err != errStop {
						failed <- err
					}
				})
			}
			awaitParked(t, many)
			// One of an earlier test may have ended meanwhile.
			testkit.AwaitAtMost(t, before+many)
			begin := time.Now()
			br.Trip(errStop)
			waits.Wait()
			best = min(best, time.Since(begin))
			require.Empty(t, failed, way.name)
			cancel(nil)
			testkit.Await(t, "the end of all goroutines", func() bool { return testkit.AllGoroutines() <= before })
		}
		fmt.Fprintf(&table, "%-20s %12s %22d\n", way.name, best.Round(100*time.Microsecond), 0)
	}
	t.Log("\n" + table.String())

	mu.Unlock()
	rw.Unlock()
	group.Done()
	semaphore.Release(1)
	assert.True(t, mu.TryLock())
	assert.True(t, rw.TryLock())
	assert.True(t, semaphore.TryAcquire(1))
}

// awaitParked returns when so many goroutines neither run nor could.
func awaitParked(t *testing.T, n uint64) {
	sample := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}}
	testkit.Await(t, "all goroutines wait", func() bool {
		metrics.Read(sample)
		return sample[0].Value.Uint64() >= n
	})
}
