package integrations_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

var errRefused = errors.New("connection refused")

func refuse() (int, error) { return 0, errRefused }

func TestBackoff_ATripEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		br := breaker.New()
		time.AfterFunc(90*time.Second, func() { br.Trip(errEnough) })
		tries := 0
		_, err := backoff.Retry(breaker.ToContext(br), func() (int, error) {
			tries++
			return refuse()
		}, backoff.WithBackOff(backoff.NewConstantBackOff(time.Minute)))
		assert.Equal(t, errEnough, err, "the cause itself")
		assert.Equal(t, 2, tries)
		assert.Equal(t, 90*time.Second, time.Since(start))
	})
}

// The library makes one try before it asks.
func TestBackoff_TrippedBefore(t *testing.T) {
	br := breaker.New()
	br.Trip(errEnough)
	tries := 0
	_, err := backoff.Retry(breaker.ToContext(br), func() (int, error) {
		tries++
		return refuse()
	})
	assert.Equal(t, errEnough, err)
	assert.Equal(t, 1, tries)
}

func TestBackoff_GoroutinesPerWait(t *testing.T) {
	assertGoroutinesPerWait(t, 0, 0, func(ctx context.Context) {
		_, _ = backoff.Retry(ctx, refuse, backoff.WithBackOff(backoff.NewConstantBackOff(time.Minute)))
	})
}
