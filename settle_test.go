package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// What the winner of a trip does once Done is closed: callbacks, release, and the same for all that
// it trips.

// catch runs f and returns what it panics with, or nil.
func catch(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}

// scene is a breaker with something of everything around it that a trip has to reach or to release.
type scene struct {
	*breaker.Breaker
	parent, owned, child *breaker.Breaker
	timeout              *breaker.Breaker
	derived              context.Context
	cancelled            context.Context
	mu                   sync.Mutex
	runs                 map[string]int
}

func (s *scene) ran(name string) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.runs[name]++
	}
}

func newScene() *scene {
	s := &scene{runs: make(map[string]int)}
	s.parent = breaker.New()
	s.owned = breaker.Multiplex(breaker.New())
	s.owned.OnTrip(s.ran("owned"))
	s.timeout = breaker.BreakByTimeout(time.Hour)
	s.timeout.OnTrip(s.ran("timeout"))
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelled = ctx
	s.Breaker = breaker.Multiplex(breaker.NopCloser(s.parent), s.owned, s.timeout, breaker.BreakByContext(ctx, cancel))
	s.derived, cancel = context.WithCancel(breaker.ToContext(s))
	_ = cancel // the scene ends it
	s.child = breaker.Multiplex(breaker.NopCloser(s))
	s.child.OnTrip(s.ran("child"))
	return s
}

// assertOver checks that a trip has reached everything.
func (s *scene) assertOver(t *testing.T, cause error) {
	t.Helper()
	assertClosed(t, s.Breaker, cause)
	assertClosed(t, s.child, cause)
	assertClosed(t, s.owned, breaker.ErrClosed)
	assertClosed(t, s.timeout, breaker.ErrClosed)
	assert.Zero(t, registrations(s.parent))
	assert.Error(t, s.derived.Err())
	assert.Error(t, s.cancelled.Err())
	for _, name := range []string{"owned", "timeout", "child"} {
		assert.Equal(t, 1, s.runs[name], "runs of the callback of %s", name)
	}
}

// ways are those in which a goroutine of ours trips the scene.
var ways = map[string]struct {
	trip  func(s *scene)
	cause error
}{
	"Trip":             {func(s *scene) { s.Trip(errA) }, errA},
	"Close":            {func(s *scene) { s.Close() }, breaker.ErrClosed},
	"a parent's Trip":  {func(s *scene) { s.parent.Trip(errParent) }, errParent},
	"a parent's Close": {func(s *scene) { s.parent.Close() }, breaker.ErrClosed},
}

// promise 8: a panic keeps neither the other callbacks from running nor the release of anything,
// and goes on up the goroutine that trips, as it is.
func TestCallback_PanicGoesOnWhenAllIsDone(t *testing.T) {
	for name, way := range ways {
		for _, others := range []int{0, 1, 2, 50, 1_000} {
			for _, panics := range []int{1, 2, 10} {
				t.Run(name+", others: "+strconv.Itoa(others)+", panics: "+strconv.Itoa(panics), func(t *testing.T) {
					s := newScene()
					thrown := make(map[any]bool)
					calls := 0
					for i := range others/2 + panics + others - others/2 {
						if i < others/2 || i >= others/2+panics {
							s.OnTrip(func() { calls++ })
							continue
						}
						value := new(int)
						thrown[value] = true
						s.OnTrip(func() {
							calls++
							panic(value)
						})
					}
					got := catch(func() { way.trip(s) })
					assert.True(t, thrown[got], "the panic is %v", got)
					assert.Equal(t, others+panics, calls)
					s.assertOver(t, way.cause)
					assert.False(t, s.Trip(errB))
				})
			}
		}
	}
}

// promise 8: wherever in the graph it happens.
func TestCallback_PanicAnywhere(t *testing.T) {
	thrown := errors.New("thrown")
	for where, at := range map[string]func(s *scene) *breaker.Breaker{
		"in a child":                func(s *scene) *breaker.Breaker { return s.child },
		"in what is owned":          func(s *scene) *breaker.Breaker { return s.owned },
		"in an owned timeout":       func(s *scene) *breaker.Breaker { return s.timeout },
		"in the breaker that trips": func(s *scene) *breaker.Breaker { return s.Breaker },
	} {
		for name, way := range ways {
			t.Run(where+", by "+name, func(t *testing.T) {
				s := newScene()
				at(s).OnTrip(s.ran("before"))
				at(s).OnTrip(func() { panic(thrown) })
				at(s).OnTrip(s.ran("after"))
				assert.Equal(t, thrown, catch(func() { way.trip(s) }))
				assert.Equal(t, 1, s.runs["before"])
				assert.Equal(t, 1, s.runs["after"])
				s.assertOver(t, way.cause)
			})
		}
	}
}

