package breaker_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Promises 6 and 17: 1,000,000 callbacks, every second one stopped; memory as the registry says.
func TestRegistry_OfAMillion(t *testing.T) {
	million := scaled(1_000_000)
	br := breaker.New()
	calls := 0
	stops := make([]func() bool, million)
	for i := range stops {
		stops[i] = br.OnTrip(func() { calls++ })
	}
	all, taken := breaker.Slots(br)
	assert.Equal(t, million, taken)
	assert.LessOrEqual(t, all*8, million*17, "bytes of slots for a registration")

	for i := 0; i < million; i += 2 {
		if !stops[i]() {
			require.FailNow(t, "not stopped")
		}
	}
	assert.Equal(t, million/2, registrations(br))
	br.Close()
	assert.Equal(t, million/2, calls)
	assert.Zero(t, registrations(br))
}

// P14: a parent that lives on gives the memory of a burst back, and is as good as new.
func TestRegistry_GivesABurstBack(t *testing.T) {
	const burst = 1_000_000
	br := breaker.New()
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	for range 2 {
		stops := make([]func() bool, scaled(burst))
		for i := range stops {
			stops[i] = br.OnTrip(func() {})
		}
		for _, stop := range stops {
			stop()
		}
	}
	after := heap()
	assert.Less(t, int64(after)-int64(before), int64(1<<20))
	assert.Zero(t, registrations(br))

	called := false
	br.OnTrip(func() { called = true })
	br.Close()
	assert.True(t, called)
}

// Promises 6, 7 and 17: the directory grows and shrinks under churn from all sides, and loses nobody.
func TestRegistry_GrowsAndShrinksUnderChurn(t *testing.T) {
	const goroutines = 4
	br := breaker.New()
	var ran atomic.Int64
	var kept, stopped int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			var mine []func() bool
			lost := int64(0)
			for round := range 8 {
				for range scaled(5_000) << (round % 3) {
					mine = append(mine, br.OnTrip(func() { ran.Add(1) }))
				}
				keep := len(mine) * (round + g) % 3 / 3
				for _, stop := range mine[keep:] {
					if stop() {
						lost++
					}
				}
				clear(mine[keep:])
				mine = mine[:keep]
			}
			mu.Lock()
			defer mu.Unlock()
			kept += int64(len(mine))
			stopped += lost
		})
	}
	wg.Wait()
	require.EqualValues(t, kept, registrations(br))
	br.Close()
	assert.Equal(t, kept, ran.Load())
	assert.Positive(t, stopped)
}

// Promise 17: who registers while 1,000,000 others are being tripped is served, once.
func TestRegistry_RegisterDuringATrip(t *testing.T) {
	br := breaker.New()
	for range scaled(1_000_000) {
		br.OnTrip(func() {})
	}
	started := make(chan struct{})
	br.OnTrip(func() { close(started) })
	var ran, late atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !isShut(started) {
				br.OnTrip(func() { ran.Add(1) })
				late.Add(1)
			}
			for range 1_000 {
				br.OnTrip(func() { ran.Add(1) })
				late.Add(1)
			}
		})
	}
	br.Close()
	wg.Wait()
	assert.Equal(t, late.Load(), ran.Load())
	assert.Zero(t, registrations(br))
}
