package breakerprof_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerprof"
)

func TestMain(m *testing.M) {
	if pprof.Lookup(breakerprof.Name) != nil {
		panic("there is a profile before its first use")
	}
	goleak.VerifyTestMain(m)
}

// on switches the profile on for the rest of the test.
func on(t *testing.T, rate int) {
	t.Helper()
	require.Zero(t, breakerprof.SetRate(rate))
	t.Cleanup(func() { breakerprof.SetRate(0) })
}

// count returns how many breakers are in the profile.
func count() int { return pprof.Lookup(breakerprof.Name).Count() }

// constructors make a breaker in each way there is.
var constructors = map[string]func() *breaker.Breaker{
	"BreakByTimeoutCause": func() *breaker.Breaker { return breaker.BreakByTimeoutCause(time.Hour, os.ErrDeadlineExceeded) },
	"BreakByDeadlineCause": func() *breaker.Breaker {
		return breaker.BreakByDeadlineCause(time.Now().Add(time.Hour), os.ErrDeadlineExceeded)
	},
	"Any":    func() *breaker.Breaker { return breaker.Any(process, process) },
	"Within": func() *breaker.Breaker { return breaker.Within(context.Background(), time.Hour, process) },
	"WithinCause": func() *breaker.Breaker {
		return breaker.WithinCause(context.Background(), time.Hour, os.ErrDeadlineExceeded, process)
	},
	"New":             breaker.New,
	"BreakByTimeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
	"BreakByDeadline": func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(time.Hour)) },
	"BreakByContext":  func() *breaker.Breaker { return breaker.BreakByContext(context.Background(), nil) },
	"BreakByChannel":  func() *breaker.Breaker { return breaker.BreakByChannel(make(chan struct{})) },
	"BreakBySignal":   func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) },
	"Multiplex": func() *breaker.Breaker {
		return breaker.Multiplex(breaker.NopCloser(process), breaker.NopCloser(process))
	},
}

// process is made and waited for while the profile is off.
var process = func() *breaker.Breaker {
	br := breaker.New()
	br.Done()
	br.OnTrip(func() {})
	return br
}()

func TestBreakerprof_EachConstructor(t *testing.T) {
	on(t, 1)
	for name, construct := range constructors {
		for end, trip := range map[string]func(*breaker.Breaker){
			"Close": (*breaker.Breaker).Close,
			"Trip":  func(br *breaker.Breaker) { br.Trip(nil) },
			"waited for": func(br *breaker.Breaker) {
				br.Done()
				br.OnTrip(func() {})
				br.Close()
			},
		} {
			t.Run(name+" "+end, func(t *testing.T) {
				before := count()
				br := construct()
				require.Greater(t, count(), before)
				assert.Contains(t, leaves(t), "github.com/kamilsk/breaker."+name)
				trip(br)
				assert.Equal(t, before, count())
				br.Close()
				assert.Equal(t, before, count())
			})
		}
	}
}

// leaves returns the functions that the stacks of the profile begin with.
func leaves(t *testing.T) (functions []string) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, pprof.Lookup(breakerprof.Name).WriteTo(&text, 1))
	first := false
	for line := range strings.Lines(text.String()) {
		fields := strings.Fields(line)
		switch {
		case strings.Contains(line, " @ "):
			first = true
		// #       0x4d8a31        github.com/kamilsk/breaker.New+0x51     /…/breaker.go:53.
		case first && len(fields) > 2:
			name, _, _ := strings.Cut(fields[2], "+")
			functions = append(functions, name)
			first = false
		}
	}
	return functions
}

func TestBreakerprof_WhatHasTrippedOnReturn(t *testing.T) {
	on(t, 1)
	before := count()
	breaker.BreakByTimeout(0)
	breaker.Multiplex()
	breaker.BreakBySignal()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	breaker.BreakByContext(ctx, nil)
	assert.Equal(t, before, count(), "what is closed isn't alive")
}

func TestBreakerprof_ASourceTrips(t *testing.T) {
	on(t, 1)
	before := count()
	synctest.Test(t, func(t *testing.T) {
		parent := breaker.BreakByTimeout(time.Minute)
		child := breaker.Multiplex(parent)
		require.Equal(t, before+2, count())
		<-child.Done()
		synctest.Wait()
		require.Equal(t, before, count())
	})
}

