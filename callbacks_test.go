package breaker_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// promise 6: a callback runs exactly once, on the goroutine that trips, with Done closed and the
// cause set.
func TestOnTrip_RunsOnceOnTheTrippingGoroutine(t *testing.T) {
	for name, construct := range sources {
		t.Run(name, func(t *testing.T) {
			br := construct()
			runs := 0
			br.OnTrip(func() {
				runs++
				assert.Equal(t, breaker.Tripped, br.State())
				assert.ErrorIs(t, br.Err(), breaker.Interrupted)
				assert.Equal(t, errA, br.Cause())
				assert.True(t, isShut(br.Done()))
			})
			assert.Zero(t, runs)
			// A goroutine to trip it, so that the callback's isn't that of the test by accident.
			var tripped, ran int
			br.OnTrip(func() { ran = goroutineID() })
			done := make(chan struct{})
			go func() {
				defer close(done)
				tripped = goroutineID()
				br.Trip(errA)
			}()
			<-done
			assert.Equal(t, 1, runs)
			assert.Equal(t, tripped, ran)
			br.Trip(errB)
			br.Close()
			assert.Equal(t, 1, runs)
			assertClosed(t, br, errA)
		})
	}
}

// promise 6: what is registered with a child runs on the goroutine that trips the parent.
func TestOnTrip_RunsOnTheGoroutineThatTripsTheParent(t *testing.T) {
	parent := breaker.New()
	grandchild := breaker.Multiplex(breaker.Multiplex(breaker.NopCloser(parent)))
	var tripped, ran int
	grandchild.OnTrip(func() { ran = goroutineID() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		tripped = goroutineID()
		parent.Close()
	}()
	<-done
	assert.Equal(t, tripped, ran)
}

// promise 6: late is not too late. The callback runs before OnTrip returns, on the goroutine that
// registers it.
func TestOnTrip_LateRunsBeforeItReturns(t *testing.T) {
	for name, construct := range sources {
		t.Run(name, func(t *testing.T) {
			br := construct()
			br.Trip(errA)
			ran := 0
			stop := br.OnTrip(func() {
				ran = goroutineID()
				assert.True(t, isShut(br.Done()))
				assert.ErrorIs(t, br.Err(), breaker.Interrupted)
				assert.Equal(t, errA, br.Cause())
			})
			assert.Equal(t, goroutineID(), ran)
			assert.False(t, stop(), "it has run")
			assert.False(t, stop())
		})
	}
}

// promise 7: stop returns true iff it prevented the callback; a second one returns false.
func TestOnTrip_StopPrevents(t *testing.T) {
	for name, construct := range sources {
		t.Run(name, func(t *testing.T) {
			br := construct()
			stop := br.OnTrip(func() { assert.Fail(t, "it was stopped") })
			assert.True(t, stop())
			assert.False(t, stop())
			assert.Zero(t, registrations(br))
			br.Close()
			assert.False(t, stop())
		})
	}
}

func TestOnTrip_StopAfterTheRun(t *testing.T) {
	br := breaker.New()
	runs := 0
	stop := br.OnTrip(func() { runs++ })
	br.Close()
	assert.Equal(t, 1, runs)
	assert.False(t, stop())
	assert.False(t, stop())
	assert.Equal(t, 1, runs)
}

// promise 7: stop never waits, so it may be called from the callback itself, and it returns false
// there: it didn't prevent it.
func TestOnTrip_StopFromWithinCallback(t *testing.T) {
	br := breaker.New()
	var stop func() bool
	runs := 0
	stop = br.OnTrip(func() {
		runs++
		assert.False(t, stop())
		assert.False(t, stop())
	})
	br.Close()
	assert.Equal(t, 1, runs)
}

// promise 7: a callback may stop another one. Either that has run already, or it never does.
func TestOnTrip_StopFromWithinAnotherCallback(t *testing.T) {
	for n := 2; n <= 1_000; n *= 2 {
		br := breaker.New()
		var (
			stops   = make([]func() bool, n)
			runs    = make([]int, n)
			stopped = make([]bool, n)
		)
		for i := range n {
			other := n - 1 - i
			stops[i] = br.OnTrip(func() {
				runs[i]++
				stopped[other] = stops[other]() || stopped[other]
			})
		}
		br.Close()
		ran := 0
		for i := range n {
			require.False(t, stops[i]())
			require.NotEqual(t, stopped[i], runs[i] == 1, "callback %d of %d ran %d times", i, n, runs[i])
			ran += runs[i]
		}
		assert.Equal(t, n/2, ran, "of each pair, one stops the other")
	}
}

// promise 7: of many who stop the same callback, one prevents it.
func TestOnTrip_OneStopOfMany(t *testing.T) {
	var (
		br   *breaker.Breaker
		stop func() bool
		runs int
		did  [3]bool
		came = make(map[string]int)
		more = moreTrials(5_000, func() bool { return came["stopped"] > 0 && came["ran"] > 0 })
	)
	compete(func() bool {
		if br != nil {
			prevented := 0
			for _, d := range did {
				if d {
					prevented++
				}
			}
			require.Equal(t, 1, prevented+runs)
			if runs > 0 {
				came["ran"]++
			} else {
				came["stopped"]++
			}
		}
		if !more() {
			return false
		}
		br, runs = breaker.New(), 0
		stop = br.OnTrip(func() { runs++ })
		return true
	},
		func() { did[0] = stop() },
		func() { br.Close(); did[1] = stop() },
		func() { did[2] = stop() })
	t.Log(came)
	assert.NotZero(t, came["stopped"])
	assert.NotZero(t, came["ran"])
}

// promise 7: the same many times in each trial, so that the two meet again and again on their way.
func TestOnTrip_StopAgainstStopAndTrip(t *testing.T) {
	const n = 100
	for name, rival := range map[string]func(br *breaker.Breaker, stops []func() bool, did []bool){
		"stop": func(_ *breaker.Breaker, stops []func() bool, did []bool) {
			for i := range stops {
				did[i] = stops[i]()
			}
		},
		"Close": func(br *breaker.Breaker, _ []func() bool, _ []bool) { br.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var (
				br    *breaker.Breaker
				stops [n]func() bool
				runs  [n]int
				did   [2][n]bool
				both  int // trials in which each of the two got some
				more  = moreTrials(2_000, func() bool { return both > 0 || !parallel() })
			)
			compete(func() bool {
				if br != nil {
					br.Close()
					one, two := 0, 0
					for i := range runs {
						total := runs[i]
						if did[0][i] {
							one++
							total++
						}
						if did[1][i] || name == "Close" && runs[i] > 0 {
							two++
						}
						if did[1][i] {
							total++
						}
						if total != 1 {
							require.FailNow(t, "not exactly once", "callback %d: stops %v and %v, %d runs", i, did[0][i], did[1][i], runs[i])
						}
					}
					if one > 0 && two > 0 {
						both++
					}
				}
				if !more() {
					return false
				}
				br, runs, did = breaker.New(), [n]int{}, [2][n]bool{}
				for i := range stops {
					stops[i] = br.OnTrip(func() { runs[i]++ })
				}
				return true
			},
				func() {
					for i := range stops {
						did[0][i] = stops[i]()
					}
				},
				func() { rival(br, stops[:], did[1][:]) })
			t.Logf("in %d trials each of the two got some", both)
			if parallel() {
				assert.NotZero(t, both, "they never met")
			}
		})
	}
}