// promise 8: the runtime's own panics are no different.
func TestCallback_PanicOfTheRuntime(t *testing.T) {
	br := breaker.New()
	var nothing map[string]int
	after := false
	br.OnTrip(func() { nothing["key"]++ })
	br.OnTrip(func() { after = true })
	_, ok := catch(br.Close).(runtime.Error)
	assert.True(t, ok)
	assert.True(t, after)
	assertClosed(t, br, breaker.ErrClosed)
}

// promise 8: a late callback's panic goes up the goroutine that registers it.
func TestCallback_PanicWhenLate(t *testing.T) {
	br := breaker.New()
	br.Close()
	assert.Equal(t, errA, catch(func() { br.OnTrip(func() { panic(errA) }) }))
	assertClosed(t, br, breaker.ErrClosed)
}

// promise 8: a function that BreakByContext is to call is the user's, as a callback is.
func TestCallback_PanicInCancel(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"of a context": t.Context(),
		"of a view":    breaker.ToContext(breaker.New()),
	} {
		t.Run(name, func(t *testing.T) {
			parent, last := breaker.New(), breaker.New()
			br := breaker.Multiplex(
				breaker.NopCloser(parent),
				breaker.BreakByContext(ctx, func() { panic(errB) }),
				last,
			)
			assert.Equal(t, errB, catch(func() { br.Trip(errA) }))
			assertClosed(t, br, errA)
			assertClosed(t, last, breaker.ErrClosed)
			assert.Zero(t, registrations(parent))
		})
	}
}

// promise 8: any number of panics is as one.
func TestCallback_PanicOfEach(t *testing.T) {
	br := breaker.New()
	calls, n := 0, scaled(20_000)
	for range n {
		br.OnTrip(func() {
			calls++
			panic(errA)
		})
	}
	assert.Equal(t, errA, catch(br.Close))
	assert.Equal(t, n, calls)
	assertClosed(t, br, breaker.ErrClosed)
}

// promise 8: a panic in one child of many, in the middle of a batch or between two.
func TestCallback_PanicInOneChildOfMany(t *testing.T) {
	for _, n := range []int{2, 63, 64, 65, 500, 5_000} {
		for _, bad := range []int{0, 1, n / 2, n - 1} {
			parent := breaker.New()
			children := make([]*breaker.Breaker, n)
			calls := 0
			for i := range children {
				children[i] = breaker.Multiplex(breaker.NopCloser(parent))
				children[i].OnTrip(func() {
					if calls++; i == bad {
						panic(errB)
					}
				})
			}
			require.Equal(t, errB, catch(func() { parent.Trip(errA) }))
			require.Equal(t, n, calls)
			for _, child := range children {
				require.Equal(t, breaker.Closed, child.State())
				require.Equal(t, errA, child.Cause())
			}
			assertClosed(t, parent, errA)
		}
	}
}

// promise 8: runtime.Goexit, which t.FailNow is made of, is one more way not to return.
func TestCallback_Goexit(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			var calls atomic.Int32
			returned := false
			for i := range 100 {
				s.OnTrip(func() {
					if calls.Add(1); i%10 == 0 {
						runtime.Goexit()
					}
				})
			}
			var end sync.WaitGroup
			end.Go(func() {
				way.trip(s)
				returned = true
			})
			end.Wait()
			assert.False(t, returned, "the goroutine was to end")
			assert.Equal(t, int32(100), calls.Load())
			s.assertOver(t, way.cause)
		})
	}
}

