package breaker_test

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
)

// The jobs, each beside the standard library doing the same, and beside the floor: what the
// allocations, the channels, the timers, the contexts of others and the memory gone through cost by
// themselves, in any implementation. P9 and P14 have none: nothing has to stall, and nothing has to
// be kept. To compare:
//
//	go test -run '^$' -bench . -count 10 -cpu 1,2,4 | benchstat -col /impl -
//
// A job that takes a second by itself (P8, P9, P12) counts as one operation of b.N; give it
// -benchtime 1x.

const (
	hour    = time.Hour
	million = 1_000_000
)

// P1: new, close.
func BenchmarkP01NewClose(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			breaker.New().Close()
		}
	})
	b.Run("impl=embedded", func(b *testing.B) {
		b.ReportAllocs()
		limiters := make([]struct {
			rate int
			breaker.Breaker
		}, 1024)
		i := 0
		for b.Loop() {
			if i++; i == len(limiters) {
				b.StopTimer()
				clear(limiters)
				i = 0
				b.StartTimer()
			}
			limiters[i].Close()
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithCancel(context.Background())
			cancel()
		}
	})
	b.Run("impl=floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink48 = new([6]*int)
		}
	})
}

// P2: timeout, Done, close.
func BenchmarkP02Timeout(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			br := breaker.BreakByTimeout(hour)
			br.Done()
			br.Close()
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(context.Background(), hour)
			ctx.Done()
			cancel()
		}
	})
	b.Run("impl=floor", func(b *testing.B) {
		b.ReportAllocs()
		timer, start := time.AfterFunc(hour, func() {}), time.Now()
		for b.Loop() {
			sink64 = new([8]*int)
			sinkDuration = time.Since(start)
			timer.Reset(hour)
			done := make(chan struct{})
			sinkChan = done
			close(done)
			timer.Stop()
		}
	})
}

// P3: the shape of a request: watch a parent that all share, and a timeout; Done, close.
func BenchmarkP03Request(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		server := breaker.New()
		defer server.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := breaker.Multiplex(breaker.NopCloser(server), breaker.BreakByTimeout(hour))
				br.Done()
				br.Close()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		server, stop := context.WithCancel(context.Background())
		defer stop()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ctx, cancel := context.WithTimeout(server, hour)
				ctx.Done()
				cancel()
			}
		})
	})
	b.Run("impl=floor", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			f := newFloor()
			for pb.Next() {
				f.keep(0, new([8]*int))  // the timeout
				f.keep(1, new([16]*int)) // the Multiplex of two
				f.timeoutAndDone()
			}
		})
	})
}

// floor does by itself what one goroutine's breakers can't do without.
type floor struct {
	timer *time.Timer
	start time.Time
	last  [4]any
}

func newFloor() *floor { return &floor{timer: time.AfterFunc(hour, func() {}), start: time.Now()} }

// keep makes an allocation escape.
func (f *floor) keep(i int, allocation any) { f.last[i] = allocation }

// timeoutAndDone reads the clock, arms a timer and stops it, makes a channel and closes it.
func (f *floor) timeoutAndDone() {
	sinkElapsed := time.Since(f.start)
	f.timer.Reset(hour - min(sinkElapsed, 1))
	done := make(chan struct{})
	f.keep(3, done)
	close(done)
	f.timer.Stop()
}

// P3, P4 and P7 by one object, and P15: see the jobs of the same number.

func BenchmarkP03RequestWithin(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		server := breaker.New()
		defer server.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := breaker.Within(context.Background(), hour, server)
				br.Done()
				br.Close()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		server, stop := context.WithCancel(context.Background())
		defer stop()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ctx, cancel := context.WithTimeout(server, hour)
				ctx.Done()
				cancel()
			}
		})
	})
}

func BenchmarkP04MergeWithin(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		process := breaker.New()
		defer process.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				request, end := context.WithCancel(context.Background())
				br := breaker.Within(request, hour, process)
				br.Done()
				br.Close()
				end()
			}
		})
	})
	b.Run("impl=context", benchmarkMergeByContext)
}

func BenchmarkP07HandlerWithin(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		process := breaker.BreakBySignal(os.Interrupt)
		defer process.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := breaker.Within(context.Background(), hour, process)
				br.Done()
				br.Close()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		_, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				caught, stop := signal.NotifyContext(context.Background(), os.Interrupt)
				ctx, cancel := context.WithTimeout(caught, hour)
				ctx.Done()
				cancel()
				stop()
			}
		})
	})
}

