package benchmarks_test

import (
	"context"
	"testing"

	"github.com/kamilsk/breaker"
)

// What sharing costs: each goroutine does the same, once on a parent that all share and once on a
// parent of its own. What both do by themselves is the same, so the difference is what travels
// between cores: cache lines, and waiting for a lock. docs/scaling.md says what follows from it.

// parents returns one parent for all, or a new one each time.
func parents[P any](shared bool, make func() P) func() P {
	if !shared {
		return make
	}
	one := make()
	return func() P { return one }
}

var sharing = map[string]bool{"shared": true, "own": false}

// BenchmarkSharingCallback: register a callback, and stop it.
func BenchmarkSharingCallback(b *testing.B) {
	for name, shared := range sharing {
		b.Run("impl=breaker/parent="+name, func(b *testing.B) {
			parent := parents(shared, func() *breaker.Breaker {
				br := breaker.New()
				br.OnTrip(func() {}) // one registration is always there
				br.OnTrip(func() {})
				return br
			})
			b.RunParallel(func(pb *testing.PB) {
				br := parent()
				for pb.Next() {
					stop := br.OnTrip(func() {})
					stop()
				}
			})
		})
		b.Run("impl=context/parent="+name, func(b *testing.B) {
			parent := parents(shared, func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				b.Cleanup(cancel)
				return ctx
			})
			b.RunParallel(func(pb *testing.PB) {
				ctx := parent()
				for pb.Next() {
					stop := context.AfterFunc(ctx, func() {})
					stop()
				}
			})
		})
	}
}

// BenchmarkSharingRequest: a request that watches the parent and a timeout.
func BenchmarkSharingRequest(b *testing.B) {
	for name, shared := range sharing {
		b.Run("impl=breaker/parent="+name, func(b *testing.B) {
			parent := parents(shared, breaker.New)
			b.RunParallel(func(pb *testing.PB) {
				br := parent()
				for pb.Next() {
					request := breaker.Multiplex(breaker.NopCloser(br), breaker.BreakByTimeout(hour))
					request.Done()
					request.Close()
				}
			})
		})
		b.Run("impl=context/parent="+name, func(b *testing.B) {
			parent := parents(shared, func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				b.Cleanup(cancel)
				return ctx
			})
			b.RunParallel(func(pb *testing.PB) {
				ctx := parent()
				for pb.Next() {
					request, cancel := context.WithTimeout(ctx, hour)
					request.Done()
					cancel()
				}
			})
		})
	}
}

// BenchmarkSharingErr: ask a breaker that has tripped.
func BenchmarkSharingErr(b *testing.B) {
	for name, shared := range sharing {
		b.Run("impl=breaker/parent="+name, func(b *testing.B) {
			parent := parents(shared, func() *breaker.Breaker {
				br := breaker.New()
				br.Done()
				br.Close()
				return br
			})
			b.RunParallel(func(pb *testing.PB) {
				br := parent()
				for pb.Next() {
					if br.Err() == nil {
						panic("open")
					}
				}
			})
		})
		b.Run("impl=context/parent="+name, func(b *testing.B) {
			parent := parents(shared, func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				ctx.Done()
				cancel()
				return ctx
			})
			b.RunParallel(func(pb *testing.PB) {
				ctx := parent()
				for pb.Next() {
					if ctx.Err() == nil {
						panic("open")
					}
				}
			})
		})
	}
}
