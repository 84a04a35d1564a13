package breaker_test

import (
	"context"
	"errors"
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
	if pure {
		return
	}
	spin(t, "package context has the expected number of goroutines", func() bool { return goroutinesOf("context") == want })
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
			require.Equal(t, cause, requireTripped(t, br))
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
			require.Equal(t, cause, requireTripped(t, br))
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
					require.Equal(t, cause, requireTripped(t, br))
					require.ErrorIs(t, br.Err(), context.DeadlineExceeded)
					require.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err())
					if outer != nil {
						require.Equal(t, cause, requireTripped(t, outer))
						require.Equal(t, context.DeadlineExceeded, breaker.ToContext(outer).Err())
					}
				})
			})
		}
	}
}

func TestContext_EndedSinceTheConstructor(t *testing.T) {
	// promise 2, promise 9: as for a channel
	for name, tripped := range waits {
		t.Run(name, func(t *testing.T) {
			requireGoroutines(t, 0)
			ctx, cancel := context.WithCancelCause(context.Background())
			br := breaker.BreakByContext(ctx, nil)
			cause := errors.New("over")
			cancel(cause)
			require.True(t, tripped(br))
			require.Same(t, cause, br.Cause())
		})
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
			requireOpen(t, br)
			br.OnTrip(func() {})
			requireOpen(t, br)
			require.Zero(t, goroutinesOf("context"))
			br.Close()
			require.Equal(t, breaker.ErrClosed, requireTripped(t, br))
			require.Equal(t, breaker.Interrupted, br.Err())
		})
	}
}

// Whatever trips the breaker, cancel is called once, and before the trip returns to the winner.
func TestCancel_IsCalledOnce(t *testing.T) {
	for name, trip := range map[string]func(br *breaker.Breaker, end context.CancelFunc){
		"Close":                func(br *breaker.Breaker, _ context.CancelFunc) { br.Close() },
		"Close of a Multiplex": func(br *breaker.Breaker, _ context.CancelFunc) { breaker.Multiplex(br).Close() },
		"a sibling": func(br *breaker.Breaker, _ context.CancelFunc) {
			sibling := breaker.New()
			breaker.Multiplex(br, sibling)
			sibling.Trip(nil)
		},
		"a sibling that had tripped": func(br *breaker.Breaker, _ context.CancelFunc) {
			breaker.Multiplex(breaker.BreakByTimeout(0), br)
		},
		"Trip":             func(br *breaker.Breaker, _ context.CancelFunc) { br.Trip(assert.AnError) },
		"Err":              func(br *breaker.Breaker, end context.CancelFunc) { end(); _ = br.Err() },
		"the context":      func(br *breaker.Breaker, end context.CancelFunc) { br.Done(); end(); <-br.Done() },
		"Close, waited on": func(br *breaker.Breaker, _ context.CancelFunc) { br.Done(); br.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			calls := 0
			count := func() int {
				mu.Lock()
				defer mu.Unlock()
				return calls
			}
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, func() {
				mu.Lock()
				calls++
				mu.Unlock()
				cancel()
			})
			require.Zero(t, count())
			trip(br, cancel)
			spin(t, "cancel is called", func() bool { return count() == 1 })
			require.Error(t, ctx.Err())
			br.Close()
			br.Close()
			breaker.Multiplex(br).Close()
			spin(t, "all is released", func() bool { return br.State() == breaker.Closed })
			require.Equal(t, 1, count())
		})
	}
	t.Run("synchronously", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		breaker.BreakByContext(ctx, cancel).Close()
		require.Equal(t, context.Canceled, ctx.Err()) // promise 3
	})
	t.Run("by the constructor", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		calls := 0
		br := breaker.BreakByContext(ctx, func() { calls++ })
		require.Equal(t, 1, calls)
		br.Close()
		require.Equal(t, 1, calls)
	})
	t.Run("against everything", func(t *testing.T) {
		for i := range 1000 {
			var mu sync.Mutex
			calls := 0
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, func() {
				mu.Lock()
				calls++
				mu.Unlock()
				cancel()
			})
			steps := []func(){cancel, br.Close, func() { br.Trip(nil) }, func() { br.Done() }, func() { _ = br.Err() }}
			var group sync.WaitGroup
			start := make(chan struct{})
			for j := range steps {
				step := steps[(i+j)%len(steps)]
				group.Go(func() { <-start; step() })
			}
			close(start)
			group.Wait()
			spin(t, "all is released", func() bool { return br.State() == breaker.Closed })
			spin(t, "cancel is called", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return calls == 1
			})
		}
	})
}

