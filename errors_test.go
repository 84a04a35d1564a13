package breaker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Promise 4: what this package makes matches Interrupted and what a context that ended that way says, and nothing else.
func TestCauses_MatchWhatCallersLookFor(t *testing.T) {
	shut := make(chan struct{})
	close(shut)
	closed := breaker.New()
	closed.Close()

	for name, test := range map[string]struct {
		br   *breaker.Breaker
		as   error
		isnt error
	}{
		"timeout": {breaker.BreakByTimeout(0), context.DeadlineExceeded, context.Canceled},
		"close":   {closed, context.Canceled, context.DeadlineExceeded},
		"channel": {breaker.BreakByChannel(shut), context.Canceled, context.DeadlineExceeded},
		"nothing": {breaker.Multiplex(), context.Canceled, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			cause := test.br.Cause()
			require.Error(t, cause)
			assert.NotEmpty(t, cause.Error())
			assert.ErrorIs(t, cause, breaker.Interrupted)
			assert.ErrorIs(t, cause, test.as)
			assert.ErrorIs(t, cause, breaker.ToContext(test.br).Err())
			assert.NotErrorIs(t, cause, test.isnt)
			assert.NotErrorIs(t, cause, io.EOF)
		})
	}
}

// Promise 4, for who looks for a timeout by other means than errors.Is.
func TestCauseOfTimeout_IsANetError(t *testing.T) {
	var failure net.Error
	require.ErrorAs(t, breaker.BreakByTimeout(0).Cause(), &failure)
	assert.True(t, failure.Timeout())
	assert.True(t, os.IsTimeout(breaker.BreakByTimeout(0).Cause()))

	require.ErrorAs(t, breaker.ErrClosed, &failure)
	assert.False(t, failure.Timeout())
}

func TestErrors_AreToldApart(t *testing.T) {
	assert.NotErrorIs(t, breaker.BreakByTimeout(0).Cause(), breaker.ErrClosed)
	assert.NotErrorIs(t, breaker.ErrClosed, breaker.BreakByTimeout(0).Cause())
	assert.NotErrorIs(t, breaker.Interrupted, breaker.ErrClosed)
}

// Promise 5.
func TestErr_IsInterruptedItself(t *testing.T) {
	for name, make := range map[string]func() *breaker.Breaker{
		"timeout": func() *breaker.Breaker { return breaker.BreakByTimeout(0) },
		"channel": func() *breaker.Breaker { c := make(chan struct{}); close(c); return breaker.BreakByChannel(c) },
		"signal":  func() *breaker.Breaker { return breaker.BreakBySignal() },
		"trip": func() *breaker.Breaker {
			br := breaker.New()
			br.Trip(errors.New("cause"))
			return br
		},
		"multiplex of a context": func() *breaker.Breaker {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return breaker.Multiplex(breaker.BreakByContext(ctx, nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.True(t, make().Err() == breaker.Interrupted)
		})
	}
	assert.Equal(t, "operation interrupted", breaker.Interrupted.Error())
}
