package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Promise 6.
func TestOnTrip_RunsOnceWithDoneClosed(t *testing.T) {
	br := breaker.New()
	var calls, goroutine int
	br.OnTrip(func() {
		calls++
		goroutine = goroutineID()
		assert.True(t, isShut(br.Done()))
		assert.Equal(t, breaker.Interrupted, br.Err())
		assert.Equal(t, errTest, br.Cause())
		assert.Equal(t, breaker.Tripped, br.State())
	})
	assert.Zero(t, calls)
	br.Trip(errTest)
	br.Close()
	assert.Equal(t, 1, calls)
	assert.Equal(t, goroutineID(), goroutine)
}

// Promise 6: a late registration runs before OnTrip returns.
func TestOnTrip_LateRunsAtOnce(t *testing.T) {
	br := breaker.New()
	br.Close()
	goroutine := 0
	stop := br.OnTrip(func() { goroutine = goroutineID() })
	assert.Equal(t, goroutineID(), goroutine)
	assert.False(t, stop())
}

// Promise 7.
func TestOnTrip_StopPreventsTheCall(t *testing.T) {
	br := breaker.New()
	stop := br.OnTrip(func() { assert.Fail(t, "it was stopped") })
	assert.True(t, stop())
	assert.False(t, stop())
	br.Close()
	assert.False(t, stop())
}

// Promise 7: also from within, where waiting would be for ever.
func TestOnTrip_StopFromWithin(t *testing.T) {
	br := breaker.New()
	var stop func() bool
	called := false
	stop = br.OnTrip(func() {
		called = true
		assert.False(t, stop())
	})
	br.Close()
	assert.True(t, called)
}

// Promise 8: one callback stops another that hasn't run; which of the two runs is open, but not both.
func TestOnTrip_OneStopsAnother(t *testing.T) {
	br := breaker.New()
	var stops [2]func() bool
	var calls, stopped int
	for i := range stops {
		stops[i] = br.OnTrip(func() {
			calls++
			if stops[1-i]() {
				stopped++
			}
		})
	}
	br.Close()
	assert.Equal(t, 1, calls)
	assert.Equal(t, 1, stopped)
}

// Promise 8.
func TestOnTrip_MayDoAnythingButBlock(t *testing.T) {
	br, other := breaker.New(), breaker.New()
	var order []string
	br.OnTrip(func() {
		order = append(order, "first")
		br.Close()
		assert.False(t, br.Trip(nil))
		br.OnTrip(func() { order = append(order, "late") })
		other.Trip(br.Cause())
		breaker.Multiplex(br).Close()
		assert.Error(t, breaker.ToContext(br).Err())
	})
	other.OnTrip(func() { order = append(order, "other") })
	br.Trip(errTest)
	assert.Equal(t, []string{"first", "late", "other"}, order)
	assertClosed(t, other, errTest)
	assertClosed(t, br, errTest)
}

// Promise 8: neither a callback nor a resource is lost to a panic, and it goes on up.
func TestOnTrip_Panics(t *testing.T) {
	const callbacks = 10_000
	br := breaker.Multiplex(breaker.NopCloser(breaker.New()), breaker.BreakByTimeout(time.Hour))
	child := breaker.Multiplex(breaker.NopCloser(br), breaker.New())
	calls := 0
	for i := range callbacks {
		br.OnTrip(func() {
			calls++
			if i%10 == 0 {
				panic(i)
			}
		})
	}
	child.OnTrip(func() { calls++ })
	assert.Panics(t, func() { br.Trip(errTest) })
	assert.Equal(t, callbacks+1, calls)
	assertClosed(t, br, errTest)
	assertClosed(t, child, errTest)
}

// Promise 8: the value of the panic, and of one alone.
func TestOnTrip_PanicGoesOnUp(t *testing.T) {
	br := breaker.New()
	br.OnTrip(func() { panic("value") })
	assert.PanicsWithValue(t, "value", br.Close)
	assert.Panics(t, func() { br.OnTrip(func() { panic("late") }) })
}

// Promise 8, as for a panic.
func TestOnTrip_Goexit(t *testing.T) {
	br := breaker.Multiplex(breaker.New())
	var calls atomic.Int32
	for range 100 {
		br.OnTrip(func() {
			calls.Add(1)
			runtime.Goexit()
		})
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		br.Close()
		assert.Fail(t, "it didn't exit")
	}()
	wg.Wait()
	assert.EqualValues(t, 100, calls.Load())
	assertClosed(t, br, breaker.ErrClosed)
}

