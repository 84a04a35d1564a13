package breaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
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

// A timeout can say which one it was; a context goes on to say that it was a deadline.
func TestTimer_CauseOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, br := range []*breaker.Breaker{
			breaker.BreakByTimeoutCause(time.Second, errA),
			breaker.BreakByDeadlineCause(time.Now().Add(time.Second), errA),
			breaker.WithinCause(context.Background(), time.Second, errA),
			breaker.BreakByTimeoutCause(0, errA),
			breaker.BreakByDeadlineCause(time.Now().Add(-time.Second), errA),
			breaker.WithinCause(context.Background(), -1, errA),
		} {
			derived, cancel := context.WithCancel(breaker.ToContext(br))
			further, cancelFurther := context.WithCancel(context.WithValue(breaker.ToContext(br), keyA{}, "a"))
			require.Equal(t, errA, br.Wait())
			synctest.Wait()
			for _, ctx := range []context.Context{breaker.ToContext(br), derived, further} {
				require.Equal(t, context.DeadlineExceeded, ctx.Err())
				require.Equal(t, errA, context.Cause(ctx))
			}
			cancel()
			cancelFurther()
		}
		for _, br := range []*breaker.Breaker{
			breaker.BreakByTimeoutCause(time.Second, nil),
			breaker.BreakByDeadlineCause(time.Now().Add(time.Second), nil),
			breaker.WithinCause(context.Background(), time.Second, nil),
		} {
			require.ErrorIs(t, br.Wait(), context.DeadlineExceeded)
			require.ErrorIs(t, br.Cause(), breaker.Interrupted)
		}
	})
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

// promise 23: the same value at each call.
func TestDeadline_IsConstant(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for _, br := range []*breaker.Breaker{
		breaker.BreakByTimeout(time.Hour),
		breaker.BreakByTimeout(1<<63 - 1),
		breaker.BreakByDeadline(time.Now().Add(time.Hour)),
		breaker.BreakByContext(ctx, nil),
		breaker.Within(context.Background(), time.Hour),
		breaker.Multiplex(breaker.BreakByTimeout(time.Hour)),
	} {
		first, _ := br.Deadline()
		for range 1_000 {
			if at, ok := br.Deadline(); at != first || !ok {
				t.Fatalf("%v, then %v", first, at)
			}
		}
		br.Close()
		at, _ := br.Deadline()
		assert.True(t, at == first)
	}
}

// promise 25: time is linear in the number of breakers, diamonds and chains of views included.
func TestGraphs_AreLinear(t *testing.T) {
	t.Run("diamonds", func(t *testing.T) {
		ctx := context.WithValue(context.Background(), keyA{}, "a")
		at := time.Now().Add(time.Hour)
		var br breaker.Interface = breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.BreakByDeadline(at))
		first := br
		for range 1_000 {
			br = breaker.Multiplex(breaker.NopCloser(br), breaker.NopCloser(br))
		}
		got, _ := br.Deadline()
		assert.True(t, got == at)
		assert.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
		assert.Nil(t, breaker.ToContext(br).Value(keyB{}))
		br.(*breaker.Breaker).Close()
		first.Close()
		assert.Error(t, br.Err())

		br = breaker.Multiplex(breaker.BreakByContext(ctx, nil))
		for range 1_000 {
			br = breaker.Multiplex(br, br)
		}
		br.Close()
		assert.Error(t, br.Err())
	})
	t.Run("views", func(t *testing.T) {
		ctx := context.WithValue(context.Background(), keyA{}, "a")
		first := breaker.Within(ctx, time.Hour)
		at, _ := first.Deadline()
		br := first
		for i := range scaled(1_000_000) {
			switch i % 2 {
			case 0:
				br = breaker.BreakByContext(breaker.ToContext(br), nil)
			default:
				br = breaker.Within(breaker.ToContext(br), 2*time.Hour)
			}
		}
		got, _ := br.Deadline()
		assert.True(t, got == at)
		assert.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
		first.Trip(errA)
		assert.Equal(t, errA, br.Cause())
	})
}

// promise 25: in a chain of views each asks the one before, and not all that come before.
func TestGraphs_ChainOfViews(t *testing.T) {
	first := breaker.New()
	br := first
	// If that one asked in turn, the stack would grow with their number.
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	for range scaled(100_000) {
		br = breaker.BreakByContext(breaker.ToContext(br), nil)
	}
	assert.NoError(t, br.Cause())
	first.Trip(errA)
	assert.Equal(t, errA, br.Cause())
}

