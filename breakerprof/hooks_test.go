package breakerprof_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// job has a breaker that no constructor has made.
type job struct{ breaker.Breaker }

// A zero value is recorded when it is first waited for, once, whatever comes first, and never if
// nothing waits for it.
func TestHooks_ZeroValue(t *testing.T) {
	on(t, 1)
	before := count()
	var unused job
	require.NoError(t, unused.Err())
	require.Equal(t, before, count(), "nothing waits for it")
	for name, use := range map[string]func(*breaker.Breaker){
		"(*Breaker).Done":   func(br *breaker.Breaker) { br.Done() },
		"(*Breaker).OnTrip": func(br *breaker.Breaker) { br.OnTrip(func() {}) },
	} {
		t.Run(name, func(t *testing.T) {
			var j job
			use(&j.Breaker)
			require.Equal(t, before+1, count())
			assert.Contains(t, leaves(t), "github.com/kamilsk/breaker."+name)
			j.Done()
			j.OnTrip(func() {})
			require.Equal(t, before+1, count(), "once")
			j.Close()
			assert.Equal(t, before, count())
		})
	}
	t.Run("Multiplex", func(t *testing.T) {
		var j job
		br := breaker.Multiplex(breaker.NopCloser(&j), breaker.NopCloser(process))
		require.Equal(t, before+2, count())
		j.Close()
		br.Close()
		assert.Equal(t, before, count())
	})
}

// New asks once. Otherwise a breaker that isn't chosen would get more chances with its first uses.
func TestNew_IsAskedOnce(t *testing.T) {
	const rate, n = 10, 20_000
	on(t, rate)
	before := count()
	all := make([]*breaker.Breaker, n)
	for i := range all {
		all[i] = breaker.New()
	}
	chosen := count()
	for _, br := range all {
		br.Done()
		br.OnTrip(func() {})
	}
	assert.Equal(t, chosen, count())
	for _, br := range all {
		br.Close()
	}
	assert.Equal(t, before, count())
}

func TestHooks_BreakByIdle(t *testing.T) {
	on(t, 1)
	before := count()
	idle := breaker.BreakByIdle(time.Hour)
	require.Equal(t, before+1, count())
	assert.Contains(t, leaves(t), "github.com/kamilsk/breaker.BreakByIdle")
	idle.Touch()
	require.Equal(t, before+1, count())
	idle.Close()
	assert.Equal(t, before, count())
}

// A request is one object.
func TestWithin_IsOneEntry(t *testing.T) {
	on(t, 1)
	before := count()
	br := breaker.Within(t.Context(), time.Hour, process)
	assert.Equal(t, before+1, count())
	br.Close()
	assert.Equal(t, before, count())
}
