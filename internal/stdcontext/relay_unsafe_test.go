//go:build !breaker_pure

package stdcontext_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/stdcontext"
	"github.com/kamilsk/breaker/internal/testkit"
)

func TestRelay_IsFoundOnThisRelease(t *testing.T) {
	// promise 26
	require.True(t, stdcontext.HasRelay)
}

// view is a foreign context with a relay, as package breaker makes it. It has no AfterFunc: all of
// what is derived goes through the relay.
type view struct {
	context.Context
	done  chan struct{}
	relay *stdcontext.Relay
	err   atomic.Pointer[error]
}

func newView() *view {
	done := make(chan struct{})
	return &view{Context: context.Background(), done: done, relay: stdcontext.NewRelay(done)}
}

func (v *view) Done() <-chan struct{} { return v.done }

func (v *view) Err() error {
	if err := v.err.Load(); err != nil {
		<-v.done
		return *err
	}
	return nil
}

func (v *view) Value(key any) any {
	if stdcontext.IsKey(key) {
		return v.relay.Context().Value(key)
	}
	return nil
}

// shut is the first half of the end, in which all that looks at the view itself sees it.
func (v *view) shut(cause error, expired bool) {
	err := context.Canceled
	if expired {
		err = context.DeadlineExceeded
	}
	v.err.Store(&err)
	v.relay.Close(v.done, cause, expired)
}

// derivations are ways to derive from a view.
var derivations = map[string]func(context.Context) (context.Context, context.CancelFunc){
	"WithCancel": context.WithCancel,
	"WithTimeout of WithValue": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithValue(ctx, key{}, "a"), time.Hour)
	},
	"WithCancel of WithCancel of WithValue": func(ctx context.Context) (context.Context, context.CancelFunc) {
		outer, cancel := context.WithCancel(context.WithValue(ctx, key{}, "a"))
		inner, cancelInner := context.WithCancel(outer)
		return inner, func() { cancel(); cancelInner() }
	},
}

func TestRelay_EndsWhatIsDerived(t *testing.T) {
	// promise 11, promise 13, promise 18
	for name, derive := range derivations {
		for err, cause := range map[error]error{context.Canceled: errStop, context.DeadlineExceeded: context.DeadlineExceeded} {
			t.Run(name+", "+err.Error(), func(t *testing.T) {
				testkit.AwaitGoroutines(t, "context", 0) // those of tests before may just be ending
				v := newView()
				ctx, cancel := derive(v)
				defer cancel()
				called := make(chan struct{})
				context.AfterFunc(ctx, func() { close(called) })
				require.Zero(t, testkit.Goroutines("context"))
				require.NoError(t, ctx.Err())
				require.NoError(t, context.Cause(v))

				v.shut(cause, err == context.DeadlineExceeded)
				require.Equal(t, cause, context.Cause(v))
				require.NoError(t, ctx.Err(), "derived, so not before End")
				late, cancelLate := derive(v)
				defer cancelLate()
				require.Equal(t, err, late.Err())
				require.Equal(t, cause, context.Cause(late))

				v.relay.End()
				for _, ctx := range []context.Context{ctx, late} {
					<-ctx.Done()
					require.Equal(t, err, ctx.Err())
					require.Equal(t, cause, context.Cause(ctx))
				}
				<-called
				late, cancelLater := derive(v)
				defer cancelLater()
				require.Equal(t, err, late.Err())
				require.Equal(t, cause, context.Cause(late))
			})
		}
	}
}

func TestRelay_WhatIsCancelledIsForgotten(t *testing.T) {
	// promise 10, promise 13
	v := newView()
	for _, derive := range derivations {
		ctx, cancel := derive(v)
		stop := context.AfterFunc(ctx, func() { assert.Fail(t, "stopped, but called") })
		require.True(t, stop())
		cancel()
		require.Equal(t, context.Canceled, context.Cause(ctx))
		require.NoError(t, context.Cause(v))
	}
	collected := make(chan struct{})
	func() {
		held := new([64]byte)
		runtime.AddCleanup(held, func(c chan struct{}) { close(c) }, collected)
		_, cancel := context.WithCancel(context.WithValue(v, key{}, held))
		cancel()
	}()
	for giveUp := time.Now().Add(time.Minute); ; runtime.GC() {
		select {
		case <-collected:
		default:
			require.True(t, time.Now().Before(giveUp), "retained by the relay")
			continue
		}
		break
	}
	v.shut(errStop, false)
	v.relay.End()
	require.Equal(t, errStop, context.Cause(v))
}

// A relay that lost the race to become the one, or whose context never ends, is garbage.
func TestNewRelay_NeedsNoEnd(t *testing.T) {
	testkit.AwaitGoroutines(t, "context", 0)
	stdcontext.NewRelay(make(chan struct{}))
	require.Zero(t, testkit.Goroutines("context"))
}

// hasty is a context over a view that says that it has ended before the view has.
type hasty struct{ context.Context }

func (hasty) Err() error { return context.Canceled }

// Done and the cause change together: both do under the lock with which context.Cause looks. The
// race detector sees whether it is that lock.
func TestRelay_CloseHoldsTheLock(t *testing.T) {
	// promise 13
	for range 1000 {
		v := newView()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				for context.Cause(hasty{v}) != errStop {
					runtime.Gosched()
				}
				select {
				case <-v.done:
				default:
					assert.Fail(t, "there is a cause, and Done is open")
				}
			})
		}
		v.shut(errStop, false)
		all.Wait()
		v.relay.End()
	}
}

// Whoever sees Done closed has the cause, and nothing that is derived meanwhile is missed.
func TestRelay_CloseAgainstAllThatLooks(t *testing.T) {
	// promise 13
	for range 1000 {
		v := newView()
		begin := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			<-v.done
			assert.Equal(t, errStop, context.Cause(v), "Done is closed, and there is no cause")
		})
		derived := make(chan context.Context, len(derivations))
		for _, derive := range derivations {
			all.Go(func() {
				<-begin
				ctx, cancel := derive(context.WithValue(v, key{}, "b"))
				context.AfterFunc(ctx, cancel)
				derived <- ctx
			})
		}
		all.Go(func() {
			<-begin
			v.shut(errStop, false)
			v.relay.End()
		})
		close(begin)
		all.Wait()
		close(derived)
		for ctx := range derived {
			<-ctx.Done()
			require.Equal(t, context.Canceled, ctx.Err())
			require.Equal(t, errStop, context.Cause(ctx))
		}
	}
}
