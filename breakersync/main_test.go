package breakersync_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errStop = errors.New("stop")
	errTask = errors.New("the task has failed")
)

// tripped returns a breaker that has tripped because of errStop.
func tripped() *breaker.Breaker {
	br := breaker.New()
	br.Trip(errStop)
	return br
}

// kinds are breakers of the types that the fast path tells apart.
func kinds(br *breaker.Breaker) map[string]breaker.Interface {
	return map[string]breaker.Interface{
		"breaker":   br,
		"NopCloser": breaker.NopCloser(br),
		"embedded":  struct{ breaker.Interface }{br},
	}
}

// assertNilPanics checks that f panics on a nil breaker, typed or not, and names the function.
func assertNilPanics(t *testing.T, function string, f func(br breaker.Interface)) {
	t.Helper()
	for _, br := range []breaker.Interface{nil, (*breaker.Breaker)(nil)} {
		assert.PanicsWithValue(t, "breakersync: "+function+": the breaker is nil", func() { f(br) })
	}
}