func TestBreakerprof_GarbageIsNotAlive(t *testing.T) {
	on(t, 1)
	before := count()
	for range 100 {
		breaker.New()
	}
	for limit := 0; count() > before; limit++ {
		require.Less(t, limit, 1000, "it is kept")
		runtime.GC()
		runtime.Gosched()
	}
}

// The old way of choosing, each 10th, showed nothing of a leak that comes once in 10 breakers, or
// showed it 10 times.
func TestRate_DoesNotResonate(t *testing.T) {
	const rate, leaks = 10, 10_000
	for phase := range rate {
		t.Run(strconv.Itoa(phase), func(t *testing.T) {
			on(t, rate)
			before := count()
			var leaked []*breaker.Breaker
			for range leaks {
				for i := range rate {
					br := breaker.New()
					if i == phase {
						leaked = append(leaked, br)
						continue
					}
					br.Close()
				}
			}
			// 1,000 are expected, the standard deviation is 30.
			assert.InDelta(t, leaks/rate, count()-before, 6*30)
			for _, br := range leaked {
				br.Close()
			}
			assert.Equal(t, before, count())
		})
	}
}

// Each breaker has the same chance, independently of the one before: the gaps are geometric.
func TestRate_GapsAreGeometric(t *testing.T) {
	const rate, n = 4, 100_000
	on(t, rate)
	var gaps [3]int // 1, 2, more
	gap, recorded := 0, 0
	for range n {
		before := count()
		br := breaker.New()
		gap++
		if count() > before {
			gaps[min(gap, 3)-1]++
			gap = 0
			recorded++
		}
		br.Close()
	}
	require.InDelta(t, n/rate, recorded, 6*137)
	for i, p := range []float64{1. / 4, 3. / 16, 9. / 16} {
		assert.InDelta(t, p*float64(recorded), gaps[i], 6*math.Sqrt(float64(recorded)*p*(1-p)), "gap %d", i+1)
	}
}

func TestBreakerprof_SetRate(t *testing.T) {
	on(t, 1)
	before := count()
	br := breaker.New()
	require.Equal(t, before+1, count())
	require.Equal(t, 1, breakerprof.SetRate(-1), "the rate before")
	off := breaker.New()
	assert.Equal(t, before+1, count(), "it is off")
	off.Close()
	br.Close()
	assert.Equal(t, before, count(), "what was recorded is let go when it is off, too")
}

// Constructing, tripping and switching meet each other.
func TestBreakerprof_Concurrently(t *testing.T) {
	on(t, 1)
	before := count()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 2000 {
				if i == 0 {
					breakerprof.SetRate(1 - j%2)
				}
				parent := breaker.New()
				child := breaker.Multiplex(parent, breaker.BreakByTimeout(time.Hour))
				var both sync.WaitGroup
				both.Go(parent.Close)
				both.Go(child.Close)
				both.Wait()
			}
		})
	}
	all.Wait()
	breakerprof.SetRate(0)
	assert.Equal(t, before, count())
}

// Off is a load: to be seen beside the benchmarks of package breaker.
func BenchmarkNewClose(b *testing.B) {
	for _, rate := range []int{0, 1000, 100, 1} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			breakerprof.SetRate(rate)
			defer breakerprof.SetRate(0)
			b.ReportAllocs()
			for b.Loop() {
				breaker.New().Close()
			}
		})
		b.Run(fmt.Sprintf("rate=%d/parallel", rate), func(b *testing.B) {
			breakerprof.SetRate(rate)
			defer breakerprof.SetRate(0)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					breaker.New().Close()
				}
			})
		})
	}
}

// Who forgot Close? The profile has the stacks.
func ExampleSetRate() {
	breakerprof.SetRate(1)
	defer breakerprof.SetRate(0)

	closed, forgotten := breaker.BreakByTimeout(time.Hour), breaker.BreakByTimeout(time.Hour)
	closed.Close()
	fmt.Println(pprof.Lookup(breakerprof.Name).Count(), "alive:", forgotten.State())
	// go tool pprof -http : http://localhost:6060/debug/pprof/breaker
	forgotten.Close()
	fmt.Println(pprof.Lookup(breakerprof.Name).Count(), "alive")
	// Output:
	// 1 alive: open
	// 0 alive
}