func TestCallback_GoexitAndPanic(t *testing.T) {
	br := breaker.New()
	calls := 0
	for i := range 10 {
		br.OnTrip(func() {
			if calls++; i%2 == 0 {
				runtime.Goexit()
			}
			panic(errA)
		})
	}
	var end sync.WaitGroup
	end.Go(func() { assert.Equal(t, errA, catch(br.Close)) })
	end.Wait()
	assert.Equal(t, 10, calls)
	assertClosed(t, br, breaker.ErrClosed)
}

// promise 8: a callback registers, stops, trips and closes: itself, its breaker, and those around
// it.
func TestCallback_MayDoAnything(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, s *scene){
		"trip itself": func(t *testing.T, s *scene) { assert.False(t, s.Trip(errB)) },
		"close itself": func(t *testing.T, s *scene) {
			s.Close()
			assert.True(t, isShut(s.Done()))
			assert.Equal(t, breaker.Tripped, s.State(), "its callbacks aren't over")
		},
		"register with itself": func(t *testing.T, s *scene) {
			calls := 0
			stop := s.OnTrip(func() {
				s.OnTrip(func() { calls++ })
				calls++
			})
			assert.Equal(t, 2, calls, "a late callback runs at once")
			assert.False(t, stop())
		},
		"multiplex itself": func(t *testing.T, s *scene) {
			br := breaker.Multiplex(s.Breaker)
			assert.Equal(t, breaker.Closed, br.State())
			assert.True(t, br.Cause() == s.Cause())
			br = breaker.Multiplex(breaker.NopCloser(s))
			assert.Equal(t, breaker.Closed, br.State())
			assert.True(t, br.Cause() == s.Cause())
		},
		"derive from itself": func(t *testing.T, s *scene) {
			ctx, cancel := context.WithCancel(breaker.ToContext(s))
			defer cancel()
			assert.Equal(t, context.Canceled, ctx.Err())
			assert.True(t, context.Cause(ctx) == seenByContext(s.Cause()))
		},
		"close its parent":     func(_ *testing.T, s *scene) { s.parent.Close() },
		"trip its parent":      func(_ *testing.T, s *scene) { s.parent.Trip(errB) },
		"close its child":      func(_ *testing.T, s *scene) { s.child.Close() },
		"close what it owns":   func(_ *testing.T, s *scene) { s.owned.Close(); s.timeout.Close() },
		"cancel what derived":  func(t *testing.T, s *scene) { assert.Error(t, s.derived.Err()) },
		"close its own owner":  func(_ *testing.T, s *scene) { breaker.Multiplex(s.Breaker, s.timeout).Close() },
		"panic and close":      func(_ *testing.T, s *scene) { _ = catch(func() { s.Close(); panic(errB) }) },
		"trip another, nested": func(_ *testing.T, s *scene) { nested(10) },
	} {
		for way, trip := range ways {
			t.Run(name+", tripped by "+way, func(t *testing.T) {
				s := newScene()
				for range 3 {
					s.OnTrip(s.ran("others"))
				}
				calls := 0
				s.OnTrip(func() {
					calls++
					do(t, s)
				})
				for range 3 {
					s.OnTrip(s.ran("others"))
				}
				trip.trip(s)
				assert.Equal(t, 1, calls)
				assert.Equal(t, 6, s.runs["others"])
				if name == "trip another, nested" || s.child.Cause() == trip.cause {
					s.assertOver(t, trip.cause)
				} else {
					// The child was closed by the callback before the trip came to it.
					assert.Equal(t, "close its child", name)
					assertClosed(t, s.child, breaker.ErrClosed)
					assertClosed(t, s.Breaker, trip.cause)
				}
			})
		}
	}
}

// nested trips a breaker whose callback trips another one, and so on.
func nested(depth int) {
	br := breaker.Multiplex(breaker.New())
	if depth > 0 {
		br.OnTrip(func() { nested(depth - 1) })
	}
	br.Close()
}

// promise 8: callbacks that stop each other, from two breakers that one trip reaches.
func TestCallback_StopsThoseOfAnotherBreaker(t *testing.T) {
	parent := breaker.New()
	one, two := breaker.Multiplex(breaker.NopCloser(parent)), breaker.Multiplex(breaker.NopCloser(parent))
	var stopOne, stopTwo func() bool
	runs, stops := 0, 0
	count := func(stop bool) {
		if stop {
			stops++
		}
	}
	stopOne = one.OnTrip(func() { runs++; count(stopTwo()) })
	stopTwo = two.OnTrip(func() { runs++; count(stopOne()) })
	parent.Close()
	assert.Equal(t, 1, runs)
	assert.Equal(t, 1, stops)
}

