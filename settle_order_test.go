package breaker_test

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// promise 18: what a callback does can't change the cause of what has followed already.
func TestOrder_CallbackChangesNoCause(t *testing.T) {
	db, cache := breaker.New(), breaker.New()
	db.OnTrip(func() { cache.Trip(errB) })
	m := breaker.Multiplex(breaker.NopCloser(db), breaker.NopCloser(cache))
	db.Trip(errA)
	assertClosed(t, m, errA)
	assertClosed(t, cache, errB)
}

// promise 18: nor does a context.AfterFunc, whose goroutine package context starts, find one open,
// through a context with values or without.
func TestOrder_AfterFuncFindsNoDependentOpen(t *testing.T) {
	type key struct{}
	ways := map[string]func(context.Context) context.Context{
		"of the view": func(ctx context.Context) context.Context { return ctx },
	}
	if !pure { // without the relay package context starts it when Done closes
		ways["through values"] = func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) }
	}
	for name, derive := range ways {
		t.Run(name, func(t *testing.T) {
			root := breaker.New()
			all := make([]*breaker.Breaker, 100_000)
			for i := range all {
				all[i] = breaker.Any(root)
			}
			open := make(chan int)
			context.AfterFunc(derive(breaker.ToContext(root)), func() {
				n := 0
				for _, br := range all {
					if br.Err() == nil {
						n++
					}
				}
				open <- n
			})
			root.Trip(errA)
			assert.Zero(t, <-open)
		})
	}
}

// dependents returns breakers that depend on root in each way there is, at several depths.
func dependents(root *breaker.Breaker) map[string]breaker.Interface {
	one := breaker.Multiplex(breaker.NopCloser(root))
	watched := breaker.BreakByContext(breaker.ToContext(root), nil)
	watched.Done()
	owned := breaker.BreakByTimeout(time.Hour)
	owner := breaker.Multiplex(breaker.NopCloser(one), owned)
	user := byPointer{Breaker: breaker.Any(owner)}
	return map[string]breaker.Interface{
		"Multiplex":               one,
		"Any":                     breaker.Any(breaker.New(), root),
		"Within":                  breaker.Within(context.Background(), time.Hour, root),
		"Within of its context":   breaker.Within(breaker.ToContext(root), time.Hour),
		"a view that is watched":  watched,
		"a view that isn't":       breaker.BreakByContext(breaker.ToContext(root), nil),
		"Multiplex of a view":     breaker.Multiplex(watched),
		"two levels":              breaker.Any(breaker.Any(one)),
		"an owner":                owner,
		"what is owned":           owned,
		"what watches the owned":  breaker.Any(owned),
		"a user's type":           user,
		"what owns a user's type": breaker.Multiplex(user),
	}
}

// promise 18: in no callback is a dependent open, whenever either was made, and each has its cause.
func TestOrder_NoCallbackFindsADependentOpen(t *testing.T) {
	for name, end := range map[string]func(*breaker.Breaker){
		"Trip":  func(br *breaker.Breaker) { br.Trip(errA) },
		"Close": (*breaker.Breaker).Close,
		"a parent": func(br *breaker.Breaker) {
			breaker.Multiplex(br).Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := breaker.New()
			var calls atomic.Int32
			var all map[string]breaker.Interface
			look := func() {
				calls.Add(1)
				for name, br := range all {
					assert.Error(t, br.Err(), name)
					assert.Error(t, br.Cause(), name)
					assert.True(t, isShut(br.Done()), name)
				}
			}
			root.OnTrip(look)
			context.AfterFunc(breaker.ToContext(root), look)
			all = dependents(root)
			for _, br := range all {
				br.OnTrip(look)
			}
			root.OnTrip(look)
			end(root)
			root.AwaitClosed()
			testkit.Await(t, "all callbacks have run", func() bool { return int(calls.Load()) == len(all)+3 })
			for name, br := range all {
				switch name {
				case "what is owned", "what watches the owned":
					assert.Equal(t, breaker.ErrClosed, br.Cause(), name)
				default:
					assert.Equal(t, root.Cause(), br.Cause(), name)
				}
			}
		})
	}
}

