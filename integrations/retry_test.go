package integrations_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamilsk/retry/v5"
	"github.com/kamilsk/retry/v5/backoff"
	"github.com/kamilsk/retry/v5/strategy"
	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// everyMinute pauses between the tries.
var everyMinute = strategy.Backoff(backoff.Constant(time.Minute))

func TestRetry_TakesABreakerAsItIs(t *testing.T) {
	for name, pass := range map[string]struct {
		make func(*breaker.Breaker) retry.Breaker
		err  error
	}{
		"as it is":  {func(br *breaker.Breaker) retry.Breaker { return br }, breaker.Interrupted},
		"NopCloser": {func(br *breaker.Breaker) retry.Breaker { return breaker.NopCloser(br) }, breaker.Interrupted},
		"ToContext": {func(br *breaker.Breaker) retry.Breaker { return breaker.ToContext(br) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				br := breaker.New()
				time.AfterFunc(90*time.Second, func() { br.Trip(errEnough) })
				tries := 0
				err := retry.Do(pass.make(br), func(context.Context) error {
					tries++
					return errRefused
				}, everyMinute)
				assert.Equal(t, pass.err, err)
				assert.Equal(t, errEnough, br.Cause())
				assert.Equal(t, 2, tries)
				assert.Equal(t, 90*time.Second, time.Since(start))
			})
		})
	}
}

// A breaker that has tripped gets no try.
func TestRetry_TrippedBefore(t *testing.T) {
	br := breaker.New()
	br.Trip(errEnough)
	err := retry.Do(br, func(context.Context) error {
		assert.Fail(t, "a try")
		return nil
	})
	assert.Equal(t, breaker.Interrupted, err)
}

// Given the breaker as it is, the library makes a context of it for the action: one that doesn't
// tell the cause, and that package context can't derive from without a goroutine. Given ToContext,
// it passes that on.
func TestRetry_WhatTheActionGets(t *testing.T) {
	for _, test := range []struct {
		name       string
		make       func(*breaker.Breaker) retry.Breaker
		cause      error
		goroutines int
		timed      bool
	}{
		{"as it is", func(br *breaker.Breaker) retry.Breaker { return br }, breaker.Interrupted, 1, false},
		{"ToContext", func(br *breaker.Breaker) retry.Breaker { return breaker.ToContext(br) }, errEnough, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			awaitStartedBy(t, 0, "context.")
			synctest.Test(t, func(t *testing.T) {
				br := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.New())
				for range waiters {
					go func() {
						_ = retry.Do(test.make(br), func(ctx context.Context) error {
							_, timed := ctx.Deadline()
							assert.Equal(t, test.timed, timed)
							ctx, cancel := context.WithTimeout(ctx, time.Minute) // as clients do
							defer cancel()
							<-ctx.Done()
							assert.Equal(t, test.cause, context.Cause(ctx))
							return ctx.Err()
						})
					}()
				}
				synctest.Wait()
				assert.Equal(t, test.goroutines*waiters, startedBy("context."))
				br.Trip(errEnough)
				synctest.Wait()
				assert.Zero(t, startedBy("context."))
			})
		})
	}
}

func TestRetry_GoroutinesPerWait(t *testing.T) {
	assertGoroutinesPerWait(t, 0, 0, func(ctx context.Context) {
		_ = retry.Do(ctx, func(context.Context) error { return errRefused }, everyMinute)
	})
}

// Go runs the action on a goroutine of its own, over whatever context, and leaves it behind if the
// action doesn't end.
func TestRetry_GoLeavesTheActionBehind(t *testing.T) {
	awaitStartedBy(t, 0, "github.com/kamilsk/retry/v5.Go")
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		go func() {
			synctest.Wait()
			br.Trip(errEnough)
		}()
		assert.Equal(t, breaker.Interrupted, retry.Go(br, func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		}))
		assert.Equal(t, 1, startedBy("github.com/kamilsk/retry/v5.Go"))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Zero(t, startedBy("github.com/kamilsk/retry/v5.Go"))
	})
}
