package benchmarks_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"testing"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/benchmarks/internal/naive"
)

// Registrations: register a callback with a parent that has so many already, and stop it.
func BenchmarkRegistrations(b *testing.B) {
	for live := 1; live <= 1_000_000; live *= 10 {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			b.Run("impl=breaker", func(b *testing.B) {
				b.ReportAllocs()
				parent := breaker.New()
				for range live {
					parent.OnTrip(func() {})
				}
				// Or it may run during the measurement, for the sake of the preparation.
				runtime.GC()
				for b.Loop() {
					stop := parent.OnTrip(func() {})
					stop()
				}
				parent.Close()
			})
			b.Run("impl=context", func(b *testing.B) {
				b.ReportAllocs()
				parent, cancel := context.WithCancel(context.Background())
				stops := make([]func() bool, live)
				for i := range stops {
					stops[i] = context.AfterFunc(parent, func() {})
				}
				runtime.GC()
				for b.Loop() {
					stop := context.AfterFunc(parent, func() {})
					stop()
				}
				for _, stop := range stops {
					stop() // or each would start a goroutine
				}
				cancel()
			})
		})
	}
}

// Live: what 100,000 live ones hold, each with a Done that was asked for: heap, stacks and
// goroutines.
func BenchmarkLive(b *testing.B) {
	server, stop := context.WithCancel(context.Background())
	defer stop()
	process := breaker.New()
	defer process.Close()
	watched := []*naive.Breaker{naive.New()}
	// The goroutines that catch signals for the whole process are there already in a program that
	// has a handler.
	held := breaker.BreakBySignal(os.Interrupt)
	held.Done()
	defer held.Close()

	jobs := []struct {
		name string
		// Each function makes one, and returns what releases it.
		breaker, context, naive func() (release func())
	}{
		{
			"plain",
			func() func() {
				br := breaker.New()
				br.Done()
				return br.Close
			},
			func() func() {
				ctx, cancel := context.WithCancel(context.Background())
				ctx.Done()
				return cancel
			},
			func() func() { return naive.New().Close },
		},
		{
			"timeout",
			func() func() {
				br := breaker.BreakByTimeout(hour)
				br.Done()
				return br.Close
			},
			func() func() {
				ctx, cancel := context.WithTimeout(context.Background(), hour)
				ctx.Done()
				return cancel
			},
			func() func() { return naive.Timeout(hour).Close },
		},
		{
			"request",
			func() func() {
				br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(hour))
				br.Done()
				return br.Close
			},
			func() func() {
				ctx, cancel := context.WithTimeout(server, hour)
				ctx.Done()
				return cancel
			},
			func() func() { return naive.Merge(watched, naive.Timeout(hour)).Close },
		},
		{
			"handler",
			func() func() {
				br := breaker.Multiplex(breaker.BreakByTimeout(hour), breaker.BreakBySignal(os.Interrupt))
				br.Done()
				return br.Close
			},
			func() func() {
				notified, stop := signal.NotifyContext(context.Background(), os.Interrupt)
				ctx, cancel := context.WithTimeout(notified, hour)
				ctx.Done()
				return func() { cancel(); stop() }
			},
			func() func() { return naive.Merge(nil, naive.Timeout(hour), naive.Signal(os.Interrupt)).Close },
		},
	}
	for _, job := range jobs {
		b.Run("job="+job.name, func(b *testing.B) {
			b.Run("impl=breaker", func(b *testing.B) { benchmarkLive(b, job.breaker) })
			b.Run("impl=context", func(b *testing.B) { benchmarkLive(b, job.context) })
			b.Run("impl=naive", func(b *testing.B) { benchmarkLive(b, job.naive) })
		})
	}
}

func benchmarkLive(b *testing.B, start func() (release func())) {
	const live = 100_000
	for range b.N {
		// The functions that release count as part of what is held: the user holds them, too.
		releases := make([]func(), live)
		before := measure()
		for i := range releases {
			releases[i] = start()
		}
		after := measure()
		b.ReportMetric(0, "ns/op") // how long that takes says nothing, so it isn't printed
		b.ReportMetric(float64(after.heap-before.heap)/live, "heap-B/live")
		b.ReportMetric(float64(after.stacks-before.stacks)/live, "stack-B/live")
		b.ReportMetric(float64(after.goroutines-before.goroutines), "goroutines")
		for _, release := range releases {
			release()
		}
	}
}

type held struct{ heap, stacks, goroutines int64 }

func measure() held {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties the pools
	runtime.ReadMemStats(&stats)
	return held{int64(stats.HeapAlloc), int64(stats.StackInuse), int64(runtime.NumGoroutine())}
}