// promise 18: what depends on a Multiplex or an Any that is closed with its owner has tripped when
// callbacks run.
func TestOrder_FollowsWhatIsOwned(t *testing.T) {
	for name, inner := range map[string]*breaker.Breaker{
		"Multiplex": breaker.Multiplex(breaker.New(), breaker.New()),
		"Any":       breaker.Any(breaker.New()),
	} {
		last := breaker.Any(breaker.Any(inner))
		owner := breaker.Multiplex(inner, breaker.New())
		open := 0
		for _, br := range []*breaker.Breaker{inner, owner} {
			br.OnTrip(func() {
				for _, br := range []*breaker.Breaker{inner, last, owner} {
					if br.Err() == nil {
						open++
					}
				}
			})
		}
		owner.Trip(errA)
		assert.Zero(t, open, name)
		assertClosed(t, inner, breaker.ErrClosed)
		assertClosed(t, last, breaker.ErrClosed)
	}
}

// promise 6, promise 18: what is closed with its owner has its callbacks run, whenever they came.
func TestOrder_CallbacksOfWhatIsOwned(t *testing.T) {
	for name, construct := range map[string]func() *breaker.Breaker{
		"New":            breaker.New,
		"BreakByTimeout": func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
	} {
		for before := range 2 {
			for after := range 3 {
				owned, calls := construct(), 0
				for range before {
					owned.OnTrip(func() { calls++ })
				}
				owner := breaker.Multiplex(breaker.New(), owned)
				for range after {
					owned.OnTrip(func() { calls++ })
				}
				owner.Close()
				assert.Equal(t, before+after, calls, name)
				assertClosed(t, owned, breaker.ErrClosed)
			}
		}
	}
}

// promise 18: a callback that waits for a dependent doesn't hang, and a slow one delays the Done of
// nothing.
func TestOrder_CallbackWaitsForADependent(t *testing.T) {
	process := breaker.New()
	var request *breaker.Breaker
	process.OnTrip(func() { <-request.Done() })
	request = breaker.Multiplex(breaker.NopCloser(process))
	process.Trip(errA)
	assertClosed(t, request, errA)
}

// promise 18: in a fan-out of a million, where the callbacks lie anywhere between the dependents.
func TestOrder_MillionDependents(t *testing.T) {
	n := scaled(1_000_000)
	root := breaker.New()
	all := make([]*breaker.Breaker, n)
	wrong, looks := 0, 0
	for i := range all {
		if i%(n/10) == 0 {
			root.OnTrip(func() {
				looks++
				for j := looks; j < n; j += n / 1000 {
					if all[j].Err() == nil {
						wrong++
					}
				}
			})
		}
		all[i] = breaker.Any(root)
	}
	root.Trip(errA)
	assert.Zero(t, wrong)
	assert.GreaterOrEqual(t, looks, 10)
	for _, br := range all {
		require.Equal(t, breaker.Closed, br.State())
	}
}

// closing is a type of the user's with a Close of its own.
type closing struct {
	*breaker.Breaker
	closed *int
}

func (c closing) Close() {
	*c.closed++
	c.Breaker.Close()
}

// promise 18: a chain through the user's own types needs no recursion, from either end.
func TestOrder_ChainOfUserTypes(t *testing.T) {
	n := scaled(1_000_000)
	for name, end := range map[string]func(first, last *breaker.Breaker){
		"from what is owned": func(first, _ *breaker.Breaker) { first.Trip(errA) },
		"from the owner":     func(_, last *breaker.Breaker) { last.Trip(errA) },
	} {
		t.Run(name, func(t *testing.T) {
			first := breaker.New()
			closed := 0
			br := first
			for range n {
				br = breaker.Multiplex(closing{br, &closed})
			}
			defer debug.SetMaxStack(debug.SetMaxStack(1 << 20)) // a recursion would need more
			end(first, br)
			assert.Equal(t, n, closed)
			assert.Error(t, first.Err())
			assert.Error(t, br.Err())
		})
	}
}

