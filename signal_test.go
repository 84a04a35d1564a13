package breaker_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// children are the programs that the test binary turns into when it is started with
// BREAKER_TEST_CHILD set to their name: processes of their own, that are sent real signals and may
// die of them.
var children = map[string]func() int{}

// childMain runs a child and returns its exit code. TestMain calls it.
func childMain(mode string) int {
	child, ok := children[mode]
	if !ok {
		fmt.Fprintf(os.Stderr, "there is no child %q\n", mode)
		return 2
	}
	return child()
}

func TestSignal_None(t *testing.T) {
	br := breaker.BreakBySignal()
	cause := testkit.RequireTripped(t, br)
	require.ErrorIs(t, cause, breaker.Interrupted)
	require.ErrorIs(t, cause, context.Canceled)
	require.NotErrorIs(t, cause, breaker.ErrClosed)
	require.Equal(t, breaker.Closed, br.State())
	br.Close()
	require.Equal(t, cause, br.Cause())
}

// unhashable is a signal that nothing can be found by.
type unhashable []int

func (unhashable) String() string { return "unhashable" }
func (unhashable) Signal()        {}

func TestSignal_IncomparablePanics(t *testing.T) {
	// promise 15: before anything has changed
	require.PanicsWithValue(t, "breaker: BreakBySignal: signal 1 is not comparable", func() {
		breaker.BreakBySignal(os.Interrupt, unhashable{})
	})
	requireGoroutines(t, 0)
}

// ofOnesOwn is a signal that is none of the system's.
type ofOnesOwn int

func (ofOnesOwn) String() string { return "of one's own" }
func (ofOnesOwn) Signal()        {}

// A signal that the system doesn't know is accepted, as os/signal accepts it, and never arrives.
func TestSignal_OfAnotherType(t *testing.T) {
	// promise 12
	requireGoroutines(t, 0)
	br := breaker.BreakBySignal(ofOnesOwn(1), os.Interrupt)
	testkit.RequireOpen(t, br)
	br.Close()
	require.Equal(t, breaker.ErrClosed, br.Cause())
	requireGoroutines(t, 0)
}

// A signal that can't be caught is accepted and never arrives.
func TestSignal_CannotBeCaught(t *testing.T) {
	// promise 12
	requireGoroutines(t, 0)
	br := breaker.BreakBySignal(os.Kill)
	both := breaker.Multiplex(breaker.NopCloser(br), breaker.BreakBySignal(os.Kill, os.Interrupt))
	testkit.RequireOpen(t, br)
	testkit.RequireOpen(t, both)
	both.Close()
	br.Close()
	require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, br))
	requireGoroutines(t, 0)
}

func TestSignal_SharesAGoroutine(t *testing.T) {
	// promise 10, promise 11: one for each distinct signal, however many breakers share it; none is
	// left.
	requireGoroutines(t, 0)
	const each = 5000
	var all []*breaker.Breaker
	for range each {
		all = append(all, breaker.BreakBySignal(os.Interrupt))
	}
	requireGoroutines(t, 1)
	for range each {
		br := breaker.BreakBySignal(os.Interrupt, os.Kill, os.Interrupt)
		br.Done()
		br.OnTrip(func() {})
		all = append(all, br)
	}
	requireGoroutines(t, 2)
	closeAll(all[each:])
	requireGoroutines(t, 1)
	for _, br := range all[:each] {
		require.NoError(t, br.Err())
	}
	closeAll(all[1:each])
	requireGoroutines(t, 1)
	testkit.RequireOpen(t, all[0])
	all[0].Close()
	requireGoroutines(t, 0)
	for _, br := range all {
		require.Equal(t, breaker.ErrClosed, br.Cause())
	}
}

func TestSignal_LeftByATrip(t *testing.T) {
	// promise 10: without a Close.
	requireGoroutines(t, 0)
	sibling := breaker.New()
	br := breaker.Multiplex(breaker.BreakBySignal(os.Interrupt, os.Kill), sibling, breaker.BreakByTimeout(time.Hour))
	requireGoroutines(t, 2)
	sibling.Trip(nil)
	require.Equal(t, breaker.Interrupted, testkit.RequireTripped(t, br))
	requireGoroutines(t, 0)
}
