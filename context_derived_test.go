package breaker_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// derivations are the ways in which package context makes a context out of another one that ends
// with it.
var derivations = map[string]func(view context.Context) (context.Context, context.CancelFunc){
	"WithCancel": context.WithCancel,
	"WithTimeout": func(view context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(view, time.Hour)
	},
	"WithCancelCause": func(view context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(view)
		return ctx, func() { cancel(nil) }
	},
	"WithCancel of WithCancel": func(view context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(view)
		ctx, cancelInner := context.WithCancel(ctx)
		return ctx, func() { cancelInner(); cancel() }
	},
	"WithCancel of WithValue": func(view context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(context.WithValue(view, keyB{}, "b"))
	},
	"WithTimeout of values": func(view context.Context) (context.Context, context.CancelFunc) {
		view = context.WithValue(context.WithValue(view, keyB{}, "b"), keyA{}, "a")
		return context.WithTimeout(view, time.Hour)
	},
	"WithCancel of a wrapper": func(view context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(struct{ context.Context }{view})
	},
	"BreakByContext": func(view context.Context) (context.Context, context.CancelFunc) {
		br := breaker.BreakByContext(view, nil)
		br.Done()
		return breaker.ToContext(br), br.Close
	},
	"BreakByContext of WithValue": func(view context.Context) (context.Context, context.CancelFunc) {
		br := breaker.BreakByContext(context.WithValue(view, keyB{}, "b"), nil)
		br.Done()
		return breaker.ToContext(br), br.Close
	},
}

// However a breaker trips, what was derived from it while it was open ends in the same way.
func TestDerived_EndsWithTheBreaker(t *testing.T) {
	// promise 11, promise 13, D9; promise 26: also without the relay
	for tripped, trip := range map[string]func() (br *breaker.Breaker, trip func()){
		"Close":     func() (*breaker.Breaker, func()) { br := breaker.New(); return br, br.Close },
		"Trip(nil)": func() (*breaker.Breaker, func()) { br := breaker.New(); return br, func() { br.Trip(nil) } },
		"Trip":      func() (*breaker.Breaker, func()) { br := breaker.New(); return br, func() { br.Trip(assert.AnError) } },
		"Trip, expired": func() (*breaker.Breaker, func()) {
			br := breaker.New()
			return br, func() { br.Trip(fmt.Errorf("slow: %w", context.DeadlineExceeded)) }
		},
		"timeout": func() (*breaker.Breaker, func()) {
			return breaker.BreakByTimeout(time.Second), func() { time.Sleep(time.Second) }
		},
		"channel": func() (*breaker.Breaker, func()) {
			signal := make(chan struct{})
			return breaker.BreakByChannel(signal), func() { close(signal) }
		},
		"context": func() (*breaker.Breaker, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return breaker.BreakByContext(ctx, nil), func() { cancel(assert.AnError) }
		},
		"Multiplex": func() (*breaker.Breaker, func()) {
			source := breaker.New()
			return breaker.Multiplex(breaker.New(), source), func() { source.Trip(context.DeadlineExceeded) }
		},
		"owned": func() (*breaker.Breaker, func()) {
			br := breaker.BreakByTimeout(time.Hour)
			return br, breaker.Multiplex(br, breaker.New()).Close
		},
	} {
		for derived, derive := range derivations {
			t.Run(tripped+", "+derived, func(t *testing.T) {
				requireContextGoroutines(t, 0)
				synctest.Test(t, func(t *testing.T) {
					br, trip := trip()
					view := breaker.ToContext(br)
					ctx, cancel := derive(view)
					defer cancel()
					require.Zero(t, testkit.Goroutines("context"))
					require.NoError(t, ctx.Err())
					require.NoError(t, context.Cause(ctx))
					require.NoError(t, context.Cause(view))
					require.False(t, isShut(ctx.Done()))

					trip()
					synctest.Wait()
					require.True(t, isShut(ctx.Done()))
					require.Equal(t, view.Err(), ctx.Err())
					require.Equal(t, seenByContext(testkit.RequireTripped(t, br)), context.Cause(ctx))
					require.Equal(t, seenByContext(br.Cause()), context.Cause(view))
				})
			})
		}
	}
}

// A context that hides the Done of the view behind another one ends by its own.
func TestDerived_WrapperWithItsOwnDone(t *testing.T) {
	// promise 13: it isn't mistaken for the view that it answers with.
	br := breaker.New()
	wrapper := &bareContext{breaker.ToContext(br), make(chan struct{})}
	ctx, cancel := context.WithCancel(wrapper)
	defer cancel()
	br.Trip(assert.AnError)
	require.NoError(t, ctx.Err())
	close(wrapper.done)
	await(t, "the end of the wrapper", ctx.Done())
	require.Equal(t, context.Canceled, ctx.Err())
	requireContextGoroutines(t, 0)
}

