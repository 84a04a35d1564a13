package census_test

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/census"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var profile = pprof.NewProfile("census")

// sample samples every breaker for the rest of the test.
func sample(t *testing.T) {
	t.Helper()
	require.Zero(t, census.Sample(1, profile))
	t.Cleanup(func() { census.Sample(0, nil) })
}

func TestEntries_AreInOrder(t *testing.T) {
	sample(t)
	before := time.Now()
	var all []*breaker.Breaker
	for range 200 {
		all = append(all, breaker.New())
	}
	entries := census.Entries()
	require.Len(t, entries, len(all))
	for i, e := range entries {
		assert.Same(t, all[i], e.Ref.Value())
		assert.Equal(t, 1, e.Rate)
		assert.WithinRange(t, e.Made, before, time.Now())
	}
	for i := range all {
		all[i].Close()
		require.Len(t, census.Entries(), len(all)-i-1)
	}
	assert.Zero(t, profile.Count())
}

// The stack begins with the constructor, however many functions of the module are below it.
func TestEntry_Stack(t *testing.T) {
	sample(t)
	for source, construct := range map[string]func() *breaker.Breaker{
		"breaker.New":           breaker.New,
		"breaker.BreakBySignal": func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) },
		"breaker.Any":           func() *breaker.Breaker { return breaker.Any(breaker.New()) },
	} {
		br := construct()
		e := census.Entries()[len(census.Entries())-1]
		assert.Equal(t, source, e.Source())
		stack := e.Stack()
		assert.Equal(t, "github.com/kamilsk/"+source, stack[0].Function)
		var last string
		for _, frame := range stack[1:] {
			assert.False(t, strings.HasPrefix(frame.Function, "github.com/kamilsk/breaker."), frame.Function)
			if strings.HasSuffix(frame.File, "census_test.go") {
				last = frame.Function
			}
		}
		assert.Equal(t, "github.com/kamilsk/breaker/internal/census_test.TestEntry_Stack", last)
		br.Close()
		for _, e := range census.Entries() {
			census.Forget(e) // what Any has watched
		}
	}
}

func TestCensus_Forget(t *testing.T) {
	sample(t)
	br := breaker.New()
	e := census.Entries()[0]
	assert.True(t, census.Forget(e))
	assert.False(t, census.Forget(e))
	assert.Empty(t, census.Entries())
	br.Close()
}

// What is sampled goes when it is garbage.
func TestCensus_Garbage(t *testing.T) {
	sample(t)
	breaker.New()
	for limit := 0; len(census.Entries()) > 0; limit++ {
		require.Less(t, limit, 1000, "it is kept")
		runtime.GC()
		runtime.Gosched()
	}
	assert.Zero(t, profile.Count())
}