// Cancelling comes last, with the breaker closed: it may ask the breaker, and panic.
func TestCancel_MayDoAnything(t *testing.T) {
	// promise 8
	ctx, cancel := context.WithCancel(context.Background())
	var br *breaker.Breaker
	br = breaker.BreakByContext(ctx, func() {
		assert.Equal(t, breaker.ErrClosed, requireTripped(t, br))
		assert.Equal(t, breaker.Closed, br.State())
		br.Close()
		cancel()
		panic("cancel panics")
	})
	sibling := breaker.BreakByTimeout(time.Hour)
	outer := breaker.Multiplex(br, sibling)
	require.PanicsWithValue(t, "cancel panics", outer.Close)
	require.Equal(t, breaker.ErrClosed, requireTripped(t, outer))
	require.Equal(t, breaker.ErrClosed, requireTripped(t, sibling))
	require.Equal(t, context.Canceled, ctx.Err())
}

// Err of a bare breaker matches what its context says, however both ended.
func TestContext_ErrMatches(t *testing.T) {
	// promise 5
	withCancel := func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	check := func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
		t.Helper()
		requireTripped(t, br)
		require.Error(t, ctx.Err())
		require.ErrorIs(t, br.Err(), ctx.Err())
		require.Equal(t, br.Err(), br.Err())
	}
	t.Run("closed", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Close()
		require.Equal(t, breaker.ErrClosed, br.Cause())
		check(t, br, ctx)
	})
	t.Run("closed by a Multiplex", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		breaker.Multiplex(br, breaker.BreakByTimeout(0))
		check(t, br, ctx)
	})
	t.Run("tripped", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Trip(assert.AnError)
		require.Equal(t, assert.AnError, br.Cause())
		check(t, br, ctx)
	})
	t.Run("tripped with a deadline's cause", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, cancel)
		br.Trip(context.DeadlineExceeded)
		require.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err()) // promise 13
		check(t, br, ctx)
	})
	t.Run("closed after the end of the context", func(t *testing.T) {
		ctx, cancel := withCancel()
		br := breaker.BreakByContext(ctx, nil)
		cancel()
		br.Close() // nobody had asked the breaker in between
		check(t, br, ctx)
	})
	t.Run("closed after the deadline of the context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			br := breaker.BreakByContext(ctx, cancel)
			time.Sleep(time.Minute)
			br.Close()
			check(t, br, ctx)
		})
	})
	t.Run("a view, cancelled", func(t *testing.T) {
		ctx := breaker.ToContext(breaker.BreakByTimeout(0))
		check(t, breaker.BreakByContext(ctx, nil), ctx)
	})
	t.Run("a view, expired while waited for", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, nil)
		br.Done()
		source.Trip(context.DeadlineExceeded)
		check(t, br, ctx)
	})
	t.Run("a view, closed after its end", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, nil)
		source.Trip(context.DeadlineExceeded)
		br.Close() // nobody had asked the breaker in between
		check(t, br, ctx)
	})
	t.Run("a view, tripped with a deadline's cause", func(t *testing.T) {
		source := breaker.New()
		ctx := breaker.ToContext(source)
		br := breaker.BreakByContext(ctx, source.Close)
		br.Trip(context.DeadlineExceeded)
		check(t, br, ctx)
	})
	t.Run("a view that goes on", func(t *testing.T) {
		source := breaker.New()
		br := breaker.BreakByContext(breaker.ToContext(source), nil)
		br.Trip(assert.AnError)
		err := br.Err()
		source.Trip(context.DeadlineExceeded)
		require.Equal(t, err, br.Err()) // what was said stays said
	})
	t.Run("not the context", func(t *testing.T) {
		ctx, cancel := withCancel()
		defer cancel()
		br := breaker.BreakByContext(ctx, nil)
		br.Trip(assert.AnError)
		requireTripped(t, br)
		require.Equal(t, breaker.Interrupted, br.Err()) // the context goes on
		require.NoError(t, ctx.Err())
	})
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
	require.Zero(t, goroutinesOf("context"))
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
			requireTripped(t, br)
			require.Zero(t, ctx.registered())
		})
		t.Run(name+", a bare context", func(t *testing.T) {
			requireContextGoroutines(t, 0)
			ctx := &bareContext{context.Background(), make(chan struct{})}
			br := breaker.BreakByContext(ctx, nil)
			br.Done()
			requireContextGoroutines(t, 1) // package context has no other way
			trip(br)
			requireTripped(t, br)
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
			requireTripped(t, br)
			spin(t, "the context doesn't hold the breaker", func() bool {
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
		var group sync.WaitGroup
		start := make(chan struct{})
		for j := range steps {
			step := steps[(i+j)%len(steps)]
			group.Go(func() { <-start; step() })
		}
		close(start)
		group.Wait()
		if br.Cause() == breaker.ErrClosed {
			byClose++
		} else {
			require.Equal(t, context.Canceled, br.Cause())
			byContext++
		}
		spin(t, "the release", func() bool { return br.State() == breaker.Closed })
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
	require.Zero(t, goroutinesOf("context"))
	source.Trip(assert.AnError)
	for _, br := range chain {
		require.Equal(t, assert.AnError, requireTripped(t, br)) // synchronously: promise 3
		require.ErrorIs(t, br.Err(), context.Canceled)
	}
	require.Equal(t, context.Canceled, ctx.Err())
	require.Equal(t, assert.AnError, context.Cause(ctx))
}

func TestContext_NilPanics(t *testing.T) {
	// promise 15
	var none context.Context
	for name, f := range map[string]func(){
		"BreakByContext": func() { breaker.BreakByContext(none, nil) },
		"ToContext":      func() { breaker.ToContext(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				message := fmt.Sprint(recover())
				require.Contains(t, message, name)
				require.Contains(t, message, "nil")
			}()
			f()
		})
	}
	require.Panics(t, func() { breaker.ToContext((*breaker.Breaker)(nil)) })
	require.Panics(t, func() { breaker.ToContext(struct{ breaker.Interface }{}) })
}

// What follows is about contexts made of breakers.

func TestView_Err(t *testing.T) {
	// promise 13: exactly one of the two errors of package context.
	expired := func() context.Context {
		ctx, cancel := context.WithTimeoutCause(context.Background(), 0, assert.AnError)
		cancel()
		return ctx
	}
	canceled := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
	tripped := func(cause error) *breaker.Breaker {
		br := breaker.New()
		br.Trip(cause)
		return br
	}
	closed := func(br *breaker.Breaker) *breaker.Breaker {
		br.Close()
		return br
	}
	byChannel := func() *breaker.Breaker {
		signal := make(chan struct{})
		close(signal)
		return breaker.BreakByChannel(signal)
	}
	for _, test := range []struct {
		name string
		br   breaker.Interface
		want error
	}{
		{"open", breaker.New(), nil},
		{"closed", closed(breaker.New()), context.Canceled},
		{"no time left", breaker.BreakByTimeout(0), context.DeadlineExceeded},
		{"a deadline closed in time", closed(breaker.BreakByTimeout(time.Hour)), context.Canceled},
		{"a deadline passed", breaker.BreakByDeadline(time.Now().Add(-1)), context.DeadlineExceeded},
		{"a channel", byChannel(), context.Canceled},
		{"no signals", breaker.BreakBySignal(), context.Canceled},
		{"no breakers", breaker.Multiplex(), context.Canceled},
		{"tripped", tripped(nil), context.Canceled},
		{"tripped with an error", tripped(assert.AnError), context.Canceled},
		{"tripped with a signal", tripped(breaker.SignalError{}), context.Canceled},
		{"tripped with a deadline", tripped(context.DeadlineExceeded), context.DeadlineExceeded},
		{"tripped with a wrapped one", tripped(fmt.Errorf("slow: %w", context.DeadlineExceeded)), context.DeadlineExceeded},
		{"tripped with a joined one", tripped(errors.Join(assert.AnError, context.DeadlineExceeded)), context.DeadlineExceeded},
		{"a context canceled", breaker.BreakByContext(canceled(assert.AnError), nil), context.Canceled},
		{"a context with a deadline's cause", breaker.BreakByContext(canceled(context.DeadlineExceeded), nil), context.DeadlineExceeded},
		{"a context expired for another cause", breaker.BreakByContext(expired(), nil), context.DeadlineExceeded},
		{"a view expired", breaker.BreakByContext(breaker.ToContext(breaker.BreakByTimeout(0)), nil), context.DeadlineExceeded},
		{"a Multiplex expired", breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0)), context.DeadlineExceeded},
		{"a Multiplex that had a deadline", closed(breaker.Multiplex(breaker.BreakByTimeout(time.Hour))), context.Canceled},
		{"a Multiplex of a Multiplex", breaker.Multiplex(breaker.Multiplex(breaker.BreakByContext(expired(), nil))), context.DeadlineExceeded},
		{"NopCloser", breaker.NopCloser(breaker.BreakByTimeout(0)), context.DeadlineExceeded},
		{"embedded", struct{ *breaker.Breaker }{breaker.BreakByTimeout(0)}, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer test.br.Close()
			ctx := breaker.ToContext(test.br)
			require.True(t, ctx.Err() == test.want, "got %v", ctx.Err())
			require.Equal(t, test.want != nil, isShut(ctx.Done()))
			require.Equal(t, test.want != nil, test.br.Err() != nil)
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			require.True(t, derived.Err() == test.want, "derived: got %v", derived.Err())
		})
	}
}

