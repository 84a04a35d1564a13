package registry

import (
	"strconv"
	"testing"
)

// What one of each costs among so many others. P6, P8 and P9 of package breaker have the whole job.

func BenchmarkPutTake(b *testing.B) {
	for _, others := range []int{0, 1, 1_000, 1_000_000} {
		b.Run("others="+strconv.Itoa(others), func(b *testing.B) {
			g := new(tests)
			fill(g, others, func() {})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					e := newCallback(nil)
					g.Put(e)
					g.Take(e)
				}
			})
		})
	}
}

// An operation is one callback.
func BenchmarkSweep(b *testing.B) {
	for _, n := range []int{1, 32, 1_000_000} {
		b.Run("callbacks="+strconv.Itoa(n), func(b *testing.B) {
			g := new(tests)
			for done := 0; done < b.N; done += n {
				b.StopTimer()
				fill(g, min(n, b.N-done), func() {})
				b.StartTimer()
				callbacks := sweep{Class: Callbacks}
				for e := callbacks.NextCallback(g); e != nil; e = callbacks.NextCallback(g) {
					e.Drop()()
				}
			}
		})
	}
}
