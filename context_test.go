package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// foreignContext is a context that package context doesn't know. It counts who is registered with
// it.
type foreignContext struct {
	done     chan struct{}
	deadline time.Time
	values   map[any]any

	mu    sync.Mutex
	err   error
	funcs map[*byte]func()
}

func newForeignContext() *foreignContext {
	return &foreignContext{done: make(chan struct{}), funcs: make(map[*byte]func())}
}

func (c *foreignContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }
func (c *foreignContext) Done() <-chan struct{}       { return c.done }
func (c *foreignContext) Value(key any) any           { return c.values[key] }

func (c *foreignContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is what package context looks for.
func (c *foreignContext) AfterFunc(f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := new(byte)
	c.funcs[id] = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, registered := c.funcs[id]
		delete(c.funcs, id)
		return registered
	}
}

func (c *foreignContext) registered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.funcs)
}

func (c *foreignContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.done)
	for id, f := range c.funcs {
		delete(c.funcs, id)
		go f()
	}
}

// bareContext hides all methods of a context but those of the interface, and has a Done of its own,
// so that package context can only watch it with a goroutine.
type bareContext struct {
	context.Context
	done chan struct{}
}

func (c *bareContext) Done() <-chan struct{} { return c.done }

func (c *bareContext) Err() error {
	if isShut(c.done) {
		return context.Canceled
	}
	return nil
}

// requireContextGoroutines is requireGoroutines for those that package context has started.
func requireContextGoroutines(t *testing.T, want int) {
	t.Helper()
	testkit.AwaitGoroutines(t, "context", want)
}

type keyA struct{}
type keyB struct{}

func TestContext_TripsWhatWaits(t *testing.T) {
	// promise 4, promise 5
	reason := errors.New("the reason")
	for name, end := range map[string]func() (ctx context.Context, end func(), err, cause error){
		"WithCancel": func() (context.Context, func(), error, error) {
			ctx, cancel := context.WithCancel(context.Background())
			return ctx, cancel, context.Canceled, context.Canceled
		},
		"WithCancelCause": func() (context.Context, func(), error, error) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(reason) }, context.Canceled, reason
		},
		"a cause that is a deadline's": func() (context.Context, func(), error, error) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(context.DeadlineExceeded) }, context.Canceled, context.DeadlineExceeded
		},
		"WithValue of it": func() (context.Context, func(), error, error) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return context.WithValue(ctx, keyA{}, "a"), func() { cancel(reason) }, context.Canceled, reason
		},
		"foreign": func() (context.Context, func(), error, error) {
			ctx := newForeignContext()
			return ctx, func() { ctx.end(context.Canceled) }, context.Canceled, context.Canceled
		},
		"foreign, an error of its own": func() (context.Context, func(), error, error) {
			ctx := newForeignContext()
			return ctx, func() { ctx.end(reason) }, reason, reason
		},
		"foreign, expired": func() (context.Context, func(), error, error) {
			ctx := newForeignContext()
			err := fmt.Errorf("too late: %w", context.DeadlineExceeded)
			return ctx, func() { ctx.end(err) }, err, err
		},
		"bare": func() (context.Context, func(), error, error) {
			ctx := &bareContext{context.Background(), make(chan struct{})}
			return ctx, func() { close(ctx.done) }, context.Canceled, context.Canceled
		},
		"ToContext": func() (context.Context, func(), error, error) {
			br := breaker.New()
			return breaker.ToContext(br), func() { br.Trip(reason) }, context.Canceled, reason
		},
		"derived from ToContext": func() (context.Context, func(), error, error) {
			br := breaker.New()
			ctx, cancel := context.WithCancel(breaker.ToContext(br))
			context.AfterFunc(ctx, cancel)
			return ctx, func() { br.Trip(reason) }, context.Canceled, reason
		},
	} {
		check := func(t *testing.T, br *breaker.Breaker, ctx context.Context, err, cause error) {
			require.Equal(t, cause, testkit.RequireTripped(t, br))
			require.Equal(t, context.Cause(ctx), br.Cause())
			require.ErrorIs(t, br.Err(), err)
			require.ErrorIs(t, br.Err(), ctx.Err())
			require.ErrorIs(t, br.Err(), breaker.Interrupted)
			require.Contains(t, br.Err().Error(), breaker.Interrupted.Error())
		}
		t.Run(name+", waited for", func(t *testing.T) {
			ctx, end, err, cause := end()
			br := breaker.BreakByContext(ctx, nil)
			require.NoError(t, br.Err())
			done := br.Done()
			end()
			await(t, "the trip", done)
			check(t, br, ctx, err, cause)
		})
		t.Run(name+", polled", func(t *testing.T) { // promise 2, the poll part
			ctx, end, err, cause := end()
			br := breaker.BreakByContext(ctx, nil)
			require.NoError(t, br.Err())
			end()
			require.Error(t, br.Err(), "the end of the context has to be seen at once")
			check(t, br, ctx, err, cause)
		})
		t.Run(name+", done before", func(t *testing.T) {
			ctx, end, err, cause := end()
			end()
			br := breaker.BreakByContext(ctx, nil)
			require.Equal(t, breaker.Closed, br.State())
			check(t, br, ctx, err, cause)
		})
		t.Run(name+", in a Multiplex", func(t *testing.T) {
			ctx, end, _, cause := end()
			br := breaker.Multiplex(breaker.New(), breaker.BreakByContext(ctx, nil))
			done := br.Done()
			end()
			await(t, "the trip", done)
			require.Equal(t, cause, testkit.RequireTripped(t, br))
			require.Equal(t, breaker.Interrupted, br.Err()) // only of a bare one it is another
		})
	}
}

