package breaker_test

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
	"github.com/kamilsk/breaker/internal/testkit/mode"
)

// How the build is, which says what to expect.
const (
	pure        = mode.Pure
	raceEnabled = mode.Race
)

func TestMain(m *testing.M) {
	// Signals are tested on a process of their own: this binary again, told what to do.
	if task := os.Getenv("BREAKER_TEST_CHILD"); task != "" {
		os.Exit(childMain(task))
	}
	goleak.VerifyTestMain(m)
}

func soaked(quick int) int { return testkit.Soaked(quick) }

func isShut(done <-chan struct{}) bool { return testkit.IsShut(done) }

func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	testkit.Await(t, what, condition)
}

func awaitGone(t testing.TB, condition func() bool, what string) {
	t.Helper()
	testkit.AwaitCollected(t, what, condition)
}

// requireGoroutines waits until so many goroutines of the library are left.
func requireGoroutines(t testing.TB, want int) {
	t.Helper()
	testkit.AwaitGoroutines(t, testkit.Library, want)
}

// atOnce runs the steps at the same time, each on a goroutine of its own, and returns when all have
// ended. Each round begins with another one of them.
func atOnce(round int, steps ...func()) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range steps {
		step := steps[(round+i)%len(steps)]
		group.Go(func() { <-start; step() })
	}
	close(start)
	group.Wait()
}

// assertOpen checks all that is promised of a breaker that nothing has tripped.
func assertOpen(t testing.TB, br *breaker.Breaker) {
	t.Helper()
	assert.Equal(t, breaker.Open, br.State())
	assert.NoError(t, br.Err())
	assert.NoError(t, br.Cause())
	assert.False(t, isShut(br.Done()), "Done is closed")
}

// assertClosed checks all that is promised of a breaker whose trip is over, and that the cause is
// that very error.
func assertClosed(t testing.TB, br *breaker.Breaker, cause error) {
	t.Helper()
	assert.Equal(t, breaker.Closed, br.State())
	assert.ErrorIs(t, br.Err(), breaker.Interrupted)
	assert.True(t, br.Cause() == cause, "the cause is %v and not %v", br.Cause(), cause)
	assert.True(t, isShut(br.Done()), "Done is open")
	assert.Zero(t, registrations(br))
}

// registrations returns how many callbacks and breakers are registered with a breaker.
func registrations(br breaker.Interface) int {
	_, taken := breaker.Slots(br)
	return taken
}

// goroutineID returns the number of the calling goroutine.
func goroutineID() int {
	var buf [64]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	_, trace, _ = bytes.Cut(trace, []byte(" "))
	number, _, _ := bytes.Cut(trace, []byte(" "))
	id, err := strconv.Atoi(string(number))
	if err != nil {
		panic(err)
	}
	return id
}

// ownGoroutines returns how many goroutines there are that the library has started.
func ownGoroutines() int { return testkit.Goroutines(testkit.Library) }

// awaitQuiet waits for the goroutines of the library that earlier tests have ended, so that one can
// count from nothing.
func awaitQuiet(t testing.TB) {
	t.Helper()
	awaitThat(t, func() bool { return ownGoroutines() == 0 }, "the end of the goroutines")
}