// promise 27: printing reads nothing that others write, and prints String.
func TestPrinting_SaysWhatStringSays(t *testing.T) {
	br := breaker.BreakByTimeout(time.Hour)
	idle := breaker.BreakByIdle(time.Hour)
	var group sync.WaitGroup
	begin := make(chan struct{})
	for _, it := range []fmt.Stringer{br, breaker.NopCloser(br).(fmt.Stringer), breaker.ToContext(br).(fmt.Stringer), idle, breaker.Open} {
		group.Go(func() {
			<-begin
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
				_ = fmt.Sprintf(verb, it)
			}
			slog.New(slog.NewJSONHandler(io.Discard, nil)).Info("", "br", it)
			slog.New(slog.NewTextHandler(io.Discard, nil)).Info("", "br", it)
			_, err := json.Marshal(it)
			assert.NoError(t, err)
		})
	}
	close(begin)
	br.Done()
	br.OnTrip(func() {})
	br.Close()
	idle.Trip(errA)
	group.Wait()
	for _, it := range []fmt.Stringer{br, breaker.NopCloser(br).(fmt.Stringer), breaker.ToContext(br).(fmt.Stringer), idle, breaker.Open} {
		text, err := json.Marshal(map[string]any{"br": it})
		require.NoError(t, err)
		quoted, err := json.Marshal(it.String())
		require.NoError(t, err)
		assert.Equal(t, `{"br":`+string(quoted)+`}`, string(text))
		assert.Equal(t, it.String(), fmt.Sprint(it))
		assert.Equal(t, it.String(), fmt.Sprintf("%+v", it))
		assert.NotEmpty(t, fmt.Sprintf("%#v", it))
	}
}

// promise 27: whatever the verb, and with the flags and the width that it is given.
func TestPrinting_OfEveryVerb(t *testing.T) {
	br := breaker.New()
	for _, it := range []any{br, breaker.NopCloser(br), breaker.ToContext(br)} {
		text := it.(fmt.Stringer).String()
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "% X", "%q", "%80v|", "%-80s|", "%.3v"} {
			assert.Equal(t, fmt.Sprintf(format, text), fmt.Sprintf(format, it), format)
		}
	}
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

// promise 8: a callback that blocks, or ends its goroutine, while a poll has tripped a channel's
// breaker, hangs nobody.
func TestPoll_DoesntHoldOthers(t *testing.T) {
	signal := make(chan struct{})
	br := breaker.BreakByChannel(signal)
	release, begun := make(chan struct{}), make(chan struct{})
	outer := breaker.BreakByContext(breaker.ToContext(br), func() {
		close(begun)
		<-release
	})
	close(signal)
	go outer.Err()
	<-begun
	assert.Error(t, br.Err())
	<-br.Done()
	close(release)
	outer.AwaitClosed()
}

// panickyContext is a foreign context whose AfterFunc panics, the first time.
type panickyContext struct {
	context.Context
	tries *int
}

func (panickyContext) Done() <-chan struct{} { return make(chan struct{}) }
func (c panickyContext) AfterFunc(func()) func() bool {
	if *c.tries++; *c.tries == 1 {
		panic(errB)
	}
	return func() bool { return true }
}

