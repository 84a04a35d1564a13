package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// What a process that runs for weeks would show: nothing accumulates. Heap, goroutines,
// registrations and breakers that aren't collected, because a timer or someone else still has them,
// are counted before, during and after.
//
//	BREAKER_SOAK=100 go test -run Soak -v -timeout 1h .
//
// does a hundred times as much as a quick run.

// soaked returns so much, multiplied by BREAKER_SOAK.
func soaked(quick int) int {
	times := 1
	if text := os.Getenv("BREAKER_SOAK"); text != "" {
		var err error
		if times, err = strconv.Atoi(text); err != nil || times < 1 {
			panic("BREAKER_SOAK is not a factor: " + text)
		}
	}
	return scaled(quick) * times
}

// level is what is there at a moment.
type level struct {
	heap, goroutines, registrations int
}

func levelOf(parent *breaker.Breaker) level {
	var stats runtime.MemStats
	for range 3 { // what has a cleanup goes one cycle later, and what was pooled another
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return level{int(stats.HeapAlloc), runtime.NumGoroutine(), registrations(parent)}
}

// assertLevel compares with the level before; the heap may have grown by so many bytes.
func assertLevel(t *testing.T, before, now level, growth int, when string) {
	t.Helper()
	t.Logf("%s: heap %+d bytes, goroutines %+d, registrations %+d",
		when, now.heap-before.heap, now.goroutines-before.goroutines, now.registrations-before.registrations)
	if !raceEnabled { // the race detector remembers
		assert.Less(t, now.heap, before.heap+growth, "%s: the heap has grown", when)
	}
	assert.LessOrEqual(t, now.goroutines, before.goroutines, when)
	assert.Equal(t, before.registrations, now.registrations, when)
}

// promises 10 and 17: one parent, on which callbacks come and go, a few at a time and many at a
// time.
func TestSoak_ChurnOnOneParent(t *testing.T) {
	rounds := soaked(1_000_000)
	const players, turns = 4, 5
	parent := breaker.New()
	churn := func(rounds int) {
		var all sync.WaitGroup
		for range players {
			all.Go(func() {
				var window [256]func() bool
				random := rand.New(rand.NewPCG(rand.Uint64(), 0))
				for range rounds / players {
					i := random.IntN(len(window))
					if stop := window[i]; stop != nil && !stop() {
						panic("it was stopped before, or ran")
					}
					window[i] = parent.OnTrip(func() { panic("nothing has tripped") })
				}
				for _, stop := range window {
					if stop != nil {
						stop()
					}
				}
			})
		}
		all.Wait()
	}
	churn(10_000)
	awaitQuiet(t)
	before := levelOf(parent)
	for turn := range turns {
		churn(rounds / turns)
		assertLevel(t, before, levelOf(parent), 64<<10, strconv.Itoa(rounds/turns*(turn+1))+" callbacks")
	}
	parent.Close()
}

// promises 10 and 11: breakers of every kind come and go, by each way there is to end.
func TestSoak_EverySource(t *testing.T) {
	rounds := min(soaked(100_000), 2_000_000)
	const players, turns = 4, 5
	parent := breaker.New()
	channels := [4]chan struct{}{}
	for i := range channels {
		channels[i] = make(chan struct{})
	}
	var live atomic.Int64
	round := func(random *rand.Rand) {
		one := func() *breaker.Breaker {
			switch random.IntN(6) {
			case 0:
				return breaker.New()
			case 1:
				return breaker.BreakByTimeout(time.Duration(random.IntN(2)) * time.Hour / 2)
			case 2:
				return breaker.BreakByTimeout(time.Duration(random.IntN(100)) * time.Microsecond)
			case 3:
				// Of nobody\'s: a context keeps a map of its children, which doesn\'t shrink.
				return breaker.BreakByContext(context.WithCancel(context.Background()))
			case 4:
				return breaker.BreakByChannel(channels[random.IntN(len(channels))])
			default:
				return breaker.BreakBySignal(os.Interrupt)
			}
		}
		child := one()
		br := breaker.Multiplex(breaker.NopCloser(parent), child, one())
		for _, b := range []*breaker.Breaker{child, br} {
			live.Add(1)
			runtime.AddCleanup(b, func(live *atomic.Int64) { live.Add(-1) }, &live)
		}
		if random.IntN(2) == 0 {
			br.Done()
		}
		br.OnTrip(func() {})
		switch random.IntN(3) {
		case 0:
			child.Trip(errA)
		case 1:
			br.Trip(errA)
		}
		br.Close()
	}
	churn := func(rounds int) {
		var all sync.WaitGroup
		for range players {
			all.Go(func() {
				random := rand.New(rand.NewPCG(rand.Uint64(), 0))
				for range rounds / players {
					round(random)
				}
			})
		}
		all.Wait()
		awaitQuiet(t)
		awaitGone(t, func() bool { return live.Load() == 0 }, "breakers that are closed")
	}
	churn(10_000)
	before := levelOf(parent)
	for turn := range turns {
		churn(rounds / turns)
		// The runtime takes stopped timers out of its heaps when they have become many, and never
		// makes those heaps smaller. A breaker takes some 200 bytes, so this is less than one in
		// twenty of a quick run's.
		assertLevel(t, before, levelOf(parent), 1<<20, strconv.Itoa(rounds/turns*(turn+1))+" breakers")
	}
	parent.Close()
}

// promise 8: 10,000 callbacks that panic, among others that don't, and children.
func TestSoak_Panics(t *testing.T) {
	const panics = 10_000
	for range min(soaked(1)+1, 10) {
		parent := breaker.New()
		other := breaker.New()
		awaitQuiet(t)
		before := levelOf(other)
		ran := 0
		children := make([]*breaker.Breaker, 0, panics/10)
		for i := range panics {
			parent.OnTrip(func() { ran++; panic(errB) })
			if i%10 == 0 {
				parent.OnTrip(func() { ran++ })
				children = append(children, breaker.Multiplex(breaker.NopCloser(parent), breaker.NopCloser(other)))
			}
		}
		func() {
			defer func() { assert.Equal(t, errB, recover(), "the panic goes on up") }()
			parent.Trip(errA)
		}()
		require.Equal(t, panics+panics/10, ran)
		require.Equal(t, breaker.Closed, parent.State())
		for _, child := range children {
			require.Equal(t, breaker.Closed, child.State())
			require.True(t, errors.Is(child.Cause(), errA))
		}
		assert.Zero(t, registrations(parent))
		assert.Zero(t, registrations(other))
		children = nil
		runtime.KeepAlive(parent)
		now := levelOf(other)
		assert.LessOrEqual(t, now.goroutines, before.goroutines)
	}
}