// promise 6 and promise 7: any number of callbacks, any subset of them stopped, in any order.
func TestOnTrip_AnyNumber(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 32, 33, 34, 35, 100, 247, 248, 249, 281, 1_000, 5_000, 20_000} {
		for _, part := range []int{0, 1, 2, n} { // of how many one is stopped
			t.Run(strconv.Itoa(n)+", stopped: one of "+strconv.Itoa(part), func(t *testing.T) {
				br := breaker.New()
				runs, stops := make([]int, n), make([]func() bool, n)
				for i := range n {
					stops[i] = br.OnTrip(func() { runs[i]++ })
				}
				assert.Equal(t, n, registrations(br))
				left, stopped := n, make([]bool, n)
				for _, i := range rand.Perm(n) {
					if part > 0 && i%part == 0 {
						if stopped[i] = stops[i](); !stopped[i] {
							require.FailNow(t, "not stopped", "callback %d", i)
						}
						left--
					}
				}
				assert.Equal(t, left, registrations(br))
				br.Trip(errA)
				assertClosed(t, br, errA)
				for i := range n {
					if ran := runs[i] == 1; ran == stopped[i] || runs[i] > 1 || stops[i]() {
						require.FailNow(t, "it ran and was stopped, neither, or twice", "callback %d ran %d times", i, runs[i])
					}
				}
			})
		}
	}
}