func TestView_Cause(t *testing.T) {
	// promise 13, D9
	br := breaker.New()
	view := breaker.ToContext(br)
	type contexts = map[string]context.Context
	derive := func() contexts {
		all := contexts{"itself": view}
		var cancel context.CancelFunc
		all["WithCancel"], cancel = context.WithCancel(view)
		t.Cleanup(cancel)
		all["WithTimeout"], cancel = context.WithTimeout(view, time.Hour)
		t.Cleanup(cancel)
		var cancelCause context.CancelCauseFunc
		all["WithCancelCause"], cancelCause = context.WithCancelCause(view)
		t.Cleanup(func() { cancelCause(nil) })
		all["WithValue"] = context.WithValue(view, keyA{}, "a")
		all["WithCancel twice"], cancel = context.WithCancel(all["WithCancel"])
		t.Cleanup(cancel)
		all["WithValue of WithCancel"] = context.WithValue(all["WithCancel"], keyA{}, "a")
		return all
	}
	before := derive()
	without := context.WithoutCancel(view)
	for name, ctx := range before {
		require.NoError(t, ctx.Err(), name)
		require.NoError(t, context.Cause(ctx), name)
	}
	br.Trip(assert.AnError)
	for when, all := range map[string]contexts{"derived before": before, "derived after": derive()} {
		for name, ctx := range all {
			await(t, when+" "+name, ctx.Done())
			require.Equal(t, context.Canceled, ctx.Err(), when+" "+name)
			require.Equal(t, assert.AnError, context.Cause(ctx), when+" "+name)
		}
	}
	require.NoError(t, without.Err())
	require.NoError(t, context.Cause(without))
	require.Nil(t, without.Done())
}

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
					require.Zero(t, goroutinesOf("context"))
					require.NoError(t, ctx.Err())
					require.NoError(t, context.Cause(ctx))
					require.NoError(t, context.Cause(view))
					require.False(t, isShut(ctx.Done()))

					trip()
					synctest.Wait()
					require.True(t, isShut(ctx.Done()))
					require.Equal(t, view.Err(), ctx.Err())
					require.Equal(t, seenByContext(requireTripped(t, br)), context.Cause(ctx))
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

