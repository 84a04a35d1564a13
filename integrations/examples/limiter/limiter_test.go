package main

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errLeft = errors.New("the client has left")

// waits are the two ways to wait for a limiter with a breaker in it.
var waits = map[string]func(*Limiter, breaker.Interface) error{
	"waits for both": (*Limiter).Wait,
	"merges":         (*Limiter).waitMerged,
}

func TestLimiter_Permits(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				limiter := NewLimiter(rate.Every(time.Second), 2)
				defer limiter.Close()
				request := breaker.BreakByTimeout(time.Hour)
				defer request.Close()
				for _, expected := range []time.Duration{0, 0, 1, 2, 3} {
					require.NoError(t, wait(limiter, request))
					assert.Equal(t, expected*time.Second, time.Since(start))
				}
				assert.NoError(t, request.Err(), "a wait closes nothing")
				assert.NoError(t, limiter.Err())
			})
		})
	}
}

// A request that gives up tells why, and gives its permission back.
func TestLimiter_TheRequestEnds(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				limiter := NewLimiter(rate.Every(time.Second), 1)
				defer limiter.Close()
				require.NoError(t, wait(limiter, breaker.New()))

				request := breaker.New()
				time.AfterFunc(500*time.Millisecond, func() { request.Trip(errLeft) })
				assert.Equal(t, errLeft, wait(limiter, request))
				assert.Equal(t, errLeft, wait(limiter, breaker.NopCloser(request)), "and so it stays")
				assert.Equal(t, 500*time.Millisecond, time.Since(start))
				assert.NoError(t, limiter.Err())

				require.NoError(t, wait(limiter, breaker.New()))
				assert.Equal(t, time.Second, time.Since(start))
			})
		})
	}
}

// One trip wakes all requests, with the cause, and a later request doesn't wait.
func TestLimiter_OneTripWakesAll(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const many = 2000
				limiter := NewLimiter(rate.Every(time.Hour), 1)
				require.NoError(t, wait(limiter, breaker.New()))
				before := inBubble()
				var all sync.WaitGroup
				for range many {
					all.Go(func() {
						request := breaker.BreakByTimeout(24 * 365 * time.Hour)
						defer request.Close()
						assert.Equal(t, errShutdown, wait(limiter, request))
						assert.NoError(t, request.Err())
					})
				}
				synctest.Wait()
				assert.Equal(t, many, inBubble()-before, "one each, and no other")
				assert.True(t, limiter.Trip(errShutdown))
				all.Wait()
				assert.Equal(t, errShutdown, wait(limiter, breaker.New()))
			})
		})
	}
}

// inBubble returns how many goroutines there are in a bubble: in the one that calls, because no two
// run at a time. Those of other tests, which may still be ending, aren't counted.
func inBubble() (count int) {
	trace := make([]byte, 64<<20)
	trace = trace[:runtime.Stack(trace, true)]
	for line := range bytes.Lines(trace) {
		if bytes.HasPrefix(line, []byte("goroutine ")) && bytes.Contains(line, []byte("synctest bubble")) {
			count++
		}
	}
	return count
}

// With its breaker in it, the limiter is one.
func TestLimiter_IsABreaker(t *testing.T) {
	limiter := NewLimiter(1, 1)
	both := breaker.Multiplex(breaker.NopCloser(limiter), breaker.New())
	defer both.Close()
	limiter.Close()
	assert.Equal(t, breaker.ErrClosed, both.Cause())
	assert.Equal(t, breaker.ErrClosed, limiter.Wait(breaker.New()))
}

func TestLimiter_PermitsNothing(t *testing.T) {
	limiter := NewLimiter(1, 0)
	defer limiter.Close()
	assert.Equal(t, errNoBurst, limiter.Wait(breaker.New()))
}
