package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// The shapes that other code takes a breaker by.
type (
	retryBreaker     interface{ Done() <-chan struct{} }
	semaphoreBreaker interface {
		Done() <-chan struct{}
		Err() error
	}
	closingBreaker interface {
		semaphoreBreaker
		Close()
	}
)

// What a user embeds a breaker in.
type (
	byValue struct {
		name string // so that the breaker isn't at the beginning
		breaker.Breaker
	}
	byPointer struct {
		name string
		*breaker.Breaker
	}
	byInterface struct {
		name string
		breaker.Interface
	}
)

var (
	_ breaker.Interface = (*breaker.Breaker)(nil)
	_ breaker.Interface = (*byValue)(nil)
	_ breaker.Interface = byPointer{}
	_ breaker.Interface = byInterface{}

	_ retryBreaker     = breaker.Interface(nil)
	_ semaphoreBreaker = breaker.Interface(nil)
	_ closingBreaker   = breaker.Interface(nil)
	_ closingBreaker   = (*breaker.Breaker)(nil)
)

func TestNew_IsOpen(t *testing.T) {
	br := breaker.New()
	assertOpen(t, br)
	assert.False(t, br.IsReleased())
	_, has := br.Deadline()
	assert.False(t, has)
	br.Close()
	assertClosed(t, br, breaker.ErrClosed)
}

func TestZeroValue_IsReadyForUseAndEmbedding(t *testing.T) {
	var alone breaker.Breaker
	assertOpen(t, &alone)
	assert.True(t, alone.Trip(errA))
	assertClosed(t, &alone, errA)

	server := &byValue{name: "server"}
	assertOpen(t, &server.Breaker)
	ran := false
	server.OnTrip(func() { ran = true })
	server.Close()
	assert.True(t, ran)
	assertClosed(t, &server.Breaker, breaker.ErrClosed)
}

// promise 1: Trip returns true for the one call that tripped the breaker.
// promise 4: the cause is the winner's and never changes.
func TestTrip_OnlyTheFirstWins(t *testing.T) {
	for _, asked := range []bool{false, true} {
		br := breaker.New()
		if asked {
			br.Done()
		}
		assert.True(t, br.Trip(errA))
		assertClosed(t, br, errA)
		assert.False(t, br.Trip(errB))
		assert.False(t, br.Trip(errA))
		assert.False(t, br.Trip(nil))
		br.Close()
		assertClosed(t, br, errA)
	}
}

func TestTrip_AfterCloseLoses(t *testing.T) {
	br := breaker.New()
	br.Close()
	assert.False(t, br.Trip(errA))
	assertClosed(t, br, breaker.ErrClosed)
}

// promise 4: Trip(nil) has the cause Interrupted.
func TestTrip_WithoutCause(t *testing.T) {
	br := breaker.New()
	assert.True(t, br.Trip(nil))
	assertClosed(t, br, breaker.Interrupted)
}

// listError can't be compared, so comparing it panics.
type listError []string

func (e listError) Error() string { return e[0] }

func TestTrip_WithCauseThatCanNotBeCompared(t *testing.T) {
	br := breaker.New()
	child := breaker.Multiplex(breaker.NopCloser(br))
	assert.True(t, br.Trip(listError{"first", "second"}))
	for _, br := range []*breaker.Breaker{br, child} {
		assert.Equal(t, listError{"first", "second"}, br.Cause())
		assert.Equal(t, breaker.Interrupted, br.Err())
		assert.Equal(t, context.Canceled, breaker.ToContext(br).Err())
	}
}

func TestClose_IsIdempotent(t *testing.T) {
	br := breaker.New()
	for range 3 {
		br.Close()
		assertClosed(t, br, breaker.ErrClosed)
	}
}

func TestCause_IsNilWhileOpen(t *testing.T) {
	br := breaker.New()
	assert.NoError(t, br.Cause())
	br.OnTrip(func() { assert.Equal(t, errA, br.Cause()) })
	assert.NoError(t, br.Cause())
	br.Trip(errA)
}

