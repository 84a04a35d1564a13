package breaker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

func TestMultiplexTwoAndThree_AreMultiplex(t *testing.T) {
	for name, join := range map[string]func(one, two breaker.Interface) *breaker.Breaker{
		"two": breaker.MultiplexTwo,
		"three": func(one, two breaker.Interface) *breaker.Breaker {
			return breaker.MultiplexThree(one, two, breaker.New())
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := breaker.New(), breaker.New()
			br := join(one, two)
			assertOpen(t, br)

			cause := errors.New("cause")
			two.Trip(cause)
			assertClosed(t, br, cause)
			assertClosed(t, one, breaker.ErrClosed)
		})
	}
}

func TestWithContext_GivesTheContextOfTheBreaker(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	defer cancel()

	br, ctx := breaker.WithContext(parent)
	assert.NoError(t, ctx.Err())
	assert.Equal(t, "value", ctx.Value(key{}))

	br.Close()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.NoError(t, parent.Err())

	br, ctx = breaker.WithContext(parent)
	cancel()
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.ErrorIs(t, br.Err(), breaker.Interrupted)
}

func TestIsReleased_SaysWhatErrSays(t *testing.T) {
	br := breaker.New()
	assert.False(t, br.IsReleased())
	br.Close()
	assert.True(t, br.IsReleased())
}
