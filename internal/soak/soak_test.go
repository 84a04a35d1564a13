package soak_test

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
	"github.com/kamilsk/breaker/internal/testkit"
	"github.com/kamilsk/breaker/internal/testkit/mode"
)

// level is what is there at a moment.
type level struct {
	heap, goroutines int
}

func levelNow() level {
	var stats runtime.MemStats
	for range 3 { // what has a cleanup goes one cycle later, and what was pooled another
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return level{int(stats.HeapAlloc), testkit.AllGoroutines()}
}

// assertLevel compares with the level before; the heap may have grown by so many bytes.
func assertLevel(t *testing.T, before, now level, growth int, when string) {
	t.Helper()
	t.Logf("%s: heap %+d bytes, goroutines %+d", when, now.heap-before.heap, now.goroutines-before.goroutines)
	if !mode.Race { // the race detector remembers
		assert.Less(t, now.heap, before.heap+growth, "%s: the heap has grown", when)
	}
	testkit.AwaitAtMost(t, before.goroutines)
}

// awaitQuiet waits for the goroutines of the library to end, so that one can count from nothing.
func awaitQuiet(t *testing.T) {
	t.Helper()
	testkit.AwaitGoroutines(t, testkit.Library, 0)
}

// awaitCollected waits for the cleanups of all breakers that live counts.
func awaitCollected(t *testing.T, live *atomic.Int64) {
	t.Helper()
	testkit.AwaitCollected(t, "breakers that are closed", func() bool { return live.Load() == 0 })
}

// count counts a breaker in live until it is collected. While its parents live on, that says that
// it isn't registered with them any more.
func count(live *atomic.Int64, br *breaker.Breaker) {
	live.Add(1)
	runtime.AddCleanup(br, func(live *atomic.Int64) { live.Add(-1) }, live)
}

var (
	errTrip  = errors.New("tripped")
	errPanic = errors.New("thrown by a callback")
)

// promise 10, promise 17: one parent, on which callbacks come and go, a few at a time and many at a
// time.
func TestSoak_ChurnOnOneParent(t *testing.T) {
	rounds := testkit.Soaked(1_000_000)
	const players, turns = 4, 5
	parent := breaker.New()
	var left atomic.Int64
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
					window[i] = parent.OnTrip(func() { left.Add(1) })
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
	before := levelNow()
	for turn := range turns {
		churn(rounds / turns)
		assertLevel(t, before, levelNow(), 64<<10, strconv.Itoa(rounds/turns*(turn+1))+" callbacks")
	}
	assert.Zero(t, left.Load(), "nothing has tripped")
	parent.Close()
	assert.Zero(t, left.Load(), "callbacks were left")
}

// promise 10, promise 11: breakers of every kind come and go, by each way there is to end.
func TestSoak_EverySource(t *testing.T) {
	rounds := min(testkit.Soaked(100_000), 2_000_000)
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
				// Of nobody's: a context keeps a map of its children, which doesn't shrink.
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
			count(&live, b)
		}
		if random.IntN(2) == 0 {
			br.Done()
		}
		br.OnTrip(func() {})
		switch random.IntN(3) {
		case 0:
			child.Trip(errTrip)
		case 1:
			br.Trip(errTrip)
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
		awaitCollected(t, &live)
	}
	churn(10_000)
	before := levelNow()
	for turn := range turns {
		churn(rounds / turns)
		// The runtime takes stopped timers out of its heaps when they have become many, and never
		// makes those heaps smaller. A breaker takes some 200 bytes, so this is less than one in
		// twenty of a quick run's.
		assertLevel(t, before, levelNow(), 1<<20, strconv.Itoa(rounds/turns*(turn+1))+" breakers")
	}
	parent.Close()
}

// promise 8: 10,000 callbacks that panic, among others that don't, and children.
func TestSoak_Panics(t *testing.T) {
	const panics = 10_000
	for range min(testkit.Soaked(1)+1, 10) {
		parent := breaker.New()
		other := breaker.New()
		awaitQuiet(t)
		before := levelNow()
		ran := 0
		var live atomic.Int64
		children := make([]*breaker.Breaker, 0, panics/10)
		for i := range panics {
			parent.OnTrip(func() { ran++; panic(errPanic) })
			if i%10 == 0 {
				parent.OnTrip(func() { ran++ })
				child := breaker.Multiplex(breaker.NopCloser(parent), breaker.NopCloser(other))
				count(&live, child)
				children = append(children, child)
			}
		}
		func() {
			defer func() { assert.Equal(t, errPanic, recover(), "the panic goes on up") }()
			parent.Trip(errTrip)
		}()
		require.Equal(t, panics+panics/10, ran)
		require.Equal(t, breaker.Closed, parent.State())
		for _, child := range children {
			require.Equal(t, breaker.Closed, child.State())
			require.True(t, errors.Is(child.Cause(), errTrip))
		}
		children = nil
		awaitCollected(t, &live)
		runtime.KeepAlive(parent)
		runtime.KeepAlive(other)
		assert.LessOrEqual(t, levelNow().goroutines, before.goroutines)
	}
}