// While a callback is under way, nobody has to wait for it: a Close of the same breaker elsewhere
// returns, and so does all else (promise 3, promise 7, promise 17).
func TestCallback_NobodyWaitsForIt(t *testing.T) {
	s := newScene()
	s.OnTrip(func() {
		elsewhere := make(chan struct{})
		go func() {
			defer close(elsewhere)
			s.Close()
			assert.False(t, s.Trip(errB))
			assert.True(t, isShut(s.Done()))
			assert.Equal(t, breaker.Interrupted, s.Err())
			assert.Equal(t, errA, s.Cause())
			assert.Equal(t, breaker.Tripped, s.State())
			ran := false
			assert.False(t, s.OnTrip(func() { ran = true })())
			assert.True(t, ran)
			assert.Equal(t, errA, breaker.Multiplex(breaker.NopCloser(s)).Cause())
			s.parent.Close()
			s.owned.Close()
			s.timeout.Close()
		}()
		<-elsewhere
	})
	s.Trip(errA)
	assertClosed(t, s.Breaker, errA)
}

// A callback of a timeout runs on the timer's own goroutine, and may do there what it may do
// anywhere.
func TestCallback_OfATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakByTimeout(time.Second)
		child := breaker.Multiplex(br)
		calls, here := 0, goroutineID()
		br.OnTrip(func() {
			calls++
			assert.NotEqual(t, here, goroutineID())
			br.Close()
			child.Close()
		})
		<-child.Done()
		synctest.Wait()
		assert.Equal(t, 1, calls)
		assert.Equal(t, breaker.Closed, br.State())
		assert.Equal(t, breaker.Closed, child.State())
		assert.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
	})
}

// depth returns how many frames there are on the stack, up to a thousand.
func depth() int {
	var frames [1_000]uintptr
	return runtime.Callers(0, frames[:])
}

// Frames that a trip may take, whatever hangs on it. Without it there are some five, for the test.
const fewFrames = 60

// promise 17: a chain of 1,000,000 is tripped from the top, and closed from the bottom, without
// recursion.
func TestChain_OfMillion(t *testing.T) {
	for name, view := range map[string]func(breaker.Interface) breaker.Interface{
		"owned":   itself,
		"watched": breaker.NopCloser,
	} {
		for end, trip := range map[string]struct {
			do     func(top, bottom *breaker.Breaker)
			cause  error
			owned  bool // it goes upwards only by owning
			length int
		}{
			"tripped from the top":    {func(top, _ *breaker.Breaker) { top.Trip(errA) }, errA, false, 1_000_000},
			"closed from the top":     {func(top, _ *breaker.Breaker) { top.Close() }, breaker.ErrClosed, false, 100_000},
			"tripped from the bottom": {func(_, bottom *breaker.Breaker) { bottom.Trip(errA) }, errA, true, 100_000},
			"closed from the bottom":  {func(_, bottom *breaker.Breaker) { bottom.Close() }, breaker.ErrClosed, true, 1_000_000},
		} {
			t.Run(name+", "+end, func(t *testing.T) {
				n := scaled(trip.length)
				if trip.owned && name == "watched" {
					n = 1_000 // it ends with the first
				}
				top := breaker.New()
				chain := make([]*breaker.Breaker, n)
				last, calls, deepest := top, 0, 0
				look := func() {
					calls++
					deepest = max(deepest, depth())
				}
				top.OnTrip(look)
				for i := range chain {
					chain[i] = breaker.Multiplex(view(last))
					last = chain[i]
					if i%(n/100) == 0 {
						last.OnTrip(look)
					}
				}
				last.OnTrip(look)
				trip.do(top, last)
				assert.Less(t, deepest, fewFrames)
				if trip.owned && name == "watched" {
					assertClosed(t, last, trip.cause)
					assert.Equal(t, 1, calls)
					assertOpen(t, chain[n-2])
					assert.Equal(t, 1, registrations(chain[n-3]))
					assert.Zero(t, registrations(chain[n-2]))
					top.Close()
				} else {
					assertClosed(t, last, trip.cause)
				}
				assert.Equal(t, 102, calls)
				for i, br := range chain {
					if br.State() != breaker.Closed || registrations(br) != 0 {
						require.FailNow(t, "not closed, or something remains registered", "link %d", i)
					}
				}
				assert.Equal(t, breaker.Closed, top.State())
			})
		}
	}
}