func TestDerived_PassesCausesOn(t *testing.T) {
	// promise 4, promise 13: every cause that the package makes gets out, and matches what the
	// context says.
	signal := make(chan struct{})
	close(signal)
	closed := breaker.New()
	closed.Close()
	tripped := breaker.New()
	tripped.Trip(nil)
	for name, br := range map[string]*breaker.Breaker{
		"Close":      closed,
		"Trip(nil)":  tripped,
		"timeout":    breaker.BreakByTimeout(0),
		"channel":    breaker.BreakByChannel(signal),
		"no signal":  breaker.BreakBySignal(),
		"Multiplex":  breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0)),
		"no breaker": breaker.Multiplex(),
	} {
		t.Run(name, func(t *testing.T) {
			view := breaker.ToContext(br)
			derived, cancel := context.WithCancel(view)
			defer cancel()
			for _, ctx := range []context.Context{view, derived} {
				require.Equal(t, seenByContext(br.Cause()), context.Cause(ctx))
				if name != "Trip(nil)" { // its cause is Interrupted itself
					require.ErrorIs(t, context.Cause(ctx), ctx.Err())
				}
			}
		})
	}
}

func TestDerived_NoGoroutine(t *testing.T) {
	// promise 11, promise 13
	requireGoroutines(t, 0)
	requireContextGoroutines(t, 0)
	before := testkit.AllGoroutines()
	root, cancelRoot := context.WithCancel(context.Background())
	defer cancelRoot()
	owner := breaker.New()
	calls := 0
	for range 1000 {
		br := breaker.Multiplex(
			breaker.BreakByContext(root, nil),
			breaker.NopCloser(owner),
			breaker.BreakByTimeout(time.Hour),
		)
		owner.OnTrip(br.Close)
		view := breaker.ToContext(br)
		view.Done()
		for range 3 {
			for _, derive := range derivations {
				ctx, cancel := derive(view)
				owner.OnTrip(cancel)
				require.NoError(t, ctx.Err())
			}
			stop := context.AfterFunc(view, func() { assert.Fail(t, "stopped, but called") })
			require.True(t, stop())
			require.False(t, stop())
			breaker.BreakByContext(view, nil).OnTrip(func() { calls++ })
		}
	}
	if !pure {
		testkit.AwaitAtMost(t, before)
	}
	require.Zero(t, testkit.Goroutines(testkit.Library))
	require.Zero(t, testkit.Goroutines("context"))
	owner.Trip(nil)
	require.Equal(t, 3000, calls)
	requireGoroutines(t, 0)
	requireContextGoroutines(t, 0)
}

func TestDerived_AfterFunc(t *testing.T) {
	// promise 13: it keeps the promises of context.AfterFunc.
	t.Run("once", func(t *testing.T) {
		br := breaker.New()
		called := make(chan struct{})
		// Twice would panic.
		stop := context.AfterFunc(breaker.ToContext(br), func() { close(called) })
		require.False(t, isShut(called))
		br.Trip(nil)
		await(t, "the call", called)
		require.False(t, stop())
	})
	t.Run("stopped", func(t *testing.T) {
		br := breaker.New()
		stop := context.AfterFunc(breaker.ToContext(br), func() { assert.Fail(t, "stopped, but called") })
		require.True(t, stop())
		require.False(t, stop())
		br.Trip(nil)
	})
	t.Run("in its own goroutine", func(t *testing.T) {
		br := breaker.New()
		release, called := make(chan struct{}), make(chan struct{})
		context.AfterFunc(breaker.ToContext(br), func() { <-release; close(called) })
		br.Close() // would block if it ran f
		require.False(t, isShut(called))
		close(release)
		await(t, "the call", called)
	})
	t.Run("late", func(t *testing.T) {
		br := breaker.New()
		br.Trip(nil)
		view := breaker.ToContext(br)
		release, called := make(chan struct{}), make(chan struct{})
		context.AfterFunc(view, func() { <-release; close(called) })
		close(release)
		await(t, "the call", called)
	})
	t.Run("by the method", func(t *testing.T) {
		// Others than package context may look for the method as well.
		br := breaker.New()
		view := breaker.ToContext(br).(interface {
			AfterFunc(func()) func() bool
		})
		stop := view.AfterFunc(func() { assert.Fail(t, "stopped, but called") })
		require.True(t, stop())
		require.False(t, stop())
		early := 0
		view.AfterFunc(func() { early++ })
		br.Trip(nil)
		require.Equal(t, 1, early)

		// A late call must not come inline: the caller may hold what it locks.
		var mu sync.Mutex
		called := make(chan struct{})
		mu.Lock()
		stop = view.AfterFunc(func() {
			mu.Lock()
			defer mu.Unlock()
			close(called)
		})
		require.False(t, stop())
		mu.Unlock()
		await(t, "the late call", called)
	})
}

