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

// Within ends with whatever comes first, with that one's cause, and owns nothing.
func TestWithin_EndsWithTheFirst(t *testing.T) {
	errLimit := errors.New("the limit")
	for name, test := range map[string]struct {
		end   func(cancel context.CancelCauseFunc, watched []*breaker.Breaker, br *breaker.Breaker)
		cause error
		err   error
	}{
		"its context": {func(cancel context.CancelCauseFunc, _ []*breaker.Breaker, _ *breaker.Breaker) { cancel(errA) }, errA, context.Canceled},
		"the timeout": {func(context.CancelCauseFunc, []*breaker.Breaker, *breaker.Breaker) { time.Sleep(time.Minute) }, errLimit, context.DeadlineExceeded},
		"the first":   {func(_ context.CancelCauseFunc, w []*breaker.Breaker, _ *breaker.Breaker) { w[0].Trip(errB) }, errB, context.Canceled},
		"the last":    {func(_ context.CancelCauseFunc, w []*breaker.Breaker, _ *breaker.Breaker) { w[len(w)-1].Trip(errB) }, errB, context.Canceled},
		"a Close":     {func(_ context.CancelCauseFunc, _ []*breaker.Breaker, br *breaker.Breaker) { br.Close() }, breaker.ErrClosed, context.Canceled},
		"a Trip":      {func(_ context.CancelCauseFunc, _ []*breaker.Breaker, br *breaker.Breaker) { br.Trip(errA) }, errA, context.Canceled},
	} {
		for n := 1; n < 5; n++ {
			for _, view := range []bool{false, true} {
				t.Run(fmt.Sprint(name, ", watching ", n, ", view: ", view), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancelCause(context.Background())
						defer cancel(nil)
						base := breaker.New()
						if view {
							ctx, cancel = breaker.ToContext(base), func(cause error) { base.Trip(cause) }
						}
						watched := make([]*breaker.Breaker, n)
						given := make([]breaker.Interface, n)
						for i := range watched {
							watched[i] = breaker.New()
							given[i] = watched[i]
						}
						br := breaker.WithinCause(ctx, time.Minute, errLimit, given...)
						clear(given) // the slice isn't kept
						assertOpen(t, br)
						at, ok := br.Deadline()
						require.True(t, ok)
						require.True(t, at.Equal(time.Now().Add(time.Minute)))
						calls := 0
						br.OnTrip(func() { calls++ })
						test.end(cancel, watched, br)
						synctest.Wait()
						assertClosed(t, br, test.cause)
						require.Equal(t, test.err, breaker.ToContext(br).Err())
						require.Equal(t, 1, calls)
						br.Close()
						for _, w := range watched {
							require.Zero(t, registrations(w))
							if w.Cause() != test.cause {
								assertOpen(t, w)
							}
						}
						require.Zero(t, registrations(base))
					})
				})
			}
		}
	}
}

// What has ended before gives a tripped breaker, which is registered nowhere.
func TestWithin_TrippedOnReturn(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errA)
	tripped, open := breaker.New(), breaker.New()
	tripped.Trip(errB)
	for name, br := range map[string]*breaker.Breaker{
		"errA 1":   breaker.Within(ctx, time.Hour, open),
		"errA 2":   breaker.Within(ctx, 0, open, tripped),
		"errB 1":   breaker.Within(context.Background(), time.Hour, open, tripped),
		"errB 2":   breaker.Within(breaker.ToContext(tripped), time.Hour, open),
		"timeout":  breaker.Within(context.Background(), 0, open),
		"negative": breaker.Within(context.Background(), -1, open),
	} {
		assert.Equal(t, breaker.Closed, br.State(), name)
		switch name[:4] {
		case "errA":
			assert.Equal(t, errA, br.Cause(), name)
		case "errB":
			assert.Equal(t, errB, br.Cause(), name)
		default:
			assert.ErrorIs(t, br.Cause(), context.DeadlineExceeded, name)
		}
	}
	assert.Zero(t, registrations(open))
}

// promise 13: the values are those of the request's context, and of nothing that it watches.
func TestWithin_Values(t *testing.T) {
	process := breaker.BreakByContext(context.WithValue(context.Background(), keyA{}, "process"), nil)
	ctx := context.WithValue(context.Background(), keyB{}, "request")
	for _, ctx := range []context.Context{ctx, breaker.ToContext(breaker.BreakByContext(ctx, nil))} {
		br := breaker.Within(ctx, time.Hour, process)
		outer := breaker.Multiplex(br)
		for _, br := range []*breaker.Breaker{br, outer} {
			assert.Nil(t, breaker.ToContext(br).Value(keyA{}))
			assert.Equal(t, "request", breaker.ToContext(br).Value(keyB{}))
		}
		outer.Close()
		assert.Equal(t, "request", breaker.ToContext(br).Value(keyB{}))
	}
}

