package breaker_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
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
			spin(t, "all callbacks have run", func() bool { return int(calls.Load()) == len(all)+3 })
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

// promises 6 and 18: what is closed with its owner has its callbacks run, whenever they came.
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

var errNil = (*typedNil)(nil)

// typedNil is an error that no method of can be called on nil.
type typedNil struct{ text string }

func (e *typedNil) Error() string        { return e.text }
func (e *typedNil) Is(target error) bool { return e.text == target.Error() }

type hostile struct{ do func() }

func (hostile) Error() string   { return "hostile" }
func (h hostile) Is(error) bool { h.do(); return false }
func (h hostile) Unwrap() error { h.do(); return nil }
func (h hostile) As(any) bool   { h.do(); return false }

type endless struct{}

func (endless) Error() string { return "endless" }
func (endless) Unwrap() error { return endless{} }

type mute struct{}

func (mute) Error() string { panic("mute") }

// promise 21: a cause is a cause, whatever its methods do.
func TestCauses_CantHurt(t *testing.T) {
	var inside atomic.Pointer[breaker.Breaker]
	for name, cause := range map[string]error{
		"a typed nil":   errNil,
		"Is panics":     &hostile{func() { panic(errB) }},
		"Is calls back": &hostile{func() { inside.Load().Close() }},
		"Is leaves":     &hostile{runtime.Goexit},
		"wraps itself":  endless{},
		"joins itself":  errors.Join(endless{}, endless{}),
		"Error panics":  mute{},
	} {
		for from, trip := range map[string]func(*breaker.Breaker, error, context.CancelCauseFunc){
			"Trip":      func(br *breaker.Breaker, cause error, _ context.CancelCauseFunc) { br.Trip(cause) },
			"a context": func(_ *breaker.Breaker, cause error, cancel context.CancelCauseFunc) { cancel(cause) },
		} {
			for watched := range 2 {
				t.Run(name+", from "+from, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					br := breaker.BreakByContext(ctx, nil)
					inside.Store(br)
					outer := breaker.Multiplex(br)
					calls := 0
					if watched == 1 {
						outer.OnTrip(func() { calls++ })
					}
					done := make(chan struct{})
					go func() {
						defer close(done)
						trip(br, cause, cancel)
					}()
					await(t, "the trip", done)
					go br.Err()
					await(t, "Done", outer.Done())
					outer.AwaitClosed()
					if name != "Is calls back" {
						assert.True(t, br.Cause() == cause)
						assert.True(t, outer.Cause() == cause)
					}
					assert.Equal(t, watched, calls)
					assert.NotPanics(t, func() { _ = br.String() })
					cancel(nil)
				})
			}
		}
	}
}