// promise 8: a foreign context whose AfterFunc panics leaves the breaker as it was.
func TestContext_AfterFuncPanics(t *testing.T) {
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

// promise 5: a context that times out while the trip's callbacks run: Err matches what it says.
func TestErr_OfAContextThatEndsDuringTheTrip(t *testing.T) {
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

// unheard is a context that ends without telling anyone.
type unheard struct {
	context.Context
	ended *bool
}

func (unheard) Done() <-chan struct{}        { return make(chan struct{}) }
func (unheard) AfterFunc(func()) func() bool { return func() bool { return true } }
func (c unheard) Err() error {
	if *c.ended {
		return context.DeadlineExceeded
	}
	return nil
}

// promise 19: what is closed with its owner has the cause of its context, if that had ended.
func TestEnded_CountsWhenTheOwnerTrips(t *testing.T) {
	ended := false
	owned, sibling := breaker.BreakByContext(unheard{context.Background(), &ended}, nil), breaker.New()
	owner := breaker.Multiplex(owned, sibling)
	ended = true
	sibling.Trip(errA)
	assertClosed(t, owner, errA)
	assertClosed(t, owned, context.DeadlineExceeded)
}

// promise 19: what is only watched isn't asked by a Close, because that doesn't close it.
func TestEnded_WatchedIsNotAsked(t *testing.T) {
	ended := false
	watched := breaker.BreakByContext(unheard{context.Background(), &ended}, nil)
	for _, br := range []*breaker.Breaker{breaker.Any(watched), breaker.Multiplex(breaker.NopCloser(watched))} {
		ended = true
		br.Close()
		ended = false
		assertClosed(t, br, breaker.ErrClosed)
		assertOpen(t, watched)
	}
	watched.Close()
}

// hostileContext is a foreign context that tells nobody of its end, and panics where it is told to.
type hostileContext struct {
	context.Context
	inErr, inStop *bool
}

func (hostileContext) Done() <-chan struct{} { return make(chan struct{}) }
func (c hostileContext) Err() error {
	if *c.inErr {
		panic(errB)
	}
	return nil
}
func (c hostileContext) AfterFunc(func()) func() bool {
	return func() bool {
		if *c.inStop {
			panic(errB)
		}
		return true
	}
}

// promise 21: a foreign context that panics when it is asked keeps the owner's trip from nothing.
func TestOrder_ForeignContextPanicsInErr(t *testing.T) {
	for watched := range 2 {
		inErr, inStop := false, false
		owned := breaker.BreakByContext(hostileContext{context.Background(), &inErr, &inStop}, nil)
		sibling, calls := breaker.New(), 0
		owner := breaker.Multiplex(owned, sibling, breaker.BreakByTimeout(time.Hour))
		if watched == 1 {
			owned.OnTrip(func() { calls++ })
		}
		last := breaker.Any(owner)
		inErr = true
		assert.True(t, sibling.Trip(errA))
		inErr = false
		assertClosed(t, owner, errA)
		assertClosed(t, last, errA)
		assertClosed(t, owned, breaker.ErrClosed)
		assert.Equal(t, watched, calls)
	}
}

// promise 8: one that panics when it is unregistered from ends nothing, and the panic goes on up.
func TestOrder_ForeignContextPanicsInStop(t *testing.T) {
	for name, construct := range map[string]func(context.Context) *breaker.Breaker{
		"BreakByContext": func(ctx context.Context) *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
		"Within":         func(ctx context.Context) *breaker.Breaker { return breaker.Within(ctx, time.Hour) },
		"an owner":       func(ctx context.Context) *breaker.Breaker { return breaker.Multiplex(breaker.BreakByContext(ctx, nil)) },
	} {
		inErr, inStop := false, true
		br := construct(hostileContext{context.Background(), &inErr, &inStop})
		calls := 0
		br.OnTrip(func() { calls++ })
		last := breaker.Any(br)
		last.OnTrip(func() { calls++ })
		assert.Equal(t, errB, catch(func() { br.Trip(errA) }), name)
		assertClosed(t, br, errA)
		assertClosed(t, last, errA)
		assert.Equal(t, 2, calls, name)
	}
}

// deadlineLike is a deadline's error by its own word.
type deadlineLike struct{}

func (deadlineLike) Error() string        { return "it took too long" }
func (deadlineLike) Is(target error) bool { return target == context.DeadlineExceeded }

func TestTrip_WithADeadlinesCause(t *testing.T) {
	for _, cause := range []error{
		context.DeadlineExceeded, deadlineLike{},
		fmt.Errorf("the limit: %w", context.DeadlineExceeded), errors.Join(errA, nil, deadlineLike{}),
	} {
		br := breaker.New()
		br.Trip(cause)
		assert.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err(), "%v", cause)
	}
}

func TestErr_OfAViewReads(t *testing.T) {
	parent := breaker.New()
	br := breaker.BreakByContext(breaker.ToContext(parent), nil)
	br.Close()
	assert.Equal(t, "operation interrupted: context canceled", br.Err().Error())
	parent.Close()
	assert.ErrorIs(t, br.Err(), context.Canceled)
}

// A NopCloser has all of Interface.
func TestNopCloser_HasAllOfInterface(t *testing.T) {
	br := breaker.BreakByTimeout(time.Hour)
	view := breaker.NopCloser(br)
	at, ok := view.Deadline()
	want, _ := br.Deadline()
	assert.True(t, ok && at == want)
	called := false
	view.OnTrip(func() { called = true })
	view.Close()
	assert.NoError(t, view.Cause())
	br.Trip(errA)
	assert.Equal(t, errA, view.Cause())
	assert.True(t, called)
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

// panickyErr is a foreign context whose Err panics, the first time.
type panickyErr struct {
	context.Context
	tries *int
}

func (panickyErr) Done() <-chan struct{} { return make(chan struct{}) }
func (c panickyErr) Err() error {
	if *c.tries++; *c.tries == 1 {
		panic(errB)
	}
	return nil
}

// A zero value that had a callback closes as one that never had.
func TestZeroValue_AfterItsLastCallback(t *testing.T) {
	var br breaker.Breaker
	assert.True(t, br.OnTrip(func() {})())
	br.Close()
	assertClosed(t, &br, breaker.ErrClosed)
}

// promise 10: cancel is called, also if its context never ends by itself, and if the breaker is
// closed with its owner.
func TestCancel_OfAContextThatNeverEnds(t *testing.T) {
	calls := 0
	br := breaker.BreakByContext(context.Background(), func() { calls++ })
	br.Close()
	assert.Equal(t, 1, calls)
	breaker.Multiplex(breaker.BreakByContext(context.Background(), func() { calls++ })).Close()
	assert.Equal(t, 2, calls)
}