// Promise 8: a panic in the midst of a tree leaves nothing of it open.
func TestOnTrip_PanicsInATree(t *testing.T) {
	root := breaker.New()
	var all []*breaker.Breaker
	calls := 0
	level := []*breaker.Breaker{root}
	for range 3 {
		var next []*breaker.Breaker
		for _, parent := range level {
			for range 100 / len(level) * 3 {
				leaf := breaker.New()
				leaf.OnTrip(func() { calls++; panic("leaf") })
				node := breaker.Multiplex(breaker.NopCloser(parent), leaf)
				node.OnTrip(func() { calls++; panic("node") })
				next = append(next, node)
				all = append(all, leaf, node)
			}
		}
		level = next[:min(len(next), 10)]
	}
	ctx, cancel := context.WithCancel(context.Background())
	last := breaker.Multiplex(breaker.NopCloser(root), breaker.BreakByContext(ctx, func() {
		calls++
		cancel()
		panic("cancel")
	}))
	all = append(all, last)

	assert.Panics(t, root.Close)
	assert.Equal(t, len(all), calls)
	for _, br := range all {
		require.Equal(t, breaker.Closed, br.State())
	}
}

// Promise 10: what was registered can be collected, though who stops it is kept.
func TestOnTrip_CallbacksAreCollected(t *testing.T) {
	for name, end := range map[string]func(br *breaker.Breaker, stop func() bool){
		"close": func(br *breaker.Breaker, _ func() bool) { br.Close() },
		"stop":  func(_ *breaker.Breaker, stop func() bool) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			br := breaker.New()
			collected := make(chan struct{})
			stop := func() func() bool {
				held := new([64]byte)
				runtime.AddCleanup(held, func(struct{}) { close(collected) }, struct{}{})
				return br.OnTrip(func() { held[0]++ })
			}()
			end(br, stop)
			awaitGone(t, func() bool { return isShut(collected) }, "what the callback held")
			runtime.KeepAlive(stop)
			runtime.KeepAlive(br)
		})
	}
}

// Promises 6 and 7: of each callback exactly one of run and stopped is true, whatever the schedule.
func TestOnTrip_ExactlyOnceLedger(t *testing.T) {
	const goroutines, each, rounds = 4, 1_000, 50
	for round := range rounds {
		br := breaker.New()
		ran, stopped := make([][]atomic.Int32, goroutines), make([][]int32, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			ran[g], stopped[g] = make([]atomic.Int32, each), make([]int32, each)
			wg.Go(func() {
				for i := range each {
					stop := br.OnTrip(func() { ran[g][i].Add(1) })
					if i%3 != 0 {
						if stop() {
							stopped[g][i]++
						}
						if stop() {
							stopped[g][i]++
						}
					}
					if g == 0 && i == round*each/rounds {
						br.Trip(nil)
					}
				}
			})
		}
		wg.Wait()
		for g := range goroutines {
			for i := range each {
				if ran[g][i].Load()+stopped[g][i] != 1 {
					require.FailNow(t, "not exactly once", "%d ran, %d stopped", ran[g][i].Load(), stopped[g][i])
				}
			}
		}
		require.Zero(t, registrations(br))
	}
}

// Promise 17: a chain of 1,000,000, from the top and from the bottom, owned and shared. A recursion would need far more
// stack than this allows.
func TestChain_OfAMillionWithoutRecursion(t *testing.T) {
	const million = 1_000_000
	cause := errors.New("cause")
	for name, link := range map[string]func(breaker.Interface) breaker.Interface{
		"owned":  func(br breaker.Interface) breaker.Interface { return br },
		"shared": breaker.NopCloser,
	} {
		t.Run(name, func(t *testing.T) {
			top := breaker.New()
			chain := make([]*breaker.Breaker, scaled(million))
			last := top
			for i := range chain {
				last = breaker.Multiplex(link(last))
				chain[i] = last
			}
			top.Trip(cause)
			for _, br := range chain {
				if br.State() != breaker.Closed || br.Cause() != cause {
					require.FailNow(t, "not tripped")
				}
			}
		})
	}
	t.Run("closed at the bottom", func(t *testing.T) {
		top := breaker.New()
		last := top
		for range scaled(million) {
			last = breaker.Multiplex(last)
		}
		last.Close()
		assertClosed(t, top, breaker.ErrClosed)
	})
	t.Run("through leaves", func(t *testing.T) {
		// Each node owns the leaf that the next one listens to.
		top := breaker.New()
		leaf := top
		var last *breaker.Breaker
		for range scaled(million) / 2 {
			next := breaker.New()
			last = breaker.Multiplex(breaker.NopCloser(leaf), next)
			leaf = next
		}
		top.Trip(cause)
		assert.Equal(t, breaker.Closed, last.State())
		assert.Equal(t, breaker.Closed, leaf.State())
	})
}