// promise 17: a wide tree, deeper than batches are nested, without recursion; each breaker is
// tripped once.
func TestTree_IsTrippedWithoutRecursion(t *testing.T) {
	for _, shape := range []struct{ fan, levels int }{{2, 14}, {70, 2}, {100, 2}, {8, 5}, {1, 10_000}} {
		t.Run(strconv.Itoa(shape.fan)+" at "+strconv.Itoa(shape.levels)+" levels", func(t *testing.T) {
			root := breaker.New()
			level, all := []*breaker.Breaker{root}, []*breaker.Breaker{root}
			calls, deepest := 0, 0
			for range shape.levels {
				var next []*breaker.Breaker
				for _, parent := range level {
					for range shape.fan {
						br := breaker.Multiplex(breaker.NopCloser(parent), breaker.NopCloser(root))
						br.OnTrip(func() {
							calls++
							deepest = max(deepest, depth())
						})
						next = append(next, br)
					}
				}
				level, all = next, append(all, next...)
			}
			root.Trip(errA)
			assert.Less(t, deepest, fewFrames)
			assert.Equal(t, len(all)-1, calls)
			for i, br := range all {
				if br.State() != breaker.Closed || br.Cause() != errA || registrations(br) != 0 {
					require.FailNow(t, "not closed, or something remains registered", "number %d, with the cause %v", i, br.Cause())
				}
			}
		})
	}
}

// promise 9, promise 17: many children of one, owned and watched, with callbacks of their own.
func TestMultiplex_OfSeventyThousand(t *testing.T) {
	const n = 70_000 // reflect.Select ended at 65,536
	for name, last := range map[string]bool{"the first trips": false, "the last trips": true} {
		t.Run(name, func(t *testing.T) {
			children := make([]*breaker.Breaker, n)
			given := make([]breaker.Interface, n)
			calls, watched := 0, 0
			for i := range children {
				switch i % 3 {
				case 0:
					children[i] = breaker.New()
				case 1:
					children[i] = breaker.Multiplex(breaker.New())
				default:
					children[i] = breaker.BreakByTimeout(time.Hour)
				}
				children[i].OnTrip(func() { calls++ })
				given[i] = children[i]
				if i%7 == 1 {
					given[i] = breaker.NopCloser(children[i])
					watched++
				}
			}
			br := breaker.Multiplex(given...)
			at := 0
			if last {
				at = n - 1
			}
			children[at].Trip(errA)
			assertClosed(t, br, errA)
			assert.Equal(t, n-watched, calls)
			for i, child := range children {
				if i%7 == 1 {
					if child.Err() != nil || registrations(child) != 1 {
						require.FailNow(t, "not open, or more than its callback is registered", "child %d", i)
					}
					child.Close()
				}
				if child.State() != breaker.Closed {
					require.FailNow(t, "not closed", "child %d", i)
				}
			}
			assert.Equal(t, n, calls)
		})
	}
}

// promise 17: the other way round.
func TestFanOut_OfMany(t *testing.T) {
	n := scaled(700_000)
	parent := breaker.New()
	children := make([]*breaker.Breaker, n)
	for i := range children {
		children[i] = breaker.Multiplex(breaker.NopCloser(parent))
		if i%2 == 0 {
			children[i].Done()
		}
	}
	for i, child := range children {
		if i%3 == 0 {
			child.Close()
		}
	}
	assert.Equal(t, n-(n+2)/3, registrations(parent))
	parent.Trip(errA)
	assertClosed(t, parent, errA)
	for i, child := range children {
		want := error(errA)
		if i%3 == 0 {
			want = breaker.ErrClosed
		}
		if child.State() != breaker.Closed || child.Cause() != want || !isShut(child.Done()) {
			require.FailNow(t, "not closed", "child %d, with the cause %v", i, child.Cause())
		}
	}
}
