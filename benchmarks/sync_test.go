package benchmarks_test

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

// What it costs that a wait can be interrupted: package breakersync beside package sync, where
// nothing interrupts, x/sync with a context, and what is written by hand with channels.

// guarded is what the locks are there for, and sink what comes of it.
var guarded, sink int

// chanMutex is the lock by hand: a channel with one place, and select.
type chanMutex chan struct{}

func (m chanMutex) Lock(ctx context.Context) error {
	select {
	case m <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m chanMutex) Unlock() { <-m }

// BenchmarkSyncMutex: lock and unlock, without contention.
func BenchmarkSyncMutex(b *testing.B) {
	br, ctx := openPair(b)
	b.Run("impl=breaker", func(b *testing.B) {
		var mu breakersync.Mutex
		for b.Loop() {
			_ = mu.Lock(br)
			guarded++
			mu.Unlock()
		}
	})
	b.Run("impl=sync", func(b *testing.B) {
		var mu sync.Mutex
		for b.Loop() {
			mu.Lock()
			guarded++
			mu.Unlock()
		}
	})
	b.Run("impl=channel", func(b *testing.B) {
		mu := make(chanMutex, 1)
		for b.Loop() {
			_ = mu.Lock(ctx)
			guarded++
			mu.Unlock()
		}
	})
}

// BenchmarkSyncRWMutex: lock and unlock for reading, without contention.
func BenchmarkSyncRWMutex(b *testing.B) {
	br, _ := openPair(b)
	b.Run("impl=breaker", func(b *testing.B) {
		var mu breakersync.RWMutex
		for b.Loop() {
			_ = mu.RLock(br)
			sink += guarded
			mu.RUnlock()
		}
	})
	b.Run("impl=sync", func(b *testing.B) {
		var mu sync.RWMutex
		for b.Loop() {
			mu.RLock()
			sink += guarded
			mu.RUnlock()
		}
	})
}

// BenchmarkSyncSemaphore: acquire and release, there are enough.
func BenchmarkSyncSemaphore(b *testing.B) {
	br, ctx := openPair(b)
	b.Run("impl=breaker", func(b *testing.B) {
		s := breakersync.NewSemaphore(10)
		for b.Loop() {
			_ = s.Acquire(br, 1)
			s.Release(1)
		}
	})
	b.Run("impl=xsync", func(b *testing.B) {
		s := semaphore.NewWeighted(10)
		for b.Loop() {
			_ = s.Acquire(ctx, 1)
			s.Release(1)
		}
	})
	b.Run("impl=channel", func(b *testing.B) {
		s := make(chanMutex, 10)
		for b.Loop() {
			_ = s.Lock(ctx)
			s.Unlock()
		}
	})
}

// BenchmarkSyncContended: as many goroutines as processors, and 8 times as many, want the one lock
// all the time.
func BenchmarkSyncContended(b *testing.B) {
	br, ctx := openPair(b)
	var (
		own  breakersync.Mutex
		std  sync.Mutex
		sem  = semaphore.NewWeighted(1)
		byCh = make(chanMutex, 1)
	)
	for name, critical := range map[string]func(){
		"breaker": func() { _ = own.Lock(br); guarded++; own.Unlock() },
		"sync":    func() { std.Lock(); guarded++; std.Unlock() },
		"xsync":   func() { _ = sem.Acquire(ctx, 1); guarded++; sem.Release(1) },
		"channel": func() { _ = byCh.Lock(ctx); guarded++; byCh.Unlock() },
	} {
		b.Run("impl="+name, func(b *testing.B) {
			b.SetParallelism(8)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					critical()
				}
			})
		})
	}
}

// BenchmarkSyncHandover: two goroutines pass one permit to and fro, so that each acquire waits.
func BenchmarkSyncHandover(b *testing.B) {
	br, ctx := openPair(b)
	to, fro := breakersync.NewSemaphore(1), breakersync.NewSemaphore(1)
	xto, xfro := semaphore.NewWeighted(1), semaphore.NewWeighted(1)
	for name, s := range map[string]struct {
		acquire, acquireBack func()
		release, releaseBack func()
	}{
		"breaker": {
			func() { _ = to.Acquire(br, 1) }, func() { _ = fro.Acquire(br, 1) },
			func() { to.Release(1) }, func() { fro.Release(1) },
		},
		"xsync": {
			func() { _ = xto.Acquire(ctx, 1) }, func() { _ = xfro.Acquire(ctx, 1) },
			func() { xto.Release(1) }, func() { xfro.Release(1) },
		},
	} {
		b.Run("impl="+name, func(b *testing.B) {
			b.ReportAllocs()
			s.acquire()
			s.acquireBack()
			done := make(chan struct{})
			n := b.N
			go func() {
				defer close(done)
				for range n {
					s.acquire()
					s.releaseBack()
				}
			}()
			for range n {
				s.release()
				s.acquireBack()
			}
			<-done
			s.release()
			s.releaseBack()
		})
	}
}

