package breakernats_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

// connections is how many nodes a trip has to reach.
const connections = 100

// latencies are how long it took each time, on each connection, from the call to what it causes.
type latencies []time.Duration

func (l latencies) percentile(percent int) time.Duration {
	slices.Sort(l)
	return l[max((len(l)*percent+99)/100-1, 0)]
}

// fan is a number of connections to wait on.
type fan struct {
	ncs  []*nats.Conn
	mu   sync.Mutex
	took latencies
}

func newFan(t testing.TB, urls ...string) *fan {
	t.Helper()
	f := new(fan)
	for i := range connections {
		f.ncs = append(f.ncs, connect(t, urls[i%len(urls)]))
	}
	return f
}

func (f *fan) note(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, d)
}

// trips returns a round: everyone waits, one trips, everyone has stopped.
func (f *fan) trips(t testing.TB) func(round int) {
	var nodes []*breakernats.Bucket
	for _, nc := range f.ncs {
		node := open(t, nc)
		breakBy(t, node, "hold") // a node has more to do than this job, so its watch goes on
		nodes = append(nodes, node)
	}
	tripper := open(t, f.ncs[0])
	return func(round int) {
		key := fmt.Sprint("job.", round)
		var begin time.Time
		var begun, ended sync.WaitGroup
		begun.Add(connections)
		brs := make([]*breaker.Breaker, connections)
		for i, node := range nodes {
			br, err := node.BreakByKey(within(t), key)
			require.NoError(t, err)
			brs[i] = br
			ended.Go(func() {
				done := br.Done()
				begun.Done()
				<-done
				f.note(time.Since(begin))
			})
		}
		begun.Wait()
		begin = time.Now()
		cause, won, err := tripper.Trip(within(t), key, errors.New("no more"))
		require.NoError(t, err)
		require.True(t, won)
		ended.Wait()
		for _, br := range brs {
			require.Equal(t, cause, br.Cause())
		}
	}
}

// publishes returns a round of plain messages, which nothing on this way can be faster than.
func (f *fan) publishes(t testing.TB) func(round int) {
	var begin time.Time
	var received sync.WaitGroup
	for _, nc := range f.ncs {
		_, err := nc.Subscribe("floor", func(*nats.Msg) {
			f.note(time.Since(begin))
			received.Done()
		})
		require.NoError(t, err)
		require.NoError(t, nc.Flush())
	}
	return func(int) {
		received.Add(connections)
		begin = time.Now()
		require.NoError(t, f.ncs[0].Publish("floor", []byte("no more")))
		received.Wait()
	}
}

// A trip stops what waits on 100 connections.
func TestLatency_TripToStop(t *testing.T) {
	s, _ := single(t)
	for _, what := range []struct {
		name  string
		round func(*fan, testing.TB) func(int)
	}{{"plain publish to receive", (*fan).publishes}, {"trip to stop", (*fan).trips}} {
		f := newFan(t, s.ClientURL())
		round := what.round(f, t)
		const rounds = 20
		for i := range rounds {
			round(i)
		}
		require.Len(t, f.took, rounds*connections)
		t.Logf("%-25s p50 %8v  p99 %8v", what.name, f.took.percentile(50), f.took.percentile(99))
	}
}

func BenchmarkTripToStop(b *testing.B) {
	s, _ := single(b)
	b.Run("floor=publish", func(b *testing.B) {
		f := newFan(b, s.ClientURL())
		measure(b, f, f.publishes(b))
	})
	b.Run("replicas=1", func(b *testing.B) {
		f := newFan(b, s.ClientURL())
		measure(b, f, f.trips(b))
	})
	b.Run("replicas=3", func(b *testing.B) {
		var urls []string
		all := cluster(b)
		for _, s := range all {
			urls = append(urls, s.ClientURL())
		}
		createBucket(b, connect(b, urls[0]), func(c *jetstream.KeyValueConfig) { c.Replicas = len(all) })
		f := newFan(b, urls...)
		measure(b, f, f.trips(b))
	})
}

// measure reports the percentiles over all rounds. The time per operation includes the making of
// the breakers.
func measure(b *testing.B, f *fan, round func(int)) {
	for i := 0; b.Loop(); i++ {
		round(i)
	}
	b.ReportMetric(float64(f.took.percentile(50))/1e6, "p50-ms")
	b.ReportMetric(float64(f.took.percentile(99))/1e6, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBreakByKey is a breaker among others on a watch: made, closed.
func BenchmarkBreakByKey(b *testing.B) {
	s, _ := single(b)
	bucket := open(b, connect(b, s.ClientURL()))
	defer breakBy(b, bucket, "first").Close()
	ctx := within(b)
	b.ReportAllocs()
	for b.Loop() {
		br, err := bucket.BreakByKey(ctx, "import")
		if err != nil {
			b.Fatal(err)
		}
		br.Close()
	}
}
