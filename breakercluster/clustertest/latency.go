package clustertest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
)

// nodes is how many clients a trip has to reach.
const nodes = 20

// times are the latencies, of each client and each run.
type times struct {
	mu  sync.Mutex
	all []time.Duration
}

func (t *times) note(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

func (t *times) report(b *testing.B) {
	slices.Sort(t.all)
	at := func(percent int) float64 {
		return float64(t.all[max((len(t.all)*percent+99)/100-1, 0)]) / 1e6
	}
	b.ReportMetric(at(50), "p50-ms")
	b.ReportMetric(at(99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// Benchmark measures the time from the call of Trip until a breaker on each of 20 clients is done.
// For comparison it measures how long a bare message of the engine takes to reach as many.
func Benchmark(b *testing.B, start func(t testing.TB) *Engine) {
	e := start(b)
	b.Run("publish", func(b *testing.B) {
		var took times
		var begin time.Time
		received := make(chan struct{}, nodes)
		for range nodes {
			e.Subscribe(b, func() {
				took.note(time.Since(begin))
				received <- struct{}{}
			})
		}
		for b.Loop() {
			begin = time.Now()
			e.Publish(b)
			for range nodes {
				<-received
			}
		}
		took.report(b)
	})
	b.Run("trip", func(b *testing.B) {
		var took times
		var all []*breakercluster.Bucket
		for range nodes {
			all = append(all, e.node(b))
			//lostclose:ignore breakBy closes it at the end of the benchmark
			// A node has more to do than this job, so its watch goes on.
			breakBy(b, all[len(all)-1], "hold")
		}
		run := time.Now().UnixNano()
		for i := 0; b.Loop(); i++ {
			key := fmt.Sprint("job.", run, ".", i)
			var begin time.Time
			var begun, ended sync.WaitGroup
			begun.Add(nodes)
			brs := make([]*breaker.Breaker, nodes)
			for n, bucket := range all {
				br, err := bucket.BreakByKey(b.Context(), key)
				if err != nil {
					b.Fatal(err)
				}
				brs[n] = br
				ended.Go(func() {
					done := br.Done()
					begun.Done()
					<-done
					took.note(time.Since(begin))
				})
			}
			begun.Wait()
			begin = time.Now()
			if _, _, err := all[0].Trip(b.Context(), key, nil); err != nil {
				b.Fatal(err)
			}
			ended.Wait()
		}
		took.report(b)
	})
}