// promise 18: who re-enters, panics, or ends the goroutine, leaves nothing undone.
func TestOrder_ResumesAfterPanicAndGoexit(t *testing.T) {
	for name, leave := range map[string]func(){
		"panic":  func() { panic(errB) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			root := breaker.New()
			var calls atomic.Int32
			root.OnTrip(leave)
			all := dependents(root)
			for _, br := range all {
				br.OnTrip(func() { calls.Add(1) })
				br.OnTrip(leave)
				br.OnTrip(func() { calls.Add(1) })
			}
			root.OnTrip(leave)
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				root.Trip(errA)
			}()
			<-done
			assert.Equal(t, int32(2*len(all)), calls.Load())
			for name, br := range all {
				assert.Error(t, br.Err(), name)
			}
			assert.Zero(t, registrations(root))
		})
	}
}

// promise 18: sources are released before callbacks run, where that runs no code of the user's.
func TestOrder_ReleasesBeforeCallbacks(t *testing.T) {
	parent := breaker.New()
	br := breaker.Within(context.Background(), time.Hour, parent)
	left := -1
	br.OnTrip(func() { left = registrations(parent) })
	br.Trip(errA)
	assert.Zero(t, left)
	parent.Close()
}

// promise 18: a dependent that another goroutine is tripping at the time, and what depends on that,
// is not open in our callbacks either.
func TestOrder_HelpsAnotherTrip(t *testing.T) {
	wrong := race(t, 2_000, func() (func(), func(), func() bool) {
		root := breaker.New()
		middle := breaker.Any(root)
		var chain [8]*breaker.Breaker
		last := middle
		for i := range chain {
			last = breaker.Any(last, breaker.New())
			chain[i] = last
		}
		open := false
		root.OnTrip(func() {
			for _, br := range chain {
				open = open || br.Err() == nil
			}
		})
		return func() { root.Trip(errA) }, func() { middle.Trip(errB) }, func() bool { return open }
	})
	assert.Zero(t, wrong)
}

// race has two functions race, many times, and counts how often the verdict is true afterwards.
func race(t *testing.T, n int, prepare func() (a, b func(), verdict func() bool)) (count int) {
	t.Helper()
	for range n {
		a, b, verdict := prepare()
		var ready atomic.Int32
		done := make(chan struct{})
		meet := func() {
			for ready.Add(1); ready.Load() < 2; {
				runtime.Gosched()
			}
		}
		go func() {
			defer close(done)
			meet()
			b()
		}()
		meet()
		a()
		<-done
		if verdict() {
			count++
		}
	}
	return count
}

// A stop that returns false says that the callback has begun; AwaitClosed says that it has
// returned.
func TestAwaitClosed_ReturnsWhenClosed(t *testing.T) {
	t.Run("waits for callbacks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			br := breaker.New()
			release := make(chan struct{})
			over := false
			stop := br.OnTrip(func() {
				<-release
				over = true
			})
			go br.Trip(errA)
			synctest.Wait()
			require.False(t, stop())
			waiters := make(chan bool, 10)
			for range cap(waiters) {
				go func() {
					br.AwaitClosed()
					waiters <- over && br.State() == breaker.Closed
				}()
			}
			synctest.Wait()
			require.Empty(t, waiters)
			close(release)
			for range cap(waiters) {
				assert.True(t, <-waiters)
			}
		})
	})
	t.Run("waits for the trip", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			br := breaker.BreakByTimeout(time.Minute)
			br.AwaitClosed()
			assert.Equal(t, time.Minute, time.Since(begin))
			assert.Equal(t, breaker.Closed, br.State())
		})
	})
	t.Run("against the trip", func(t *testing.T) {
		wrong := race(t, 2_000, func() (func(), func(), func() bool) {
			br := breaker.New()
			ran := false
			br.OnTrip(func() { ran = true })
			state := breaker.Open
			return func() {
				br.AwaitClosed()
				state = br.State()
			}, br.Close, func() bool { return !ran || state != breaker.Closed }
		})
		assert.Zero(t, wrong)
	})
}
