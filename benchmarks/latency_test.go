package benchmarks_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/benchmarks/internal/histogram"
)

const (
	million = 1_000_000

	// interval is the time between two arrivals, and arrivals their number where nothing else ends
	// the measurement.
	interval = 10 * time.Microsecond
	arrivals = 50_000
)

// Latency: how long an operation on a parent that all share takes, if one comes every 10 µs, as
// quantiles. One reading of the clock, about 50 ns, is in each of them.
//
// Whoever waits for a slow operation doesn't begin the next ones, so a stall of 300 ms, in which
// 30,000 were due, would count as one slow operation and disappear from the quantiles. Therefore
// those that were due meanwhile are counted, too, each with what would have been left for it to
// wait, as HdrHistogram does.
func BenchmarkLatency(b *testing.B) {
	operations := []struct {
		name    string
		breaker func(*breaker.Breaker)
		context func(context.Context)
	}{
		{
			"register", // a callback, and stop it
			func(parent *breaker.Breaker) {
				stop := parent.OnTrip(func() {})
				stop()
			},
			func(parent context.Context) {
				stop := context.AfterFunc(parent, func() {})
				stop()
			},
		},
		{
			"request", // watch the parent and a timeout; Done, close
			func(parent *breaker.Breaker) {
				br := breaker.Multiplex(breaker.NopCloser(parent), breaker.BreakByTimeout(hour))
				br.Done()
				br.Close()
			},
			func(parent context.Context) {
				ctx, cancel := context.WithTimeout(parent, hour)
				ctx.Done()
				cancel()
			},
		},
	}
	conditions := []struct {
		name     string
		children int
		run      func(operation, trip func()) *histogram.Histogram
	}{
		{"alone", 0, func(operation, _ func()) *histogram.Histogram { return steady(operation) }},
		{"gc", 0, func(operation, _ func()) *histogram.Histogram {
			defer collectGarbage()()
			return steady(operation)
		}},
		{"trip", million, duringTrip},
	}
	for _, op := range operations {
		for _, on := range conditions {
			b.Run("op="+op.name+"/on="+on.name, func(b *testing.B) {
				b.Run("impl=breaker", func(b *testing.B) {
					for range b.N {
						parent, children := breaker.New(), make([]*breaker.Breaker, on.children)
						for i := range children {
							children[i] = breaker.Multiplex(breaker.NopCloser(parent))
							children[i].Done()
						}
						runtime.GC()
						report(b, on.run(func() { op.breaker(parent) }, parent.Close))
						parent.Close()
						runtime.KeepAlive(children)
					}
				})
				b.Run("impl=context", func(b *testing.B) {
					for range b.N {
						parent, cancel := context.WithCancel(context.Background())
						children := make([]context.CancelFunc, on.children)
						for i := range children {
							var ctx context.Context
							ctx, children[i] = context.WithCancel(parent)
							ctx.Done()
						}
						runtime.GC()
						report(b, on.run(func() { op.context(parent) }, cancel))
						cancel()
						runtime.KeepAlive(children)
					}
				})
			})
		}
	}
}

func report(b *testing.B, h *histogram.Histogram) {
	b.ReportMetric(0, "ns/op") // how long all of it takes says nothing, so it isn't printed
	b.ReportMetric(float64(h.Quantile(0.5)), "p50-ns")
	b.ReportMetric(float64(h.Quantile(0.99)), "p99-ns")
	b.ReportMetric(float64(h.Quantile(0.999)), "p99.9-ns")
	b.ReportMetric(float64(h.Max()), "max-ns")
}

// steady measures a fixed number of arrivals.
func steady(operation func()) *histogram.Histogram {
	warmUp(operation)
	h, due := new(histogram.Histogram), time.Now()
	for range arrivals {
		due = arrive(h, due, operation)
	}
	return h
}

// duringTrip measures the arrivals between the beginning of a trip and its end.
func duringTrip(operation, trip func()) *histogram.Histogram {
	warmUp(operation)
	start, over := make(chan struct{}), make(chan struct{})
	go func() {
		<-start
		trip()
		close(over)
	}()
	h, due := new(histogram.Histogram), time.Now()
	close(start)
	for {
		due = arrive(h, due, operation)
		select {
		case <-over:
			return h
		default:
		}
	}
}

// warmUp fills the pools, as they are in a program that has been running for a while.
func warmUp(operation func()) {
	for range 1000 {
		operation()
	}
}

// arrive measures an operation as soon as it is due, and returns when the next one is.
func arrive(h *histogram.Histogram, due time.Time, operation func()) time.Time {
	started := time.Now()
	for started.Before(due) { // a sleep would add a wake-up to what is measured
		started = time.Now()
	}
	operation()
	took := time.Since(started)
	for left := took; left > 0; left -= interval {
		h.Record(left)
	}
	return started.Add(max(took, interval))
}

// collectGarbage keeps the collector busy until the returned function is called: a goroutine
// replaces 10,000 of 1,000,000 live objects of 64 bytes each millisecond. It rests in between, so
// that it is the collector that competes for the processors.
func collectGarbage() (stop func()) {
	type object [8]*object
	var (
		wg    sync.WaitGroup
		over  = make(chan struct{})
		alive = make([]*object, million)
	)
	for i := range alive {
		alive[i] = new(object)
	}
	wg.Go(func() {
		for at := 0; ; at = (at + 10_000) % million {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
			}
			for i := range 10_000 {
				alive[at+i] = new(object)
			}
		}
	})
	return func() { close(over); wg.Wait() }
}