func TestOnTrip_ComingAndGoingTakesOneSlot(t *testing.T) {
	br := breaker.New()
	for range 1_000 {
		stop := br.OnTrip(func() {})
		require.Equal(t, 1, registrations(br))
		require.True(t, stop())
		require.Zero(t, registrations(br))
	}
	slots, _ := breaker.Slots(br)
	assert.Equal(t, 1, slots)
}

// promise 10: the callback can be collected as soon as it can't run any more, also while its stop
// is retained.
func TestOnTrip_CallbackIsCollected(t *testing.T) {
	type load struct{ bytes [1 << 10]byte }
	for name, end := range map[string]func(br *breaker.Breaker, stop func() bool){
		"after Close":         func(br *breaker.Breaker, _ func() bool) { br.Close() },
		"after Trip":          func(br *breaker.Breaker, _ func() bool) { br.Trip(errA) },
		"after stop":          func(_ *breaker.Breaker, stop func() bool) { stop() },
		"after stop and trip": func(br *breaker.Breaker, stop func() bool) { stop(); br.Close() },
	} {
		for _, others := range []int{0, 1, 40, 400} {
			t.Run(name+", others: "+strconv.Itoa(others), func(t *testing.T) {
				br := breaker.New()
				for range others {
					br.OnTrip(func() {})
				}
				var collected atomic.Bool
				stop := func() func() bool {
					held := new(load)
					runtime.AddCleanup(held, func(b *atomic.Bool) { b.Store(true) }, &collected)
					return br.OnTrip(func() { held.bytes[0]++ })
				}()
				runtime.GC()
				end(br, stop)
				awaitGone(t, collected.Load, "the callback")
				assert.False(t, stop())
				runtime.KeepAlive(br)
			})
		}
	}
	t.Run("late", func(t *testing.T) {
		br := breaker.New()
		br.Close()
		var collected atomic.Bool
		stop := func() func() bool {
			held := new(load)
			runtime.AddCleanup(held, func(b *atomic.Bool) { b.Store(true) }, &collected)
			return br.OnTrip(func() { held.bytes[0]++ })
		}()
		awaitGone(t, collected.Load, "the callback")
		assert.False(t, stop())
		runtime.KeepAlive(br)
	})
}

// promise 6 and promise 7, the ledger: goroutines register and stop while a trip comes at a random
// moment. For each callback, its runs and the stops that returned true are one.
func TestLedger_ExactlyOnce(t *testing.T) {
	clerks, entries := 4, soaked(50_000)
	if entries > 1_000_000 {
		clerks = 8
	}
	type entry struct {
		runs    atomic.Int32
		stopped int32 // times that stop returned true
		late    bool
	}
	ledger := make([][]entry, clerks)
	for i := range ledger {
		ledger[i] = make([]entry, entries)
	}
	br := breaker.New()
	var (
		registered atomic.Int64
		clerk      sync.WaitGroup
		all        = int64(clerks * entries)
		moment     = all/4 + rand.Int64N(all/2) // neither at once nor never
	)
	for i := range clerks {
		clerk.Go(func() {
			random := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
			var stops [64]func() bool // those that may still be stopped
			var whose [64]*entry
			for j := range entries {
				e := &ledger[i][j]
				at := random.IntN(len(stops))
				if stop := stops[at]; stop != nil && stop() {
					whose[at].stopped++
				}
				stop := br.OnTrip(func() { e.runs.Add(1) })
				e.late = br.Err() != nil
				switch random.IntN(4) {
				case 0: // never stopped
				case 1:
					if stop() {
						e.stopped++
					}
				default:
					stops[at], whose[at] = stop, e
				}
				if registered.Add(1) == moment {
					br.Trip(errA)
				}
			}
		})
	}
	clerk.Wait()
	assertClosed(t, br, errA)

	var ran, stopped, late int
	for i := range ledger {
		for j := range ledger[i] {
			e := &ledger[i][j]
			if e.runs.Load()+e.stopped != 1 {
				require.FailNow(t, "not exactly once", "entry %d of clerk %d: %d runs, %d stops", j, i, e.runs.Load(), e.stopped)
			}
			switch {
			case e.stopped > 0:
				stopped++
			case e.late:
				late++
			default:
				ran++
			}
		}
	}
	t.Logf("%d ran at the trip, %d were stopped, %d were late", ran, stopped, late)
	assert.NotZero(t, ran, "none ran at the trip")
	assert.NotZero(t, stopped, "none was stopped")
	assert.NotZero(t, late, "none was late")
}

