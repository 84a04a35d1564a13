// Package testkit has what the tests of several packages need: what the build is like, waiting
// without sleeping, and counting goroutines.
package testkit

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit/mode"
)

// Library is the path of the package whose goroutines tests count most often.
const Library = "github.com/kamilsk/breaker"

// patience turns a hang into a failure. Nothing is measured by it.
const patience = 30 * time.Second

// IsShut reports whether a channel is closed, without waiting for it.
func IsShut(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Await yields until the condition holds. Inside a bubble, where time stands still meanwhile, the
// number of tries bounds it.
func Await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	giveUp := time.Now().Add(patience)
	for tries := 0; !condition(); tries++ {
		if tries > 20_000_000 || time.Now().After(giveUp) {
			require.FailNow(t, "it never came to: "+what)
		}
		runtime.Gosched()
	}
}

// AwaitCollected collects garbage until the condition holds.
func AwaitCollected(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for range 100 {
		if condition() {
			return
		}
		runtime.GC()
		runtime.Gosched()
	}
	require.FailNow(t, "not collected after 100 cycles: "+what)
}

// Goroutines counts the goroutines that functions of a package have started. Those of package
// context are a budget, which isn't kept without the relay.
func Goroutines(pkg string) int {
	if mode.Pure && pkg == "context" {
		return 0
	}
	for size := 1 << 18; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return bytes.Count(buf[:n], []byte("\ncreated by "+pkg+"."))
		}
	}
}

// AwaitGoroutines waits until a package has so many. A goroutine that was told to end, and one of a
// test before, may take a moment for it.
func AwaitGoroutines(t testing.TB, pkg string, want int) {
	t.Helper()
	if mode.Pure && pkg == "context" {
		return
	}
	var got int
	for giveUp := time.Now().Add(patience); time.Now().Before(giveUp); runtime.Gosched() {
		if got = Goroutines(pkg); got == want {
			return
		}
	}
	require.Equal(t, want, got, "goroutines of "+pkg)
}

// AwaitAtMost waits until there are no more goroutines than that. The runtime may have one more for
// a moment, which runs cleanups.
func AwaitAtMost(t testing.TB, want int) {
	t.Helper()
	Await(t, "no more goroutines than before", func() bool { return AllGoroutines() <= want })
}

// AllGoroutines counts all goroutines, with the world stopped. runtime.NumGoroutine is off by
// thousands at times, because the garbage collector moves what is left of those that have ended.
func AllGoroutines() (n int) {
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 1) // a Builder takes everything
	_, _ = fmt.Sscanf(text.String(), "goroutine profile: total %d", &n)
	return n
}

// RequireOpen checks all that can be observed of an open breaker. Err is asked first, because Done
// makes a breaker over a channel or a context stop polling.
func RequireOpen(t testing.TB, br *breaker.Breaker) {
	t.Helper()
	require.NoError(t, br.Err())
	require.NoError(t, br.Cause())
	require.Equal(t, breaker.Open, br.State())
	require.False(t, IsShut(br.Done()))
}

// RequireTripped checks all that can be observed of a tripped breaker, and returns its cause.
func RequireTripped(t testing.TB, br *breaker.Breaker) error {
	t.Helper()
	require.ErrorIs(t, br.Err(), breaker.Interrupted)
	require.True(t, IsShut(br.Done()))
	require.NotEqual(t, breaker.Open, br.State())
	require.Error(t, br.Cause())
	return br.Cause()
}

// Soaked returns how often to do what a quick run does so often, multiplied by BREAKER_SOAK.
func Soaked(quick int) int {
	if mode.Race {
		quick /= 10
	}
	text := os.Getenv("BREAKER_SOAK")
	if text == "" {
		return quick
	}
	times, err := strconv.Atoi(text)
	if err != nil || times < 1 {
		panic("BREAKER_SOAK is not a factor: " + text)
	}
	return quick * times
}