// P15: a timeout that moves, beside moving a timer, and cancelling and deriving anew.
func BenchmarkP15Touch(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		br := breaker.BreakByIdle(hour)
		defer br.Close()
		for b.Loop() {
			br.Touch()
		}
	})
	b.Run("impl=timer", func(b *testing.B) {
		timer := time.AfterFunc(hour, func() {})
		defer timer.Stop()
		for b.Loop() {
			timer.Reset(hour)
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		_, cancel := context.WithTimeout(context.Background(), hour)
		for b.Loop() {
			cancel()
			_, cancel = context.WithTimeout(context.Background(), hour)
		}
		cancel()
	})
	b.Run("impl=floor", func(b *testing.B) {
		begin := time.Now()
		for b.Loop() {
			sinkDuration = time.Since(begin)
		}
	})
}

// P4: merge a request's context, a parent of the whole process and a timeout; Done, close.
func BenchmarkP04Merge(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		process := breaker.New()
		defer process.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				request, end := context.WithCancel(context.Background())
				br := breaker.Multiplex(
					breaker.BreakByTimeout(hour),
					breaker.BreakByContext(request, nil),
					breaker.NopCloser(process),
				)
				br.Done()
				br.Close()
				end()
			}
		})
	})
	b.Run("impl=context", benchmarkMergeByContext)
	b.Run("impl=floor", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			f := newFloor()
			callback := func() {}
			for pb.Next() {
				request, end := context.WithCancel(context.Background())
				f.keep(0, new([8]*int))  // the timeout
				f.keep(1, new([12]*int)) // the context
				f.keep(2, new([20]*int)) // the Multiplex of three
				stop := context.AfterFunc(request, callback)
				f.timeoutAndDone()
				stop()
				end()
			}
		})
	})
}

func benchmarkMergeByContext(b *testing.B) {
	b.ReportAllocs()
	process, end := context.WithCancel(context.Background())
	defer end()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, end := context.WithCancel(context.Background())
			ctx, cancel := context.WithTimeout(request, hour)
			stop := context.AfterFunc(process, cancel)
			ctx.Done()
			stop()
			cancel()
			end()
		}
	})
}

// P5: register a callback with one hot parent that all share, and stop it.
func BenchmarkP05OnTrip(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) { benchmarkOnTrip(b, 0) })
	b.Run("impl=context", func(b *testing.B) { benchmarkAfterFunc(b, 0) })
	b.Run("impl=floor", func(b *testing.B) { benchmarkOnTripFloor(b, 0) })
}

// P6: the same with 1,000,000 live registrations.
func BenchmarkP06OnTripAmongMillion(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) { benchmarkOnTrip(b, million) })
	b.Run("impl=context", func(b *testing.B) { benchmarkAfterFunc(b, million) })
	b.Run("impl=floor", func(b *testing.B) { benchmarkOnTripFloor(b, million) })
}

// benchmarkOnTripFloor is a callback's allocation, while others live.
func benchmarkOnTripFloor(b *testing.B, others int) {
	b.ReportAllocs()
	live := make([]*[3]*int, others)
	for i := range live {
		live[i] = new([3]*int)
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var last *[3]*int
		for pb.Next() {
			last = new([3]*int)
		}
		runtime.KeepAlive(last)
	})
	runtime.KeepAlive(live)
}

func benchmarkOnTrip(b *testing.B, others int) {
	b.ReportAllocs()
	parent := breaker.New()
	for range others {
		parent.OnTrip(func() {})
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			stop := parent.OnTrip(func() {})
			stop()
		}
	})
	b.StopTimer()
	parent.Close()
}

func benchmarkAfterFunc(b *testing.B, others int) {
	b.ReportAllocs()
	parent, cancel := context.WithCancel(context.Background())
	stops := make([]func() bool, 0, others)
	for range others {
		stops = append(stops, context.AfterFunc(parent, func() {}))
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			stop := context.AfterFunc(parent, func() {})
			stop()
		}
	})
	b.StopTimer()
	for _, stop := range stops {
		stop() // or each would start a goroutine
	}
	cancel()
}

