package breakernats_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkReconnect is what a bucket with so many keys that are set costs a process at each
// reconnection: from the moment that connections are let through again until a trip that it missed
// has arrived. The new watch is told of each key.
func BenchmarkReconnect(b *testing.B) {
	for _, many := range []int{0, 20_000} {
		b.Run(fmt.Sprint("keys=", many), func(b *testing.B) { reconnect(b, many) })
	}
}

func reconnect(b *testing.B, many int) {
	const makers = 32
	s, nc := single(b)
	p := startProxy(b, s)
	far, near := open(b, connect(b, p.url())), open(b, nc)
	hold := breakBy(b, far, "hold")
	var wait sync.WaitGroup
	for m := range makers {
		wait.Go(func() {
			for i := m; i < many; i += makers {
				if _, _, err := near.Trip(within(b), fmt.Sprint("old.", i), nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
	var took time.Duration
	rounds := 0
	for b.Loop() {
		key := fmt.Sprint("job.", rounds)
		br := breakBy(b, far, key)
		p.sever()
		trip(b, near, key, "no more")
		begin := time.Now()
		p.heal()
		await(b, br)
		took += time.Since(begin)
		rounds++
	}
	require.NoError(b, hold.Err())
	b.ReportMetric(float64(took.Milliseconds())/float64(rounds), "ms/reconnect")
	b.ReportMetric(0, "ns/op")
}