// BenchmarkSyncInterrupt: 10,000 goroutines wait for a semaphore, and one trip wakes all of them.
// The time is that from the trip until the last has returned, for all of them.
func BenchmarkSyncInterrupt(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		s := breakersync.NewSemaphore(1)
		s.TryAcquire(1)
		interruptWaiters(b, byBreaker(func(br breaker.Interface) error { return s.Acquire(br, 1) }))
	})
	b.Run("impl=xsync", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		s.TryAcquire(1)
		interruptWaiters(b, byContext(func(ctx context.Context) error { return s.Acquire(ctx, 1) }))
	})
	b.Run("impl=channel", func(b *testing.B) {
		s := make(chanMutex, 1)
		s <- struct{}{}
		interruptWaiters(b, byContext(s.Lock))
	})
}

// BenchmarkSyncInterruptLock: the same with a lock.
func BenchmarkSyncInterruptLock(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		var mu breakersync.Mutex
		mu.TryLock()
		interruptWaiters(b, byBreaker(mu.Lock))
	})
	b.Run("impl=channel", func(b *testing.B) {
		mu := make(chanMutex, 1)
		mu <- struct{}{}
		interruptWaiters(b, byContext(mu.Lock))
	})
}

func byBreaker(acquire func(breaker.Interface) error) func() (wait func() error, trip func()) {
	return func() (func() error, func()) {
		br := breaker.New()
		return func() error { return acquire(br) }, br.Close
	}
}

func byContext(acquire func(context.Context) error) func() (wait func() error, trip func()) {
	return func() (func() error, func()) {
		ctx, cancel := context.WithCancel(context.Background())
		return func() error { return acquire(ctx) }, cancel
	}
}

// interruptWaiters has 10,000 goroutines wait for what is never there, and ends that.
func interruptWaiters(b *testing.B, begin func() (wait func() error, trip func())) {
	const waiting = 10_000
	b.StopTimer()
	for range b.N {
		wait, trip := begin()
		var begun, ended sync.WaitGroup
		begun.Add(waiting)
		for range waiting {
			ended.Go(func() {
				begun.Done()
				if wait() == nil {
					b.Error("it isn't there")
				}
			})
		}
		begun.Wait()
		awaitParked(b, waiting)
		runtime.GC()
		b.StartTimer()
		trip()
		ended.Wait()
		b.StopTimer()
	}
}

// awaitParked returns when so many goroutines wait for something. As package runtime/metrics counts
// them, that is all that neither run nor could.
func awaitParked(b *testing.B, n uint64) {
	sample := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}}
	for begin := time.Now(); time.Since(begin) < time.Minute; runtime.Gosched() {
		if metrics.Read(sample); sample[0].Value.Uint64() >= n {
			return
		}
	}
	b.Fatal("they never waited")
}

// BenchmarkSyncSleep: a sleep of a nanosecond that could be interrupted.
func BenchmarkSyncSleep(b *testing.B) {
	br, ctx := openPair(b)
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = breakersync.Sleep(br, 1)
		}
	})
	b.Run("impl=channel", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			timer := time.NewTimer(1)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		}
	})
}

// BenchmarkSyncGroup: ten tasks that do nothing.
func BenchmarkSyncGroup(b *testing.B) {
	br, ctx := openPair(b)
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g := breakersync.NewGroup(br)
			g.SetLimit(4)
			for range 10 {
				g.Go(func(breaker.Interface) error { return nil })
			}
			_ = g.Wait()
		}
	})
	b.Run("impl=errgroup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g, _ := errgroup.WithContext(ctx)
			g.SetLimit(4)
			for range 10 {
				g.Go(func() error { return nil })
			}
			_ = g.Wait()
		}
	})
}

// openPair returns a breaker and a context that nothing ends before the benchmark.
func openPair(b *testing.B) (breaker.Interface, context.Context) {
	br := breaker.New()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(func() { br.Close(); cancel() })
	return br, ctx
}
