package benchmarks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/run"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/benchmarks/internal/naive"
)

const hour = time.Hour

// The ways in which people wait for the first of several things today. Three jobs, because not
// every way fits each.

// Release: merge a parent that all share and a timeout, take Done, release; nothing has happened
// meanwhile. That is what a request costs that ends in time.
//
// The groups (errgroup, oklog/run, conc) are missing here: they run functions until the first of
// them returns, so one without a function that returns can't be released.
func BenchmarkMergeRelease(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		parent := breaker.New()
		defer parent.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := breaker.Multiplex(breaker.NopCloser(parent), breaker.BreakByTimeout(hour))
				br.Done()
				br.Close()
			}
		})
	})
	// One of the two is made the child of the other. Only the code that makes it can do that.
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		parent, end := context.WithCancel(context.Background())
		defer end()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ctx, cancel := context.WithTimeout(parent, hour)
				ctx.Done()
				cancel()
			}
		})
	})
	// Both exist already, which is what merging means.
	b.Run("impl=afterfunc", func(b *testing.B) {
		b.ReportAllocs()
		parent, end := context.WithCancel(context.Background())
		defer end()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ctx, cancel := context.WithTimeout(context.Background(), hour)
				stop := context.AfterFunc(parent, cancel)
				ctx.Done()
				stop()
				cancel()
			}
		})
	})
	b.Run("impl=naive", func(b *testing.B) {
		b.ReportAllocs()
		parent := naive.New()
		defer parent.Close()
		watched := []*naive.Breaker{parent}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := naive.Merge(watched, naive.Timeout(hour))
				br.Done()
				br.Close()
			}
		})
	})
}

// First: make a parent, wait for the first of it and a timeout while the parent ends, release.
// Every way can do that. The parent ends after all has been set up and before one waits, so that
// nobody has to sleep; for oklog/run, which sets up and waits in one call, it ends just before.
//
// errgroup and conc don't merge: the context that they are given does, and they add a goroutine in
// which one waits. oklog/run takes one function for each thing to wait for.
func BenchmarkMergeFirst(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent := breaker.New()
			br := breaker.Multiplex(breaker.NopCloser(parent), breaker.BreakByTimeout(hour))
			done := br.Done()
			parent.Close()
			<-done
			br.Close()
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent, end := context.WithCancel(context.Background())
			ctx, cancel := context.WithTimeout(parent, hour)
			done := ctx.Done()
			end()
			<-done
			cancel()
		}
	})
	b.Run("impl=afterfunc", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent, end := context.WithCancel(context.Background())
			ctx, cancel := context.WithTimeout(context.Background(), hour)
			stop := context.AfterFunc(parent, cancel)
			done := ctx.Done()
			end()
			<-done
			stop()
			cancel()
		}
	})
	b.Run("impl=naive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent := naive.New()
			br := naive.Merge([]*naive.Breaker{parent}, naive.Timeout(hour))
			done := br.Done()
			parent.Close()
			<-done
			br.Close()
		}
	})
	b.Run("impl=errgroup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent, end := context.WithCancel(context.Background())
			timeout, cancel := context.WithTimeout(parent, hour)
			group, ctx := errgroup.WithContext(timeout)
			group.Go(func() error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
			end()
			if group.Wait() == nil {
				b.Fatal("ended without a reason")
			}
			cancel()
		}
	})
	b.Run("impl=conc", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			parent, end := context.WithCancel(context.Background())
			timeout, cancel := context.WithTimeout(parent, hour)
			group := pool.New().WithContext(timeout).WithCancelOnError()
			group.Go(func(ctx context.Context) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
			end()
			if group.Wait() == nil {
				b.Fatal("ended without a reason")
			}
			cancel()
		}
	})
	b.Run("impl=oklog-run", func(b *testing.B) {
		b.ReportAllocs()
		expired, released := errors.New("expired"), errors.New("released")
		for b.Loop() {
			parent, end := context.WithCancel(context.Background())
			var group run.Group
			watching, unwatch := context.WithCancel(parent)
			group.Add(
				func() error { <-watching.Done(); return context.Cause(watching) },
				func(error) { unwatch() },
			)
			timer, stop := time.NewTimer(hour), make(chan struct{})
			group.Add(
				func() error {
					defer timer.Stop()
					select {
					case <-timer.C:
						return expired
					case <-stop:
						return released
					}
				},
				func(error) { close(stop) },
			)
			end()
			if group.Run() == nil {
				b.Fatal("ended without a reason")
			}
		}
	})
}

// Many: merge so many parents that all live longer, take Done, release. Package context has no
// merge, so its part is what one writes by hand: AfterFunc for each.
func BenchmarkMergeMany(b *testing.B) {
	for _, sources := range []int{2, 16, 128} {
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) {
			b.Run("impl=breaker", func(b *testing.B) {
				b.ReportAllocs()
				parents := make([]breaker.Interface, sources)
				for i := range parents {
					parent := breaker.New()
					defer parent.Close()
					parents[i] = breaker.NopCloser(parent)
				}
				for b.Loop() {
					br := breaker.Multiplex(parents...)
					br.Done()
					br.Close()
				}
			})
			b.Run("impl=context", func(b *testing.B) {
				b.ReportAllocs()
				parents, stops := make([]context.Context, sources), make([]func() bool, sources)
				for i := range parents {
					parent, end := context.WithCancel(context.Background())
					defer end()
					parents[i] = parent
				}
				for b.Loop() {
					ctx, cancel := context.WithCancel(context.Background())
					for i, parent := range parents {
						stops[i] = context.AfterFunc(parent, cancel)
					}
					ctx.Done()
					for _, stop := range stops {
						stop()
					}
					cancel()
				}
			})
			b.Run("impl=naive", func(b *testing.B) {
				b.ReportAllocs()
				parents := make([]*naive.Breaker, sources)
				for i := range parents {
					parents[i] = naive.New()
					defer parents[i].Close()
				}
				for b.Loop() {
					br := naive.Merge(parents)
					br.Done()
					br.Close()
				}
			})
		})
	}
}
