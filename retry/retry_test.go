package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/retry"
)

var (
	errStop = errors.New("stop")
	errLast = errors.New("it has failed")
)

// failing returns an action that always fails, and the moments at which it was called, counted from
// now.
func failing() (action retry.Action, at *[]time.Duration) {
	begun := time.Now()
	at = new([]time.Duration)
	return func(context.Context) error {
		*at = append(*at, time.Since(begun))
		return errLast
	}, at
}

func TestRetry_Succeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakByTimeout(time.Minute)
		n := 0
		require.NoError(t, retry.Retry(br, func(ctx context.Context) error {
			deadline, ok := ctx.Deadline()
			assert.True(t, ok && deadline.Equal(time.Now().Add(time.Minute)) || n > 0)
			if n++; n < 4 {
				return errLast
			}
			br.Trip(errStop) // what is done is done
			return nil
		}))
		assert.Equal(t, 4, n)
	})
}

// It closes the breaker, whatever it returns, and never one in NopCloser.
func TestRetry_OwnsTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, action := range []retry.Action{
			func(context.Context) error { return nil },
			func(context.Context) error { return errLast },
			func(context.Context) error { return retry.Permanent(errLast) },
			func(context.Context) error { panic(errLast) },
		} {
			try := func(br breaker.Interface) {
				defer func() { _ = recover() }()
				_ = retry.Retry(br, action, retry.Limit(2))
			}
			br := breaker.BreakByTimeout(time.Hour)
			try(breaker.NopCloser(br))
			assert.NoError(t, br.Err())
			try(br)
			assert.Equal(t, breaker.Closed, br.State())
			assert.Equal(t, breaker.ErrClosed, br.Cause())
		}
	})
}

// avast/retry-go#74, #110, google/go-cloud#1591: neither the last error nor the cause hides the
// other.
func TestRetry_IsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, interrupt := range map[string]func(br *breaker.Breaker) error{
			"while waiting": func(*breaker.Breaker) error { return errLast },
			"in the action": func(br *breaker.Breaker) error { br.Trip(errStop); return errLast },
		} {
			br := breaker.BreakByTimeoutCause(time.Minute, errStop)
			begun := time.Now()
			err := retry.Retry(br, func(context.Context) error { return interrupt(br) }, retry.Backoff(time.Hour, 1, time.Hour, 0))
			assert.ErrorIs(t, err, errLast, name)
			assert.ErrorIs(t, err, errStop, name)
			assert.EqualError(t, err, "it has failed (interrupted: stop)", name)
			assert.LessOrEqual(t, time.Since(begun), time.Minute, "gojek/heimdall#145: it waits no longer")
		}

		err := retry.Retry(breaker.BreakByTimeout(time.Minute), func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestRetry_AlreadyTripped(t *testing.T) {
	br := breaker.New()
	br.Trip(errStop)
	err := retry.Retry(br, func(context.Context) error {
		assert.Fail(t, "it is called")
		return nil
	})
	assert.True(t, err == errStop)
}

// golang's errors.Is would panic on some of these, and must not be called with them (promise 21).
func TestRetry_WithAnyErrors(t *testing.T) {
	br := breaker.New()
	err := retry.Retry(br, func(context.Context) error {
		br.Trip(uncomparable{"cause"})
		return uncomparable{"last"}
	})
	assert.EqualError(t, err, "last (interrupted: cause)")
	var u uncomparable
	require.ErrorAs(t, err, &u)
	assert.Equal(t, uncomparable{"last"}, u)
}

type uncomparable []string

func (u uncomparable) Error() string { return u[0] }

func TestRetry_Limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		begun := time.Now()
		err := retry.Retry(breaker.New(), action, retry.Limit(3), retry.Limit(5), retry.Backoff(time.Second, 1, time.Second, 0))
		assert.True(t, err == errLast)
		assert.Equal(t, []time.Duration{0, time.Second, 2 * time.Second}, *at)
		assert.Equal(t, 2*time.Second, time.Since(begun), "avast/retry-go#129: no wait after the last")
	})
}