// P7: the handler: a timeout and a signal, while another breaker holds the signal; Done, close.
func BenchmarkP07Handler(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		b.ReportAllocs()
		process := breaker.BreakBySignal(os.Interrupt)
		defer process.Close()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				br := breaker.Multiplex(breaker.BreakByTimeout(hour), breaker.BreakBySignal(os.Interrupt))
				br.Done()
				br.Close()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		_, end := signal.NotifyContext(context.Background(), os.Interrupt)
		defer end()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				notified, stop := signal.NotifyContext(context.Background(), os.Interrupt)
				ctx, cancel := context.WithTimeout(notified, hour)
				ctx.Done()
				cancel()
				stop()
			}
		})
	})
	b.Run("impl=floor", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			f := newFloor()
			for pb.Next() {
				f.keep(0, new([8]*int))  // the timeout
				f.keep(1, new([12]*int)) // the signal
				f.keep(2, new([16]*int)) // the Multiplex of two
				f.timeoutAndDone()
			}
		})
	})
}

// P8: trip a parent of 1,000,000 children that have a Done. Reported for each child.
func BenchmarkP08FanOut(b *testing.B) {
	perChild := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/child")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("impl=breaker", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			parent, children := breaker.New(), make([]*breaker.Breaker, million)
			for i := range children {
				children[i] = breaker.Multiplex(breaker.NopCloser(parent))
				children[i].Done()
			}
			runtime.GC()
			b.StartTimer()
			parent.Close()
			runtime.KeepAlive(children)
		}
		perChild(b)
	})
	b.Run("impl=context", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			parent, cancel := context.WithCancel(context.Background())
			children := make([]context.Context, million)
			cancels := make([]context.CancelFunc, million)
			for i := range children {
				children[i], cancels[i] = context.WithCancel(parent)
				children[i].Done()
			}
			runtime.GC()
			b.StartTimer()
			cancel()
			runtime.KeepAlive(children)
			runtime.KeepAlive(cancels)
		}
		perChild(b)
	})
	b.Run("impl=floor", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			children := make([]chan struct{}, million)
			for i := range children {
				children[i] = make(chan struct{})
			}
			runtime.GC()
			b.StartTimer()
			for _, done := range children {
				close(done)
			}
			runtime.KeepAlive(children)
		}
		perChild(b)
	})
}

// P9: the longest stall of one who derives from a parent of 1,000,000 children while it is tripped.
func BenchmarkP09Stall(b *testing.B) {
	var longest time.Duration // of all rounds
	worst := func(b *testing.B, trip func(), derive func()) {
		var wg sync.WaitGroup
		started, ended := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			<-started
			trip()
			close(ended)
		})
		derive()
		close(started)
		for last := false; !last; {
			select {
			case <-ended:
				last = true
			default:
			}
			before := time.Now()
			derive()
			longest = max(longest, time.Since(before))
		}
		wg.Wait()
		b.ReportMetric(float64(longest.Microseconds()), "µs-stall")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("impl=breaker", func(b *testing.B) {
		longest = 0
		for range b.N {
			b.StopTimer()
			parent, children := breaker.New(), make([]*breaker.Breaker, million)
			for i := range children {
				children[i] = breaker.Multiplex(breaker.NopCloser(parent))
				children[i].Done()
			}
			runtime.GC()
			b.StartTimer()
			worst(b, parent.Close, func() { breaker.Multiplex(breaker.NopCloser(parent)).Close() })
			runtime.KeepAlive(children)
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		longest = 0
		for range b.N {
			b.StopTimer()
			parent, cancel := context.WithCancel(context.Background())
			cancels := make([]context.CancelFunc, million)
			for i := range cancels {
				var ctx context.Context
				ctx, cancels[i] = context.WithCancel(parent)
				ctx.Done()
			}
			runtime.GC()
			b.StartTimer()
			worst(b, cancel, func() {
				_, cancel := context.WithCancel(parent)
				cancel()
			})
			runtime.KeepAlive(cancels)
		}
	})
}

// P10: Err, open.
func BenchmarkP10ErrOpen(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) { benchmarkErr(b, breaker.New(), false) })
	b.Run("impl=context", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		benchmarkErr(b, ctx, false)
	})
	b.Run("impl=floor", func(b *testing.B) { benchmarkErr(b, new(load), false) })
}

// load answers with one atomic load, by way of an interface.
type load struct{ word atomic.Uint32 }

func (l *load) Err() error {
	if l.word.Load() == 0 {
		return nil
	}
	return breaker.Interrupted
}