// promise 14: the deadline is the earliest, whatever it comes from.
func TestWithin_Deadline(t *testing.T) {
	now := time.Now()
	ctx, cancel := context.WithDeadline(context.Background(), now.Add(time.Minute))
	defer cancel()
	for want, br := range map[time.Duration]*breaker.Breaker{
		time.Minute: breaker.Within(ctx, time.Hour, breaker.New()),
		2 * time.Minute: breaker.Within(context.Background(), time.Hour, breaker.New(),
			breaker.BreakByDeadline(now.Add(2*time.Minute)), breaker.New()),
		3 * time.Minute: breaker.Within(breaker.ToContext(breaker.BreakByDeadline(now.Add(3*time.Minute))), time.Hour),
	} {
		at, ok := br.Deadline()
		assert.True(t, ok)
		assert.True(t, at.Equal(now.Add(want)), "%v", want)
		br.Close()
	}
}

// promise 15: bad input panics, naming the function and the argument, before anything is
// registered.
func TestWithin_BadInput(t *testing.T) {
	process := breaker.New()
	var none context.Context
	assert.Equal(t, "breaker: Within: ctx is nil", catch(func() { breaker.Within(none, 1, process) }))
	assert.Equal(t, "breaker: WithinCause: breaker 1 is nil", catch(func() { breaker.WithinCause(context.Background(), 1, nil, process, nil) }))
	assert.Equal(t, "breaker: Any: breaker 1 is nil", catch(func() { breaker.Any(process, (*breaker.Breaker)(nil)) }))
	assert.Zero(t, registrations(process))
}

// Any watches, and closes nothing.
func TestAny_OwnsNothing(t *testing.T) {
	one, two := breaker.New(), breaker.BreakByTimeout(time.Hour)
	br := breaker.Any(one, byPointer{Breaker: two})
	br.Close()
	assertOpen(t, one)
	assertOpen(t, two)
	assert.Zero(t, registrations(one))
	br = breaker.Any(one, two)
	one.Trip(errA)
	assertClosed(t, br, errA)
	assertOpen(t, two)
	two.Close()
	assert.Error(t, breaker.Any().Err())
}

// promise 16: a tripped breaker from outside, first asked for Done inside of a bubble, and then
// used outside.
func TestBubble_FirstDoneOfATrippedBreaker(t *testing.T) {
	br := breaker.New()
	br.Close()
	synctest.Test(t, func(t *testing.T) { <-br.Done() })
	<-br.Done()
	ctx, cancel := context.WithCancel(breaker.ToContext(br))
	defer cancel()
	<-ctx.Done()
}

// promise 10: a stop function that is retained retains no more than its own registration.
func TestStop_RetainsNoBlock(t *testing.T) {
	br := breaker.New()
	for range 10_000 {
		br.OnTrip(func() {})
	}
	n := 1_000
	stops := make([]func() bool, n)
	grown := heapGrown(func() {
		for i := range stops {
			var more [100]func() bool
			for j := range more {
				more[j] = br.OnTrip(func() {})
			}
			stops[i] = more[0]
			for _, stop := range more {
				stop()
			}
		}
	})
	assert.Less(t, grown, int64(n)*256)
	br.Close()
	assert.False(t, stops[0]())
}

// promise 8: what panics while it is being made leaves nothing behind.
func TestWithin_PanicsWhileBeingMade(t *testing.T) {
	parent, tripped := breaker.New(), breaker.New()
	tripped.Trip(errA)
	ctx := panickyErr{context.Background(), new(int)}
	assert.Equal(t, errB, catch(func() { breaker.Within(ctx, time.Hour, parent, tripped) }))
	assert.Zero(t, registrations(parent))
}

// promise 8: the same if it has registered with some of what it watches.
func TestWithin_PanicsWhileItRegisters(t *testing.T) {
	parent, tries := breaker.New(), 0
	panicky := breaker.BreakByContext(panickyContext{context.Background(), &tries}, nil)
	assert.Equal(t, errB, catch(func() { breaker.Within(context.Background(), time.Hour, parent, panicky) }))
	assert.Zero(t, registrations(parent))
	panicky.Close()
}