// A context among the sources has a cause, or may get one: it isn't the breaker's as long as that
// didn't trip by it.
func TestView_CauseOfASourceIsNotMistaken(t *testing.T) {
	// promise 13
	another := errors.New("another")
	inner, cancelInner := context.WithCancelCause(context.Background())
	defer cancelInner(nil)
	other := breaker.New()
	br := breaker.Multiplex(breaker.BreakByContext(inner, nil), other)
	view := breaker.ToContext(br)
	require.NoError(t, context.Cause(view))
	derived, cancel := context.WithCancel(view)
	defer cancel()
	require.NoError(t, context.Cause(derived))

	// Cancelling what was derived concerns neither the breaker nor the source.
	lost, loser := context.WithCancelCause(view)
	loser(another)
	require.Equal(t, another, context.Cause(lost))
	require.NoError(t, context.Cause(view))
	require.NoError(t, inner.Err())
	require.NoError(t, br.Err())

	other.Trip(assert.AnError)
	require.NoError(t, inner.Err())
	for range 2 {
		require.Equal(t, assert.AnError, br.Cause())
		require.Equal(t, assert.AnError, context.Cause(view))
		require.Equal(t, assert.AnError, context.Cause(derived))
		require.Equal(t, another, context.Cause(lost))
		cancelInner(another) // too late to be a cause
	}
	late, cancelLate := context.WithCancel(view)
	defer cancelLate()
	require.Equal(t, assert.AnError, context.Cause(late))

	// The same with a source that had ended before, in a Multiplex tripped by something else.
	br = breaker.New()
	br.Trip(assert.AnError)
	both := breaker.Multiplex(br, breaker.BreakByContext(inner, nil))
	require.Equal(t, assert.AnError, context.Cause(breaker.ToContext(both)))
}