// P11: Err, tripped.
func BenchmarkP11ErrTripped(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		br := breaker.New()
		br.Done()
		br.Close()
		benchmarkErr(b, br, true)
	})
	b.Run("impl=context", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		ctx.Done()
		cancel()
		benchmarkErr(b, ctx, true)
	})
	b.Run("impl=floor", func(b *testing.B) {
		tripped := new(load)
		tripped.word.Store(1)
		benchmarkErr(b, tripped, true)
	})
}

// benchmarkErr isn't inlined, so that both are called by way of the interface.
//
//go:noinline
func benchmarkErr(b *testing.B, of interface{ Err() error }, tripped bool) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if (of.Err() != nil) != tripped {
				panic("wrong")
			}
		}
	})
}

// P12: a chain of 1,000,000, tripped at the top.
func BenchmarkP12Chain(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			top := breaker.New()
			chain := make([]*breaker.Breaker, million)
			for i, last := 0, top; i < million; i++ {
				last = breaker.Multiplex(breaker.NopCloser(last))
				chain[i] = last
			}
			runtime.GC()
			b.StartTimer()
			top.Close()
			runtime.KeepAlive(chain)
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			top, cancel := context.WithCancel(context.Background())
			chain := make([]context.CancelFunc, million)
			for i, last := 0, top; i < million; i++ {
				last, chain[i] = context.WithCancel(last)
			}
			runtime.GC()
			b.StartTimer()
			cancel()
			runtime.KeepAlive(chain)
		}
	})
	b.Run("impl=floor", func(b *testing.B) {
		type link struct {
			word atomic.Uint32
			next *link
			_    [80]byte
		}
		for range b.N {
			b.StopTimer()
			var top *link
			for range million {
				top = &link{next: top}
			}
			runtime.GC()
			b.StartTimer()
			for l := top; l != nil; l = l.next {
				l.word.CompareAndSwap(0, 1)
			}
			runtime.KeepAlive(top)
		}
	})
}

// P13: heap for each live timeout, 100,000 of them.
func BenchmarkP13HeapOfTimeout(b *testing.B) {
	const live = 100_000
	b.Run("impl=breaker", func(b *testing.B) {
		for range b.N {
			all := make([]*breaker.Breaker, live)
			b.ReportMetric(float64(heapGrowth(func() {
				for i := range all {
					all[i] = breaker.BreakByTimeout(hour)
				}
			}))/live, "B/live")
			for _, br := range all {
				br.Close()
			}
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		for range b.N {
			all, cancels := make([]context.Context, live), make([]context.CancelFunc, live)
			b.ReportMetric(float64(heapGrowth(func() {
				for i := range all {
					all[i], cancels[i] = context.WithTimeout(context.Background(), hour)
				}
			}))/live, "B/live")
			for _, cancel := range cancels {
				cancel()
			}
			runtime.KeepAlive(all)
		}
	})
	b.Run("impl=floor", func(b *testing.B) {
		for range b.N {
			all, timers := make([]*[8]*int, live), make([]*time.Timer, live)
			b.ReportMetric(float64(heapGrowth(func() {
				for i := range all {
					all[i], timers[i] = new([8]*int), time.AfterFunc(hour, func() {})
				}
			}))/live, "B/live")
			for _, timer := range timers {
				timer.Stop()
			}
			runtime.KeepAlive(all)
		}
	})
}

// P14: heap that a parent keeps after 1,000,000 children came and went.
func BenchmarkP14HeapAfterBurst(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		for range b.N {
			parent := breaker.New()
			b.ReportMetric(float64(heapGrowth(func() {
				children := make([]*breaker.Breaker, million)
				for i := range children {
					children[i] = breaker.Multiplex(breaker.NopCloser(parent))
				}
				for _, child := range children {
					child.Close()
				}
			})), "B/kept")
			parent.Close()
		}
	})
	b.Run("impl=context", func(b *testing.B) {
		for range b.N {
			parent, cancel := context.WithCancel(context.Background())
			b.ReportMetric(float64(heapGrowth(func() {
				children := make([]context.CancelFunc, million)
				for i := range children {
					_, children[i] = context.WithCancel(parent)
				}
				for _, cancel := range children {
					cancel()
				}
			})), "B/kept")
			cancel()
		}
	})
}

// heapGrowth returns by how much the live heap grows while f runs.
func heapGrowth(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties the pools
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

var (
	sink48       *[6]*int
	sink64       *[8]*int
	sinkChan     chan struct{}
	sinkDuration time.Duration
)
