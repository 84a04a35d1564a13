package verify

import (
	"context"
	"flag"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	// Before the flags are parsed, so that -rapid.checks still wins.
	if err := flag.Set("rapid.checks", strconv.Itoa(setting("BREAKER_PROGRAMS", 1_000))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// setting returns the number in an environment variable.
func setting(name string, otherwise int) int {
	v, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n <= 0 {
		panic(name + " is not a positive number: " + v)
	}
	return n
}

// The causes that the package makes, taken from where nothing else can be the reason.
var (
	madeExpired = breaker.BreakByTimeout(0).Cause()
	madeChannel = func() error {
		c := make(chan struct{})
		close(c)
		return breaker.BreakByChannel(c).Cause()
	}()
	madeNothing = breaker.Multiplex().Cause()
)

// viewCause is what context.Cause says of the context of a breaker with that cause: after a timeout
// or a plain Close it says what it would for package context (promise 22).
func viewCause(cause error) error {
	switch cause {
	case madeExpired:
		return context.DeadlineExceeded
	case breaker.ErrClosed:
		return context.Canceled
	default:
		return cause
	}
}

// promise 4: the model compares with these, so they have to be what the contract says.
func TestBreakit_MadeCauses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		text  string
		cause error
		as    error
		not   error
	}{
		{"timeout", "breaker: timed out", madeExpired, context.DeadlineExceeded, context.Canceled},
		{"channel", "breaker: channel closed", madeChannel, context.Canceled, context.DeadlineExceeded},
		{"nothing", "breaker: nothing to wait for", madeNothing, context.Canceled, context.DeadlineExceeded},
		{"close", "breaker: closed", breaker.ErrClosed, context.Canceled, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.EqualError(t, tt.cause, tt.text)
			assert.ErrorIs(t, tt.cause, breaker.Interrupted)
			assert.ErrorIs(t, tt.cause, tt.as)
			assert.NotErrorIs(t, tt.cause, tt.not)
		})
	}
	assert.NotEqual(t, madeChannel, breaker.ErrClosed)
	assert.NotEqual(t, madeNothing, breaker.ErrClosed)
}

// gate lets goroutines through when so many have come. At first they spin, because to wake one
// takes longer than what it is then to do; but there may be fewer processors than goroutines.
type gate struct {
	all     int32
	arrived atomic.Int32
	open    chan struct{}
}

func newGate(all int) *gate { return &gate{all: int32(all), open: make(chan struct{})} }

func (g *gate) pass() {
	if g.arrived.Add(1) == g.all {
		close(g.open)
		return
	}
	for spins := 1; g.arrived.Load() < g.all; spins++ {
		if spins%100 == 0 {
			runtime.Gosched()
		}
		if spins == 1_000 {
			<-g.open
		}
	}
}
