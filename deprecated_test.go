package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// The older API, for whoever compiles against it.

func TestDeprecated_MultiplexTwo(t *testing.T) {
	one, two := breaker.New(), breaker.New()
	br := breaker.MultiplexTwo(one, two)
	assertOpen(t, br)
	two.Trip(errA)
	assertClosed(t, br, errA)
	assertClosed(t, one, breaker.ErrClosed)

	one, two = breaker.New(), breaker.New()
	br = breaker.MultiplexTwo(breaker.NopCloser(one), two)
	br.Close()
	assertOpen(t, one)
	assertClosed(t, two, breaker.ErrClosed)
}

func TestDeprecated_MultiplexThree(t *testing.T) {
	for at := range 3 {
		children := []*breaker.Breaker{breaker.New(), breaker.New(), breaker.New()}
		br := breaker.MultiplexThree(children[0], children[1], children[2])
		assertOpen(t, br)
		children[at].Trip(errA)
		assertClosed(t, br, errA)
		for i, child := range children {
			if i != at {
				assertClosed(t, child, breaker.ErrClosed)
			}
		}
	}
}

func TestDeprecated_WithContext(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	parent, cancel := context.WithDeadline(context.WithValue(t.Context(), contextKey{}, "value"), deadline)
	defer cancel()
	br, ctx := breaker.WithContext(parent)
	assert.NoError(t, br.Err())
	assert.NoError(t, ctx.Err())
	at, ok := ctx.Deadline()
	assert.True(t, ok)
	assert.True(t, at.Equal(deadline))
	assert.Equal(t, "value", ctx.Value(contextKey{}))
	assert.True(t, br.Done() == ctx.Done())

	br.Close()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.ErrorIs(t, br.Err(), breaker.Interrupted)
	assert.True(t, isShut(ctx.Done()))
	assert.NoError(t, parent.Err(), "the parent is someone else's")

	br, ctx = breaker.WithContext(parent)
	cancel()
	assert.ErrorIs(t, br.Err(), breaker.Interrupted)
	assert.Equal(t, context.Canceled, ctx.Err())
}