func TestContext_Expires(t *testing.T) {
	// promise 4, promise 5, promise 13
	tooSlow := errors.New("too slow")
	for name, maker := range map[string]func() (ctx context.Context, cancel context.CancelFunc, cause error){
		"WithTimeout": func() (context.Context, context.CancelFunc, error) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			return ctx, cancel, context.DeadlineExceeded
		},
		"WithTimeoutCause": func() (context.Context, context.CancelFunc, error) {
			ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, tooSlow)
			return ctx, cancel, tooSlow
		},
	} {
		for _, waited := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", waited for: ", waited), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel, cause := maker()
					br := breaker.BreakByContext(ctx, cancel)
					var outer *breaker.Breaker
					if waited {
						br.Done()
						outer = breaker.Multiplex(breaker.NopCloser(br))
					}
					time.Sleep(time.Minute - 1)
					synctest.Wait()
					require.NoError(t, br.Err())
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					require.Equal(t, cause, testkit.RequireTripped(t, br))
					require.ErrorIs(t, br.Err(), context.DeadlineExceeded)
					require.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err())
					if outer != nil {
						require.Equal(t, cause, testkit.RequireTripped(t, outer))
						require.Equal(t, context.DeadlineExceeded, breaker.ToContext(outer).Err())
					}
				})
			})
		}
	}
}

func TestContext_BackgroundNeverTrips(t *testing.T) {
	// promise 5, promise 11
	for name, ctx := range map[string]context.Context{
		"Background":    context.Background(),
		"TODO":          context.TODO(),
		"WithValue":     context.WithValue(context.Background(), keyA{}, "a"),
		"WithoutCancel": context.WithoutCancel(breaker.ToContext(breaker.BreakByTimeout(0))),
	} {
		t.Run(name, func(t *testing.T) {
			requireContextGoroutines(t, 0)
			br := breaker.BreakByContext(ctx, nil)
			testkit.RequireOpen(t, br)
			br.OnTrip(func() {})
			testkit.RequireOpen(t, br)
			require.Zero(t, testkit.Goroutines("context"))
			br.Close()
			require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, br))
			require.Equal(t, breaker.Interrupted, br.Err())
		})
	}
}

func TestContext_PolledWithoutRegistration(t *testing.T) {
	// promise 2, the poll part; promise 11
	requireContextGoroutines(t, 0)
	ctx := newForeignContext()
	ctx.deadline, ctx.values = time.Now().Add(time.Hour), map[any]any{keyA{}: "a"}
	br := breaker.BreakByContext(ctx, nil)
	view := breaker.ToContext(br)
	for range 10 {
		require.NoError(t, br.Err())
		require.NoError(t, br.Cause())
		require.Equal(t, breaker.Open, br.State())
		require.NoError(t, view.Err())
		require.Equal(t, "a", view.Value(keyA{}))
		at, ok := br.Deadline()
		require.True(t, ok)
		require.Equal(t, ctx.deadline, at)
	}
	require.Zero(t, ctx.registered())

	br.Done()
	require.Equal(t, 1, ctx.registered())
	br.OnTrip(func() {})
	br.Done()
	require.Equal(t, 1, ctx.registered())
	br.Close()
	require.Zero(t, ctx.registered())
	require.Zero(t, testkit.Goroutines("context"))
}

