package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// What a context made of a breaker says.

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

// promise 22: as package context says it, for what package context does, too.
func TestView_SaysItAsPackageContext(t *testing.T) {
	closed, expired := breaker.New(), breaker.BreakByTimeout(0)
	closed.Close()
	tripped := breaker.New()
	tripped.Trip(errA)
	for br, want := range map[*breaker.Breaker]error{
		closed:                     context.Canceled,
		expired:                    context.DeadlineExceeded,
		breaker.Multiplex(expired): context.DeadlineExceeded,
		tripped:                    errA,
		breaker.BreakBySignal():    breaker.BreakBySignal().Cause(),
	} {
		assert.True(t, context.Cause(breaker.ToContext(br)) == want)
		derived, cancel := context.WithTimeout(breaker.ToContext(br), time.Hour)
		assert.True(t, context.Cause(derived) == want)
		cancel()
	}
}