// avast/retry-go#127: the first wait is the base. avast/retry-go#30, onosproject/onos-lib-go#127:
// it never overflows.
func TestRetry_Backoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		_ = retry.Retry(breaker.New(), action, retry.Limit(5), retry.Backoff(time.Second, 2, 5*time.Second, 0))
		const s = time.Second
		assert.Equal(t, []time.Duration{0, 1 * s, 3 * s, 7 * s, 12 * s}, *at)
	})
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		_ = retry.Retry(breaker.New(), action, retry.Limit(2000), retry.Backoff(1, 1e300, time.Second, 0))
		assert.Equal(t, 1+1998*time.Second, (*at)[1999])
	})
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		_ = retry.Retry(breaker.New(), action, retry.Limit(2000), retry.Backoff(0, math.MaxFloat64, math.MaxInt64, 1))
		assert.Zero(t, (*at)[1999], "no wait")
	})
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		_ = retry.Retry(breaker.BreakByTimeout(time.Hour), action, retry.Backoff(1, 1e300, math.MaxInt64, 0))
		assert.Equal(t, []time.Duration{0, 1}, *at, "the farthest")
	})
}

func TestRetry_Jitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		_ = retry.Retry(breaker.New(), action, retry.Limit(1000), retry.Backoff(time.Minute, 1, time.Minute, 0.5))
		least, most := time.Hour, time.Duration(0)
		for i := range len(*at) - 1 {
			wait := (*at)[i+1] - (*at)[i]
			least, most = min(least, wait), max(most, wait)
		}
		assert.True(t, 30*time.Second <= least && least < 33*time.Second, "the least is %v", least)
		assert.True(t, 57*time.Second < most && most <= time.Minute, "the most is %v", most)
	})
}

// The line without how doesn't call the action as fast as it can.
func TestRetry_DefaultBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		err := retry.Retry(breaker.BreakByTimeout(time.Minute), action)
		assert.ErrorIs(t, err, errLast)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, 15 <= len(*at) && len(*at) <= 35, "%d attempts", len(*at))
	})
}

func TestRetry_On(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action, at := failing()
		n := 0
		err := retry.Retry(breaker.New(), action, retry.Limit(10),
			retry.On(func(err error) bool { return err == errLast }), retry.On(func(error) bool { n++; return n < 3 }))
		assert.True(t, err == errLast)
		assert.Len(t, *at, 3)
	})
}

// cenkalti/backoff#175: the error is what Permanent was given. A wrapped one ends it too.
func TestRetry_Permanent(t *testing.T) {
	assert.NoError(t, retry.Permanent(nil))
	assert.ErrorIs(t, retry.Permanent(errLast), errLast)
	assert.EqualError(t, retry.Permanent(errLast), errLast.Error())

	n := 0
	try := func(err error) error {
		return retry.Retry(breaker.New(), func(context.Context) error { n++; return err })
	}
	assert.True(t, try(retry.Permanent(errLast)) == errLast)
	wrapped := fmt.Errorf("wrapped: %w", retry.Permanent(errLast))
	assert.True(t, try(wrapped) == wrapped)
	assert.Equal(t, 2, n)
}

func TestRetry_BadInput(t *testing.T) {
	br := breaker.New()
	action, _ := failing()
	for _, nothing := range []breaker.Interface{nil, (*breaker.Breaker)(nil)} {
		assert.PanicsWithValue(t, "retry: Retry: the breaker is nil", func() { _ = retry.Retry(nothing, action) })
	}
	assert.PanicsWithValue(t, "retry: Retry: the action is nil", func() { _ = retry.Retry(br, nil) })
	assert.PanicsWithValue(t, "retry: Retry: one of how is nil", func() { _ = retry.Retry(br, action, nil) })
	assert.PanicsWithValue(t, "retry: Limit: n isn't positive", func() { retry.Limit(0) })
	assert.PanicsWithValue(t, "retry: On: f is nil", func() { retry.On(nil) })
	assert.PanicsWithValue(t, "retry: Backoff: base is negative", func() { retry.Backoff(-1, 1, 1, 0) })
	for _, factor := range []float64{0.9, -1, math.NaN(), math.Inf(1)} {
		assert.PanicsWithValue(t, "retry: Backoff: factor is less than 1 or infinite", func() { retry.Backoff(1, factor, 1, 0) })
	}
	assert.PanicsWithValue(t, "retry: Backoff: most is less than base", func() { retry.Backoff(2, 1, 1, 0) })
	for _, jitter := range []float64{-0.1, 1.1, math.NaN()} {
		assert.PanicsWithValue(t, "retry: Backoff: the jitter isn't from 0 to 1", func() { retry.Backoff(1, 1, 1, jitter) })
	}
	assert.NoError(t, br.Err(), "nothing has changed")
}
