package registry

import (
	"math/bits"
	"runtime"
	"sync"
	"testing"
)

// Where entries lie follows from the span of memory that the allocator gave to a P. So how often
// cores would meet in one cache line can be counted on a machine that hasn't got them: with so many
// Ps, each with spans of its own. docs/scaling.md says what follows.
func TestScaling_CoresSeldomMeet(t *testing.T) {
	defer func(span uint32, w bool) { minSpan, wide = span, w }(minSpan, wide)
	for _, cores := range []int{64, 128} {
		minSpan, wide = uint32(1)<<bits.Len(uint(4*cores-1)), true
		meetings, all := meet(cores)
		share := float64(meetings) / float64(all)
		t.Logf("%d cores: %.1f %% of %d entries in the same block as another core's; %d blocks",
			cores, 100*share, all, minSpan)
		// About a quarter, and more where the race detector allocates as well. If places didn't
		// follow from the core, it would be all.
		if share > 0.8 {
			t.Errorf("%d cores: %.0f %% of the entries meet another core", cores, 100*share)
		}
	}
}

// meet has one goroutine on each of so many Ps put into one registry and take out, again and again.
// It counts how often two of them were in the same block in the same round.
func meet(cores int) (meetings, all int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	const rounds = 2_000
	g := new(tests)
	fill(g, 2*baseSlots, func() {}) // others live on it, so the base is left behind
	places := make([][]int32, cores)
	var group, begin sync.WaitGroup
	begin.Add(cores)
	for core := range cores {
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begin.Done()
			begin.Wait()
			for range rounds {
				e := newCallback(func() {})
				g.Put(e)
				places[core] = append(places[core], e.where.Get())
				g.Take(e)
			}
		})
	}
	group.Wait()
	for round := range rounds {
		users := make(map[int32]int)
		for core := range cores {
			users[places[core][round]]++
		}
		for _, n := range users {
			all += n
			if n > 1 {
				meetings += n
			}
		}
	}
	return meetings, all
}