// A source that has ended is seen by the view, though nobody waits.
func TestView_Polls(t *testing.T) {
	// promise 2, the poll part; promise 13
	inner, cancel := context.WithCancelCause(context.Background())
	view := breaker.ToContext(breaker.BreakByContext(inner, nil))
	require.NoError(t, view.Err())
	cancel(assert.AnError)
	require.Equal(t, assert.AnError, context.Cause(view))
	require.Equal(t, context.Canceled, view.Err())
	require.True(t, isShut(view.Done()))
}

func TestView_Deadline(t *testing.T) {
	// promise 13, promise 14
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		br := breaker.BreakByTimeout(time.Minute)
		view := breaker.ToContext(br)
		at, ok := view.Deadline()
		require.True(t, ok)
		require.Equal(t, start.Add(time.Minute), at)

		longer, cancel := context.WithTimeout(view, time.Hour)
		defer cancel()
		at, _ = longer.Deadline()
		require.Equal(t, start.Add(time.Minute), at)
		shorter, cancel := context.WithTimeout(view, time.Second)
		defer cancel()
		at, _ = shorter.Deadline()
		require.Equal(t, start.Add(time.Second), at)

		<-shorter.Done()
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, context.DeadlineExceeded, context.Cause(shorter))
		require.NoError(t, view.Err())

		<-longer.Done()
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, context.DeadlineExceeded, longer.Err())
		require.Equal(t, context.DeadlineExceeded, context.Cause(longer))
		require.Equal(t, context.DeadlineExceeded, context.Cause(shorter))
	})
	_, ok := breaker.ToContext(breaker.New()).Deadline()
	require.False(t, ok)
}

func TestView_DoneAtTheSameInstant(t *testing.T) {
	// promise 13, D9: whoever sees one of the two tripped sees the other one, too.
	br := breaker.New()
	view := breaker.ToContext(br)
	derived, cancel := context.WithCancel(view)
	defer cancel()
	require.True(t, br.Done() == view.Done())
	br.OnTrip(func() {
		assert.True(t, isShut(view.Done()))
		assert.Equal(t, context.Canceled, view.Err())
		assert.Equal(t, assert.AnError, context.Cause(view))
	})
	br.Trip(assert.AnError)
	require.Equal(t, context.Canceled, derived.Err())
	require.Equal(t, assert.AnError, context.Cause(derived))
	require.True(t, isShut(derived.Done()))
}

func TestDerived_NoGoroutine(t *testing.T) {
	// promise 11, promise 13
	requireGoroutines(t, 0)
	requireContextGoroutines(t, 0)
	before := runtime.NumGoroutine()
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
		require.LessOrEqual(t, runtime.NumGoroutine(), before)
	}
	require.Zero(t, goroutinesOf(library))
	require.Zero(t, goroutinesOf("context"))
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
			spin(t, "what was derived is collected", func() bool {
				runtime.GC()
				return held.Value() == nil
			})
			requireOpen(t, br)
		})
	}
}

func TestView_Name(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	ctx, cancel := context.WithCancel(breaker.ToContext(br))
	defer cancel()
	if pure { // package context wraps what it only reaches by AfterFunc
		require.Equal(t, "context.stopCtx.WithCancel", fmt.Sprint(ctx))
		return
	}
	require.Equal(t, "breaker.ToContext.WithCancel", fmt.Sprint(ctx))
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
				first, second := trip, work
				if i%2 == 0 {
					first, second = work, trip
				}
				var group sync.WaitGroup
				start := make(chan struct{})
				group.Go(func() { <-start; first() })
				group.Go(func() { <-start; second() })
				close(start)
				group.Wait()
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