// promise 15: bad input panics on the calling goroutine, naming the function and the argument, and
// nothing has been registered, closed or cancelled by then.
func TestBadInput_PanicsBeforeAnythingIsRegistered(t *testing.T) {
	var (
		parent    = breaker.New()
		trapped   = &closeCounter{Breaker: breaker.New()}
		signal    = make(chan struct{})
		ctx       = &countingContext{Context: context.Background(), done: make(chan struct{})}
		cancelled atomic.Int32
		cancel    = func() { cancelled.Add(1) }

		byChannel = breaker.BreakByChannel(signal)
		byContext = breaker.BreakByContext(ctx, cancel)
		byTimeout = breaker.BreakByTimeout(time.Hour)
		tripped   = breaker.New()

		noContext context.Context
	)
	defer byTimeout.Close()
	tripped.Close()
	// By itself, bad or not, none of them is watched by anyone.
	good := []breaker.Interface{parent, breaker.NopCloser(parent), trapped, byChannel, byContext, byTimeout, tripped}
	with := func(bad breaker.Interface) func() {
		return func() { breaker.Multiplex(append(good[:len(good):len(good)], bad)...) }
	}

	for _, test := range []struct {
		name string
		call func()
		says []string
	}{
		{"BreakByContext(nil)", func() { breaker.BreakByContext(noContext, nil) }, []string{"BreakByContext", "ctx is nil"}},
		{"BreakByContext(nil, cancel)", func() { breaker.BreakByContext(noContext, cancel) }, []string{"BreakByContext", "ctx is nil"}},
		{"WithContext(nil)", func() { breaker.WithContext(noContext) }, []string{"Context", "ctx is nil"}},
		{"BreakBySignal(nil)", func() { breaker.BreakBySignal(nil) }, []string{"BreakBySignal", "signal 0 is nil"}},
		{"BreakBySignal(…, nil)", func() { breaker.BreakBySignal(os.Interrupt, nil) }, []string{"BreakBySignal", "signal 1 is nil"}},

		{"Multiplex(nil)", func() { breaker.Multiplex(nil) }, []string{"Multiplex", "breaker 0 is nil"}},
		{"Multiplex(…, nil)", with(nil), []string{"Multiplex", "breaker 7 is nil"}},
		{"Multiplex(…, nil pointer)", with((*breaker.Breaker)(nil)), []string{"Multiplex", "breaker 7 is nil"}},
		{"Multiplex(…, nil struct)", with((*byValue)(nil)), []string{"Multiplex", "breaker 7 is nil"}},
		{"Multiplex(…, nil inside)", with(byPointer{}), []string{"Multiplex", "breaker 7 is nil"}},
		{"Multiplex(…, nothing inside)", with(byInterface{}), []string{"Multiplex", "breaker 7 is nil"}},
		{"Multiplex(…, nil pointer inside)", with(byInterface{Interface: (*byValue)(nil)}), []string{"Multiplex", "breaker 7 is nil"}},
		{"MultiplexTwo", func() { breaker.MultiplexTwo(parent, nil) }, []string{"Multiplex", "breaker 1 is nil"}},
		{"MultiplexThree", func() { breaker.MultiplexThree(parent, byChannel, nil) }, []string{"Multiplex", "breaker 2 is nil"}},

		{"NopCloser(nil)", func() { breaker.NopCloser(nil) }, []string{"NopCloser", "breaker is nil"}},
		{"NopCloser(nil pointer)", func() { breaker.NopCloser((*breaker.Breaker)(nil)) }, []string{"NopCloser", "breaker is nil"}},
		{"NopCloser(nil struct)", func() { breaker.NopCloser((*byValue)(nil)) }, []string{"NopCloser", "breaker is nil"}},
		{"NopCloser(nothing inside)", func() { breaker.NopCloser(byInterface{}) }, []string{"NopCloser", "breaker is nil"}},

		{"ToContext(nil)", func() { breaker.ToContext(nil) }, []string{"ToContext", "breaker is nil"}},
		{"ToContext(nil pointer)", func() { breaker.ToContext((*breaker.Breaker)(nil)) }, []string{"ToContext", "breaker is nil"}},
		{"ToContext(nothing inside)", func() { breaker.ToContext(byInterface{}) }, []string{"ToContext", "breaker is nil"}},
		{"ToContext(nil inside)", func() { breaker.ToContext(byPointer{}) }, []string{"ToContext", "breaker is nil"}},

		{"OnTrip(nil)", func() { parent.OnTrip(nil) }, []string{"OnTrip", "callback is nil"}},
		{"OnTrip(nil) of a channel's", func() { byChannel.OnTrip(nil) }, []string{"OnTrip", "callback is nil"}},
		{"OnTrip(nil) of a context's", func() { byContext.OnTrip(nil) }, []string{"OnTrip", "callback is nil"}},
		{"OnTrip(nil) of a tripped one", func() { tripped.OnTrip(nil) }, []string{"OnTrip", "callback is nil"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			awaitQuiet(t)
			text := panicText(t, test.call)
			assert.Contains(t, text, "breaker: ")
			for _, says := range test.says {
				assert.Contains(t, text, says)
			}
			for _, br := range good[:len(good)-1] {
				assert.NoError(t, br.Err())
				assert.Zero(t, registrations(br))
			}
			assert.Zero(t, trapped.closed)
			assert.Zero(t, ctx.asked.Load(), "the context was registered with")
			assert.Zero(t, cancelled.Load())
			assert.Zero(t, ownGoroutines())
		})
	}
}