func TestContext_LeftByATrip(t *testing.T) {
	// promise 10, D5: no registration remains with a context that goes on.
	for name, trip := range map[string]func(br *breaker.Breaker){
		"Close":                func(br *breaker.Breaker) { br.Close() },
		"Trip":                 func(br *breaker.Breaker) { br.Trip(assert.AnError) },
		"Close of a Multiplex": func(br *breaker.Breaker) { breaker.Multiplex(br, breaker.New()).Close() },
		"a sibling": func(br *breaker.Breaker) {
			sibling := breaker.New()
			breaker.Multiplex(sibling, br)
			sibling.Trip(nil) // and Close is never called
		},
		"a sibling that had tripped": func(br *breaker.Breaker) { breaker.Multiplex(br, breaker.BreakByTimeout(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := newForeignContext()
			br := breaker.BreakByContext(ctx, nil)
			br.Done()
			require.Equal(t, 1, ctx.registered())
			trip(br)
			testkit.RequireTripped(t, br)
			require.Zero(t, ctx.registered())
		})
		t.Run(name+", a bare context", func(t *testing.T) {
			requireContextGoroutines(t, 0)
			ctx := &bareContext{context.Background(), make(chan struct{})}
			br := breaker.BreakByContext(ctx, nil)
			br.Done()
			requireContextGoroutines(t, 1) // package context has no other way
			trip(br)
			testkit.RequireTripped(t, br)
			requireContextGoroutines(t, 0)
		})
		t.Run(name+", a context of the standard library", func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			br := breaker.BreakByContext(ctx, nil)
			seen := new([1 << 10]byte)
			br.OnTrip(func() { seen[0]++ })
			whole, callback := weak.Make(br), weak.Make(seen)
			trip(br)
			testkit.RequireTripped(t, br)
			testkit.Await(t, "the context doesn't hold the breaker", func() bool {
				runtime.GC()
				return whole.Value() == nil && callback.Value() == nil
			})
		})
	}
}

// The context ends while the breaker registers with it, and is closed.
func TestContext_EndsAgainstEverything(t *testing.T) {
	// promise 1, promise 3, promise 10
	var byContext, byClose int
	for i := 0; i < 2000 || byContext == 0 || byClose == 0; i++ {
		require.Less(t, i, 200_000, "an outcome never came: by context %d, by close %d", byContext, byClose)
		ctx := newForeignContext()
		br := breaker.BreakByContext(ctx, nil)
		steps := []func(){
			func() { ctx.end(context.Canceled) },
			func() { br.Close(); assert.True(t, isShut(br.Done())) },
			func() { <-br.Done(); assert.ErrorIs(t, br.Err(), breaker.Interrupted) },
			func() { breaker.Multiplex(breaker.NopCloser(br)).Close() },
		}
		atOnce(i, steps...)
		if br.Cause() == breaker.ErrClosed {
			byClose++
		} else {
			require.Equal(t, context.Canceled, br.Cause())
			byContext++
		}
		testkit.Await(t, "the release", func() bool { return br.State() == breaker.Closed })
		require.Zero(t, ctx.registered())
	}
}

func TestContext_ViewIsUnwrapped(t *testing.T) {
	// promise 11, promise 13: neither a goroutine nor package context is between the two.
	requireContextGoroutines(t, 0)
	source := breaker.New()
	var chain []*breaker.Breaker
	ctx := breaker.ToContext(source)
	for range 10 {
		br := breaker.BreakByContext(ctx, nil)
		br.Done()
		chain = append(chain, br)
		ctx = breaker.ToContext(br)
	}
	require.Zero(t, testkit.Goroutines("context"))
	source.Trip(assert.AnError)
	for _, br := range chain {
		require.Equal(t, assert.AnError, testkit.RequireTripped(t, br)) // synchronously: promise 3
		require.ErrorIs(t, br.Err(), context.Canceled)
	}
	require.Equal(t, context.Canceled, ctx.Err())
	require.Equal(t, assert.AnError, context.Cause(ctx))
}

// promise 5: a context that times out while the trip's callbacks run: Err matches what it says.
func TestContext_EndsDuringTheTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		br := breaker.BreakByContext(ctx, cancel)
		br.OnTrip(func() { time.Sleep(time.Minute) })
		br.Close()
		require.Equal(t, context.DeadlineExceeded, ctx.Err())
		require.ErrorIs(t, br.Err(), ctx.Err())
		require.ErrorIs(t, br.Err(), breaker.Interrupted)
	})
}

func TestContext_ErrOfAViewReads(t *testing.T) {
	parent := breaker.New()
	br := breaker.BreakByContext(breaker.ToContext(parent), nil)
	br.Close()
	assert.Equal(t, "operation interrupted: context canceled", br.Err().Error())
	parent.Close()
	assert.ErrorIs(t, br.Err(), context.Canceled)
}
