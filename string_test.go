package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

func TestString_OfEverySource(t *testing.T) {
	signal := make(chan struct{})
	timeout := func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) }
	for name, construct := range map[string]func() *breaker.Breaker{
		"breaker":              breaker.New,
		"breaker by channel":   func() *breaker.Breaker { return breaker.BreakByChannel(signal) },
		"breaker by context":   func() *breaker.Breaker { return breaker.BreakByContext(context.Background(), nil) },
		"breaker by signal":    func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) },
		"breaker by multiplex": func() *breaker.Breaker { return breaker.Multiplex(breaker.New()) },
	} {
		br := construct()
		assert.Equal(t, name+": open", br.String())
		br.Trip(errA)
		assert.Equal(t, name+": closed, cause: "+errA.Error(), br.String())
	}
	synctest.Test(t, func(t *testing.T) { // where time begins with the year 2000
		for name, construct := range map[string]func() *breaker.Breaker{
			"breaker by timeout":   timeout,
			"breaker by deadline":  func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(time.Hour)) },
			"breaker by multiplex": func() *breaker.Breaker { return breaker.Multiplex(timeout()) },
			"breaker by context":   func() *breaker.Breaker { return breaker.BreakByContext(breaker.ToContext(timeout()), nil) },
		} {
			br := construct()
			at := time.Now().Add(time.Hour).Format(time.RFC3339Nano)
			assert.Equal(t, name+": open, deadline "+at, br.String())
			br.Close()
			assert.Equal(t, name+": closed, deadline "+at+", cause: "+breaker.ErrClosed.Error(), br.String())
		}
	})
}

func TestString_WhileItTrips(t *testing.T) {
	br := breaker.New()
	var text string
	br.OnTrip(func() { text = br.String() })
	br.Trip(errA)
	assert.Equal(t, "breaker: tripped, cause: "+errA.Error(), text)
}

func TestString_AsksNoSource(t *testing.T) {
	signal := make(chan struct{}, 1)
	br := breaker.BreakByChannel(signal)
	signal <- struct{}{}
	assert.Equal(t, "breaker by channel: open", br.String())
	assert.Len(t, signal, 1, "it has taken the value")
	assert.Error(t, br.Err())
	assert.Contains(t, br.String(), "closed")
}

// A struct that embeds a breaker prints as that, unless it has a String of its own.
func ExampleBreaker_String() {
	var limiter struct {
		breaker.Breaker
		rate int
	}
	fmt.Println(&limiter)
	limiter.Trip(errors.New("no more today"))
	fmt.Println(&limiter)
	// Output:
	// breaker: open
	// breaker: closed, cause: no more today
}