// heapGrown returns by how much the live heap is larger after f than before.
func heapGrown(f func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// promise 10: a closed breaker that someone retains doesn't retain the room for its callbacks.
func TestOnTrip_ClosedHasNoRoom(t *testing.T) {
	for _, n := range []int{1, 2, 40, 10_000} {
		br := breaker.New()
		stops := make([]func() bool, n)
		for i := range stops {
			stops[i] = br.OnTrip(func() {})
		}
		full, _ := breaker.Slots(br)
		br.Close()
		left, _ := breaker.Slots(br)
		assert.LessOrEqual(t, left, 33, "of %d slots for %d", full, n)
		for _, stop := range stops {
			assert.False(t, stop())
		}
	}
}

// promise 17: breakers that watch a parent and close, never all at the same time, leave no memory
// behind.
func TestMultiplex_MemoryAfterChurn(t *testing.T) {
	n := scaled(500_000)
	parent := breaker.New()
	grown := heapGrown(func() {
		window := make([]*breaker.Breaker, 1_000)
		for i := range n {
			at := i % len(window)
			if window[at] != nil {
				window[at].Close()
			}
			window[at] = breaker.Multiplex(breaker.NopCloser(parent))
		}
		for _, br := range window {
			br.Close()
		}
	})
	slots, taken := breaker.Slots(parent)
	t.Logf("heap: %+d bytes, %d slots", grown, slots)
	assert.Zero(t, taken)
	assert.Less(t, grown, int64(64<<10))
	parent.Close()
}

// promise 17: registering and stopping go on while a breaker of 1,000,000 is tripped, and each of
// them is served.
func TestOnTrip_DuringTheTripOfMillion(t *testing.T) {
	n := scaled(1_000_000)
	br := breaker.New()
	var (
		runs    = make([]int8, n)
		stops   = make([]func() bool, n/100)
		begun   = make(chan struct{})
		others  sync.WaitGroup
		came    sync.WaitGroup // each of the others has been served once
		swept   int
		over    atomic.Bool
		stopped int
		late    atomic.Int64
	)
	for i := range n {
		stop := br.OnTrip(func() {
			if swept++; swept == n/10 {
				close(begun) // so that there are some that it is too late to stop
			} else if swept == n/5 {
				came.Wait()
			}
			runs[i]++
			if swept%1_000 == 0 {
				runtime.Gosched() // let the others in, also on one processor
			}
		})
		if i%100 == 0 {
			stops[i/100] = stop
		}
	}
	came.Add(3)
	others.Go(func() {
		served := sync.OnceFunc(came.Done)
		defer served()
		<-begun
		for i := len(stops) - 1; i >= 0; i-- {
			if stops[i]() {
				stopped++
				stops[i] = nil
				served()
			}
			if i%100 == 0 {
				runtime.Gosched()
			}
		}
	})
	during := make([]int64, 2)
	for i := range during {
		others.Go(func() {
			served := sync.OnceFunc(came.Done)
			defer served()
			<-begun
			for !over.Load() {
				ran := false
				stop := br.OnTrip(func() { ran = true })
				if !ran || stop() {
					t.Error("a late callback didn't run before OnTrip returned")
					return
				}
				// What listens is tripped on return, too.
				if br := breaker.Multiplex(breaker.NopCloser(br)); br.Cause() != errA || br.State() != breaker.Closed {
					t.Error("a late child isn't tripped on return")
					return
				}
				ctx, cancel := context.WithCancel(breaker.ToContext(br))
				err := ctx.Err()
				cancel()
				if err != context.Canceled || context.Cause(ctx) != errA {
					t.Error("a late context isn't done on return")
					return
				}
				late.Add(1)
				during[i]++
				served()
				runtime.Gosched()
			}
		})
	}
	br.Trip(errA)
	over.Store(true)
	others.Wait()
	assertClosed(t, br, errA)
	for i := range runs {
		want := int8(1)
		if i%100 == 0 && stops[i/100] == nil {
			want = 0
		}
		if runs[i] != want {
			require.Equal(t, want, runs[i], "callback %d", i)
		}
	}
	t.Logf("during the trip %d were stopped, and %d were late", stopped, late.Load())
	assert.NotZero(t, late.Load(), "nobody came during the trip")
	assert.NotZero(t, stopped, "nobody was stopped during the trip")
	assert.Less(t, stopped, len(stops), "everyone was stopped")
}