// panicText runs f and returns what it panics with.
func panicText(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		t.Helper()
		var ok bool
		text, ok = recover().(string)
		require.True(t, ok, "no panic with a text")
	}()
	f()
	return ""
}

// closeCounter is a user's type whose Close does more.
type closeCounter struct {
	*breaker.Breaker
	closed int
}

func (c *closeCounter) Close() {
	c.closed++
	c.Breaker.Close()
}

// countingContext is a context of the user's. Package context registers with it by AfterFunc.
type countingContext struct {
	context.Context
	done  chan struct{}
	asked atomic.Int32
}

func (c *countingContext) Done() <-chan struct{} { return c.done }

func (c *countingContext) AfterFunc(func()) func() bool {
	c.asked.Add(1)
	return func() bool { return true }
}

// promise 13 in short: what Trip is given decides what a context view says.
func TestTrip_WithDeadlineAsCause(t *testing.T) {
	for _, cause := range []error{
		context.DeadlineExceeded, deadlineLike{},
		fmt.Errorf("the limit: %w", context.DeadlineExceeded),
		errors.Join(errors.New("wrapped"), context.DeadlineExceeded), errors.Join(errA, nil, deadlineLike{}),
	} {
		br := breaker.New()
		child := breaker.Multiplex(br)
		br.Trip(cause)
		assert.True(t, br.Cause() == cause)
		assert.Equal(t, context.DeadlineExceeded, breaker.ToContext(br).Err())
		assert.True(t, child.Cause() == cause)
		assert.Equal(t, context.DeadlineExceeded, breaker.ToContext(child).Err())
	}
}

func TestWait_ReturnsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br, waited := breaker.New(), make(chan error, 3)
		for range cap(waited) {
			go func() { waited <- br.Wait() }()
		}
		synctest.Wait()
		assert.Empty(t, waited, "it hasn't tripped")
		br.Trip(errA)
		for range cap(waited) {
			assert.Same(t, errA, <-waited)
		}
		assert.Same(t, errA, br.Wait())
	})
	br := breaker.New()
	br.Close()
	assert.Equal(t, breaker.ErrClosed, br.Wait())
}

// deadlineLike is a deadline's error by its own word.
type deadlineLike struct{}

func (deadlineLike) Error() string        { return "it took too long" }
func (deadlineLike) Is(target error) bool { return target == context.DeadlineExceeded }

// A zero value that had a callback closes as one that never had.
func TestZeroValue_AfterItsLastCallback(t *testing.T) {
	var br breaker.Breaker
	assert.True(t, br.OnTrip(func() {})())
	br.Close()
	assertClosed(t, &br, breaker.ErrClosed)
}
