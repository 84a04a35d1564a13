//go:build unix

package breaker_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// promise 18: with fan-outs of any size, by signals too.
func TestOrder_SlowCallbackDelaysNobodyOnASignal(t *testing.T) {
	all := make([]*breaker.Breaker, 200)
	for i := range all {
		all[i] = breaker.BreakBySignal(syscall.SIGWINCH)
	}
	release := make(chan struct{})
	slow := make(chan struct{})
	all[len(all)/3].OnTrip(func() {
		close(slow)
		<-release
	})
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(syscall.SIGWINCH))
	await(t, "the callback", slow)
	for _, br := range all {
		require.True(t, isShut(br.Done()), "it hears late")
	}
	close(release)
	for _, br := range all {
		br.AwaitClosed()
	}
}

// promise 12, promise 18: a signal is caught until the callbacks have run, of which one may be
// about to catch the next.
func TestOrder_SignalIsCaughtWhileCallbacksRun(t *testing.T) {
	if !alone(t) {
		return
	}
	br := breaker.BreakBySignal(syscall.SIGTERM)
	var next *breaker.Breaker
	br.OnTrip(func() {
		send(syscall.SIGTERM) // which kills, if nobody catches it
		sendAll(t)
		next = breaker.BreakBySignal(syscall.SIGTERM)
	})
	send(syscall.SIGTERM)
	br.AwaitClosed()
	require.NoError(t, next.Err())
	send(syscall.SIGTERM)
	await(t, "the next signal", next.Done())
}

// promise 24: what other code does to a signal makes no later breaker deaf.
func TestSignal_OfOthers(t *testing.T) {
	if !alone(t) {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	for name, silence := range map[string]func(...os.Signal){"Reset": signal.Reset, "Ignore": signal.Ignore} {
		before := breaker.BreakBySignal(syscall.SIGUSR1)
		silence(syscall.SIGUSR1)
		after := breaker.BreakBySignal(syscall.SIGUSR1)
		require.NoError(t, self.Signal(syscall.SIGUSR1))
		await(t, name, after.Done())
		await(t, name, before.Done())
	}
}

// promise 16: inside of a bubble, a signal is noticed by asking, through Within, too.
func TestWithin_OfASignalInABubble(t *testing.T) {
	if !alone(t) {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		signals := breaker.BreakBySignal(syscall.SIGUSR2)
		br := breaker.Within(context.Background(), time.Hour, signals)
		require.NoError(t, br.Err())
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR2))
		testkit.Await(t, "the signal arrives", func() bool { return br.Err() != nil })
		require.ErrorAs(t, br.Cause(), new(breaker.SignalError))
		signals.Close()
	})
}