func TestDerived_LeavesTheBreaker(t *testing.T) {
	// promise 10: the breaker, which lives on, holds nothing of what was derived from it.
	br := breaker.New()
	defer br.Close()
	view := breaker.ToContext(br)
	all := make(map[string]func(seen *[1 << 10]byte) (leave func()))
	for name, derive := range derivations {
		if strings.HasPrefix(name, "WithTimeout") {
			continue // the runtime may keep a stopped timer for a while, and with it the context
		}
		all[name] = func(seen *[1 << 10]byte) func() {
			ctx, cancel := derive(view)
			context.AfterFunc(ctx, func() { seen[0]++ })
			return cancel
		}
		all[name+", with a value"] = func(seen *[1 << 10]byte) func() {
			_, cancel := derive(context.WithValue(view, keyA{}, seen))
			return cancel
		}
	}
	all["AfterFunc"] = func(seen *[1 << 10]byte) func() {
		stop := context.AfterFunc(view, func() { seen[0]++ })
		return func() { stop() }
	}
	for name, derive := range all {
		t.Run(name, func(t *testing.T) {
			seen := new([1 << 10]byte)
			held := weak.Make(seen)
			derive(seen)()
			testkit.Await(t, "what was derived is collected", func() bool {
				runtime.GC()
				return held.Value() == nil
			})
			testkit.RequireOpen(t, br)
		})
	}
}

// The standard library panics if it derives a context at a moment when Done is closed, or a
// callback runs, while Err is nil. It may be any instant of the trip.
func TestDerived_AgainstTrip(t *testing.T) {
	// promise 2, promise 6, promise 13
	all := maps.Clone(derivations)
	all["AfterFunc"] = func(view context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(context.Background())
		context.AfterFunc(view, func() {
			assert.NoError(t, ctx.Err())
			assert.Error(t, view.Err())
			cancel(context.Cause(view))
		})
		return ctx, func() { cancel(nil) }
	}
	for name, derive := range all {
		t.Run(name, func(t *testing.T) {
			const rounds = 2000
			var before, after int
			for i := 0; i < rounds || before == 0 || after == 0; i++ {
				require.Less(t, i, 100*rounds, "an outcome never came: derived before %d, after %d", before, after)
				br := breaker.New()
				view := breaker.ToContext(br)
				if i%3 == 0 {
					br.Done() // the channel is there before the trip, or is made at the same time
				}
				var ctx context.Context
				var cancel context.CancelFunc
				var live bool
				trip := func() { br.Trip(assert.AnError) }
				work := func() {
					live = view.Err() == nil
					ctx, cancel = derive(view)
				}
				atOnce(i, trip, work)
				if live {
					before++
				} else {
					after++
				}
				await(t, "the end of what was derived", ctx.Done())
				require.Equal(t, context.Canceled, ctx.Err())
				require.Equal(t, assert.AnError, context.Cause(ctx))
				cancel()
			}
		})
	}
}

// Derived contexts come and go while the breaker trips.
func TestDerived_CancelAgainstTrip(t *testing.T) {
	// promise 7, promise 13
	for range 300 {
		br := breaker.New()
		view := breaker.ToContext(br)
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			group.Go(func() {
				<-start
				for view.Err() == nil {
					ctx, cancel := context.WithCancel(view)
					cancel()
					assert.Error(t, ctx.Err())
					stop := context.AfterFunc(view, func() { assert.Error(t, view.Err()) })
					if !stop() {
						assert.Error(t, view.Err())
					}
					runtime.Gosched() // with one P, the others have to get at it
				}
			})
		}
		group.Go(func() {
			<-start
			for range 10 {
				runtime.Gosched()
			}
			br.Trip(nil)
		})
		close(start)
		group.Wait()
	}
}

// promise 8: a foreign context whose AfterFunc panics leaves the breaker as it was.
func TestDerived_AfterFuncPanics(t *testing.T) {
	for name, construct := range map[string]func(context.Context) *breaker.Breaker{
		"BreakByContext": func(ctx context.Context) *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
		"Within":         func(ctx context.Context) *breaker.Breaker { return breaker.Within(ctx, time.Hour) },
	} {
		tries := 0
		br := construct(panickyContext{context.Background(), &tries})
		assert.Equal(t, errB, catch(func() { br.Done() }), name)
		br.Done()
		assert.Equal(t, 2, tries, name)
		br.Close()
		assert.Equal(t, breaker.Closed, br.State(), name)
	}
}
