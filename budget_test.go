package breaker_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// What a life costs in allocations. These are exact, so that nothing is added unseen.
func TestBudget_Allocations(t *testing.T) {
	if raceEnabled {
		return // the race detector allocates
	}
	process := breaker.New()
	defer process.Close()
	warm := breaker.BreakBySignal(os.Interrupt)
	defer warm.Close()
	tripped := breaker.New()
	tripped.Close()
	limiters := make([]struct{ breaker.Breaker }, 200)
	next := 0

	for name, test := range map[string]struct {
		job         func()
		allocations float64
	}{
		"New, Close":            {func() { breaker.New().Close() }, 1},
		"New, Done, Close":      {func() { br := breaker.New(); br.Done(); br.Close() }, 2},
		"embedded, Close":       {func() { limiters[next].Close(); next++ }, 0},
		"timeout, Close":        {func() { breaker.BreakByTimeout(time.Hour).Close() }, 1},
		"timeout, Done, Close":  {func() { br := breaker.BreakByTimeout(time.Hour); br.Done(); br.Close() }, 2},
		"signal, Close":         {func() { breaker.BreakBySignal(os.Interrupt).Close() }, 1},
		"background, Close":     {func() { breaker.BreakByContext(context.Background(), nil).Close() }, 1},
		"Multiplex of 1, Close": {func() { breaker.Multiplex(breaker.NopCloser(process)).Close() }, 1},
		"OnTrip, stop":          {func() { stop := process.OnTrip(func() {}); stop() }, 1},
		"NopCloser":             {func() { sinkInterface = breaker.NopCloser(process) }, 0},
		"ToContext":             {func() { sinkContext = breaker.ToContext(process) }, 0},
		"Err, open":             {func() { sinkError = process.Err() }, 0},
		"Err, tripped":          {func() { sinkError = tripped.Err() }, 0},
		"Cause":                 {func() { sinkError = tripped.Cause() }, 0},
		"Err of a context":      {func() { sinkError = breaker.ToContext(tripped).Err() }, 0},
		"Done, the second time": {func() { process.Done() }, 0},
		"Deadline":              {func() { process.Deadline() }, 0},
		"request: Multiplex of 2": {func() {
			br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour))
			br.Done()
			br.Close()
		}, 3},
		"handler: timeout and signal": {func() {
			br := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.BreakBySignal(os.Interrupt))
			br.Done()
			br.Close()
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			next = 0
			assert.Equal(t, test.allocations, testing.AllocsPerRun(100, test.job))
		})
	}
}

var (
	sinkInterface breaker.Interface
	sinkContext   context.Context
	sinkError     error
)

// The zero value is a size class of Go's allocator.
func TestBudget_Size(t *testing.T) {
	words := uintptr(6)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		words = 7 // the state word has one for itself, there is nothing to share it with
	}
	assert.LessOrEqual(t, unsafe.Sizeof(breaker.Breaker{}), words*unsafe.Sizeof(uintptr(0)))
}

// What has to be inlined, by the compiler's own word.
func TestBudget_Inlining(t *testing.T) {
	build := exec.Command("go", "build", "-gcflags=-m=2", ".")
	build.Env = append(os.Environ(), "GOARCH=amd64") // the budget is that of 64 bits
	report, err := build.CombinedOutput()
	require.NoError(t, err, string(report))
	for _, function := range []string{
		`\(\*Breaker\)\.Err`, `\(\*Breaker\)\.OnTrip`, `\(\*Breaker\)\.Close`, `NopCloser`, `ToContext`, `New`,
		`\(\*Breaker\)\.kind`, `\(\*Breaker\)\.hasTripped`,
	} {
		assert.Regexp(t, regexp.MustCompile(`(?m): can inline `+function+` with cost`), string(report))
	}
	// The seam costs nothing.
	for _, access := range []string{`\(\*Uint32\)\.Load`, `\(\*Uint32\)\.CompareAndSwap`} {
		assert.Regexp(t, regexp.MustCompile(`(?m)^\./state\.go.*inlining call to atomic\.`+access), string(report))
	}
}

// Promise 11: 100,000 live breakers of each kind need no goroutine, but one for each distinct signal or channel, and
// leave none.
func TestBudget_Goroutines(t *testing.T) {
	live := scaled(100_000)
	process := breaker.New()
	defer process.Close()
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	channel := make(chan struct{})
	deadline := time.Now().Add(time.Hour)

	for name, test := range map[string]struct {
		make       func() *breaker.Breaker
		goroutines int
	}{
		"New":             {breaker.New, 0},
		"BreakByTimeout":  {func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) }, 0},
		"BreakByDeadline": {func() *breaker.Breaker { return breaker.BreakByDeadline(deadline) }, 0},
		"BreakByContext":  {func() *breaker.Breaker { return breaker.BreakByContext(parent, nil) }, 0},
		"BreakBySignal":   {func() *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) }, 1},
		"BreakByChannel":  {func() *breaker.Breaker { return breaker.BreakByChannel(channel) }, 1},
		"Multiplex": {func() *breaker.Breaker {
			return breaker.Multiplex(breaker.NopCloser(process), breaker.New())
		}, 0},
		"contexts derived": {func() *breaker.Breaker {
			br := breaker.New()
			ctx, cancel := context.WithCancel(context.WithValue(breaker.ToContext(br), key{}, br))
			_, _ = ctx, cancel
			return br
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			all := make([]*breaker.Breaker, live)
			for i := range all {
				all[i] = test.make()
				all[i].Done() // someone is waiting
			}
			assert.Equal(t, test.goroutines, ownGoroutines())
			assert.LessOrEqual(t, runtime.NumGoroutine(), before+test.goroutines+1, "and os/signal's own")
			for _, br := range all {
				br.Close()
			}
			awaitThat(t, func() bool { return ownGoroutines() == 0 }, "the end of the goroutines")
		})
	}
	assert.Zero(t, registrations(process))
}

type key struct{}