// promise 19: what has ended before a Close or a Trip is the cause, watched or not.
func TestEnded_CountsBeforeClose(t *testing.T) {
	for name, own := range map[string]func(breaker.Interface) *breaker.Breaker{
		"owned": func(br breaker.Interface) *breaker.Breaker {
			return breaker.Multiplex(br, breaker.BreakByTimeout(time.Hour))
		},
		"owned by one owned": func(br breaker.Interface) *breaker.Breaker {
			return breaker.Multiplex(breaker.New(), breaker.Multiplex(breaker.Multiplex(br), breaker.New()))
		},
		"itself": func(br breaker.Interface) *breaker.Breaker { return br.(*breaker.Breaker) },
	} {
		for ending, end := range map[string]func(*breaker.Breaker) bool{
			"Close": func(br *breaker.Breaker) bool { br.Close(); return false },
			"Trip":  func(br *breaker.Breaker) bool { return br.Trip(errB) },
		} {
			for watched := range 2 {
				t.Run(name+", "+ending, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					br := own(breaker.BreakByContext(ctx, nil))
					if watched == 1 {
						br.Done()
					}
					cancel(errA)
					assert.False(t, end(br))
					assert.Equal(t, errA, br.Cause())

					signal := make(chan struct{})
					br = own(breaker.BreakByChannel(signal))
					if watched == 1 {
						br.Done()
					}
					close(signal)
					assert.False(t, end(br))
					assert.Equal(t, "breaker: channel closed", br.Cause().Error())
					br.AwaitClosed()
				})
			}
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	br := breaker.Within(ctx, time.Hour)
	br.Done()
	cancel(errA)
	br.Close()
	assert.Equal(t, errA, br.Cause())
}

// promise 19: when cancel has returned, the next Err isn't nil, also of a breaker that is watched.
func TestEnded_ErrAfterCancel(t *testing.T) {
	for range 3_000 {
		for _, construct := range []func(context.Context) *breaker.Breaker{
			func(ctx context.Context) *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
			func(ctx context.Context) *breaker.Breaker { return breaker.Within(ctx, time.Hour) },
		} {
			ctx, cancel := context.WithCancel(context.Background())
			br := construct(ctx)
			br.Done()
			if err := br.Err(); err != nil {
				t.Fatal(err)
			}
			cancel()
			if br.Err() == nil {
				t.Fatal("it is nil after cancel")
			}
			br.Close()
		}
	}
}

// promise 20: a copy of what a constructor made panics at its first use, whichever that is, and the
// original lives.
func TestCopy_PanicsAtFirstUse(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	made := map[string]func() *breaker.Breaker{
		"New":             breaker.New,
		"BreakByTimeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
		"BreakByDeadline": func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(time.Hour)) },
		"BreakByContext":  func() *breaker.Breaker { return breaker.BreakByContext(ctx, cancel) },
		"BreakByChannel":  func() *breaker.Breaker { return breaker.BreakByChannel(make(chan struct{})) },
		"BreakBySignal":   func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) },
		"Multiplex":       func() *breaker.Breaker { return breaker.Multiplex(breaker.New(), breaker.New()) },
		"Any":             func() *breaker.Breaker { return breaker.Any(breaker.New()) },
		"Within":          func() *breaker.Breaker { return breaker.Within(ctx, time.Hour, breaker.New()) },
		"of a view":       func() *breaker.Breaker { return breaker.BreakByContext(breaker.ToContext(breaker.New()), nil) },
		"BreakByIdle":     func() *breaker.Breaker { return &breaker.BreakByIdle(time.Hour).Breaker },
		"tripped":         func() *breaker.Breaker { return breaker.BreakByTimeout(0) },
	}
	for name, use := range map[string]func(*breaker.Breaker){
		"Close":       (*breaker.Breaker).Close,
		"Done":        func(br *breaker.Breaker) { br.Done() },
		"Err":         func(br *breaker.Breaker) { _ = br.Err() },
		"Trip":        func(br *breaker.Breaker) { br.Trip(errA) },
		"Cause":       func(br *breaker.Breaker) { _ = br.Cause() },
		"State":       func(br *breaker.Breaker) { br.State() },
		"Deadline":    func(br *breaker.Breaker) { br.Deadline() },
		"OnTrip":      func(br *breaker.Breaker) { br.OnTrip(func() {}) },
		"String":      func(br *breaker.Breaker) { _ = br.String() },
		"Wait":        func(br *breaker.Breaker) { _ = br.Wait() },
		"AwaitClosed": (*breaker.Breaker).AwaitClosed,
		"NopCloser":   func(br *breaker.Breaker) { breaker.NopCloser(br) },
		"ToContext":   func(br *breaker.Breaker) { breaker.ToContext(br) },
		"Multiplex":   func(br *breaker.Breaker) { breaker.Multiplex(br) },
		"Any":         func(br *breaker.Breaker) { breaker.Any(br) },
		"Within":      func(br *breaker.Breaker) { breaker.Within(context.Background(), time.Hour, br) },
	} {
		for kind, construct := range made {
			for waited := range 2 {
				original := construct()
				if waited == 1 {
					original.Done()
				}
				neighbours := struct {
					before [8]uint64
					breaker.Breaker
					after [8]uint64
				}{}
				copyBreaker(&neighbours.Breaker, original)
				text, _ := catch(func() { use(&neighbours.Breaker) }).(string)
				assert.Contains(t, text, "copied by value", "%s of %s", name, kind)
				assert.Zero(t, neighbours.before)
				assert.Zero(t, neighbours.after)
				original.Close()
				assert.Error(t, original.Err())
			}
		}
	}
}

// promise 20: the same for an Idle.
func TestCopy_OfAnIdle(t *testing.T) {
	for name, use := range map[string]func(*breaker.Idle){
		"Touch":    func(i *breaker.Idle) { i.Touch() },
		"Reset":    func(i *breaker.Idle) { i.Reset(time.Hour) },
		"Reset(0)": func(i *breaker.Idle) { i.Reset(0) },
		"Close":    (*breaker.Idle).Close,
	} {
		original, copied := breaker.BreakByIdle(time.Hour), new(breaker.Idle)
		reflect.ValueOf(copied).Elem().Set(reflect.ValueOf(original).Elem())
		text, _ := catch(func() { use(copied) }).(string)
		assert.Contains(t, text, "copied by value", name)
		assert.True(t, original.Touch())
		original.Close()
	}
}

// copyBreaker copies by value, behind the back of go vet.
func copyBreaker(to, from *breaker.Breaker) {
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}
