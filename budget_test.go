//go:build !breaker_pure

package breaker_test

import (
	"bufio"
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// Budgets that are exact: allocations, sizes, goroutines, and what the compiler inlines. Times are
// for benchmarks.

func TestBudget_Size(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 {
		assert.Equal(t, uintptr(64), unsafe.Sizeof(breaker.Breaker{}))
	} else {
		assert.LessOrEqual(t, unsafe.Sizeof(breaker.Breaker{}), uintptr(64))
	}
}

var (
	sinkBreaker *breaker.Breaker
	sinkContext context.Context
	sinkView    breaker.Interface
	sinkError   error
)

// promise 2: Err never allocates. promise 13: ToContext allocates nothing. The others are what the
// library is for.
func TestBudget_Allocations(t *testing.T) {
	open, tripped, expired := breaker.New(), breaker.New(), breaker.BreakByTimeout(0)
	open.Done()
	tripped.Trip(errA)
	process := breaker.New()
	stop := process.OnTrip(func() {}) // a process-wide breaker has others registered
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	byContext := breaker.BreakByContext(ctx, nil)
	channel := make(chan struct{})
	byChannel := breaker.BreakByChannel(channel)
	armed := breaker.BreakByContext(ctx, nil)
	armed.Done()
	defer armed.Close()
	defer breaker.BreakBySignal(os.Interrupt).Close() // so that those below aren't the first
	ended := breaker.BreakByContext(breaker.ToContext(tripped), nil)
	callback := func() {}
	embedded := make([]byValue, 10_000)
	fresh := func() *byValue {
		br := &embedded[0]
		embedded = embedded[1:]
		return br
	}

	for _, budget := range []struct {
		name   string
		allocs float64
		do     func()
	}{
		{"New, Close", 1, func() {
			sinkBreaker = breaker.New()
			sinkBreaker.Close()
		}},
		{"New, Trip", 1, func() {
			sinkBreaker = breaker.New()
			sinkBreaker.Trip(errA)
		}},
		{"New, Done, Close", 2, func() {
			sinkBreaker = breaker.New()
			sinkBreaker.Done()
			sinkBreaker.Close()
		}},
		{"zero value embedded in what is there already, Err, Close", 0, func() {
			br := fresh()
			sinkError = br.Err()
			br.Close()
		}},
		{"zero value embedded in what is there already, Trip, Cause", 0, func() {
			br := fresh()
			br.Trip(errA)
			sinkError = br.Cause()
		}},

		{"BreakByTimeout, Close", 1, func() { breaker.BreakByTimeout(time.Hour).Close() }},
		{"BreakByTimeout, Done, Close", 2, func() {
			br := breaker.BreakByTimeout(time.Hour)
			br.Done()
			br.Close()
		}},
		{"BreakByDeadline, Done, Close", 2, func() {
			br := breaker.BreakByDeadline(time.Now().Add(time.Hour))
			br.Done()
			br.Close()
		}},
		{"BreakByContext, Err, Close", 1, func() {
			br := breaker.BreakByContext(ctx, nil)
			sinkError = br.Err()
			br.Close()
		}},
		{"BreakByChannel, Err, Close", 1, func() {
			br := breaker.BreakByChannel(channel)
			sinkError = br.Err()
			br.Close()
		}},
		{"BreakBySignal, Close", 1, func() { breaker.BreakBySignal(os.Interrupt).Close() }},

		{"Multiplex of two, Close", 1, func() { breaker.Multiplex(open2(process)).Close() }},
		{"Multiplex(NopCloser, BreakByTimeout), Done, Close", 3, func() {
			br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour))
			br.Done()
			br.Close()
		}},
		{"Multiplex of four, Close", 1, func() {
			view := breaker.NopCloser(process)
			breaker.Multiplex(view, view, view, view).Close()
		}},
		{"Multiplex of five, Close", 2, func() {
			view := breaker.NopCloser(process)
			breaker.Multiplex(view, view, view, view, view).Close()
		}},

		{"OnTrip, stop", 1, func() {
			stop := process.OnTrip(callback)
			stop()
		}},
		{"OnTrip, stop, on an empty one", 1, func() {
			stop := open.OnTrip(callback)
			stop()
		}},
		{"late OnTrip", 1, func() { tripped.OnTrip(callback) }},

		{"NopCloser", 0, func() { sinkView = breaker.NopCloser(open) }},
		{"ToContext", 0, func() { sinkContext = breaker.ToContext(open) }},
		{"ToContext, Done, Err, Deadline, Value", 0, func() {
			ctx := breaker.ToContext(open)
			ctx.Done()
			sinkError = ctx.Err()
			ctx.Deadline()
			ctx.Value(contextKey{})
		}},

		{"Err, open", 0, func() { sinkError = open.Err() }},
		{"Err, tripped", 0, func() { sinkError = tripped.Err() }},
		{"Err, expired", 0, func() { sinkError = expired.Err() }},
		{"Err, of a context that is polled", 0, func() { sinkError = byContext.Err() }},
		{"Err, of a channel that is polled", 0, func() { sinkError = byChannel.Err() }},
		{"Err, of a context that is watched", 0, func() { sinkError = armed.Err() }},
		{"Err, of a context that ended", 0, func() { sinkError = ended.Err() }},
		{"Cause, open", 0, func() { sinkError = open.Cause() }},
		{"Cause, tripped", 0, func() { sinkError = tripped.Cause() }},
		{"Cause, expired", 0, func() { sinkError = expired.Cause() }},
		{"Done", 0, func() { open.Done() }},
		{"State", 0, func() { _ = open.State().String() }},
		{"Deadline", 0, func() { expired.Deadline() }},
		{"Trip, lost", 0, func() { tripped.Trip(errB) }},
		{"Close, again", 0, func() { tripped.Close() }},
	} {
		t.Run(budget.name, func(t *testing.T) {
			allocs := testing.AllocsPerRun(1_000, budget.do)
			// The race detector allocates for itself, and coverage counts where there was something
			// to inline.
			if !raceEnabled && testing.CoverMode() == "" {
				assert.Equal(t, budget.allocs, allocs)
			}
		})
	}
	assert.Equal(t, 1, registrations(process))
}

// The same for what makes requests, watches without owning, and has a timeout that moves.
func TestBudget_AllocationsOfRequests(t *testing.T) {
	process, other, tripped, expired := breaker.New(), breaker.New(), breaker.New(), breaker.BreakByTimeout(0)
	process.Done()
	defer process.OnTrip(func() {})() // a process-wide breaker has others registered
	defer other.OnTrip(func() {})()
	tripped.Trip(errA)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watched := breaker.Within(ctx, time.Hour, process)
	watched.Done()
	defer watched.Close()
	idle := breaker.BreakByIdle(time.Hour)
	defer idle.Close()
	ended := breaker.BreakByIdle(time.Hour)
	ended.Close()
	view := breaker.NopCloser(process)
	sinkView = view
	own := breaker.Interface(&byPointer{Breaker: process})
	var zero breaker.Idle
	callback := func() {}

	for _, budget := range []struct {
		name   string
		allocs float64
		do     func()
	}{
		{"Within(Background), Close", 1, func() { breaker.Within(context.Background(), time.Hour).Close() }},
		{"Within(Background), Done, Close", 2, func() {
			br := breaker.Within(context.Background(), time.Hour)
			br.Done()
			br.Close()
		}},
		{"Within(Background, one), Close", 1, func() { breaker.Within(context.Background(), time.Hour, process).Close() }},
		{"P3: Within(Background, one), Done, Close", 2, func() {
			br := breaker.Within(context.Background(), time.Hour, process)
			br.Done()
			br.Close()
		}},
		{"Within(Background, NopCloser), Done, Close", 2, func() {
			br := breaker.Within(context.Background(), time.Hour, view)
			br.Done()
			br.Close()
		}},
		{"Within(Background, one of the user's type), Done, Close", 2, func() {
			br := breaker.Within(context.Background(), time.Hour, own)
			br.Done()
			br.Close()
		}},
		{"Within(Background, two), Done, Close", 2, func() {
			br := breaker.Within(context.Background(), time.Hour, process, other)
			br.Done()
			br.Close()
		}},
		{"Within(Background, three), Close", 2, func() {
			breaker.Within(context.Background(), time.Hour, process, other, process).Close()
		}},
		{"Within(Background), over on return", 1, func() { sinkBreaker = breaker.Within(context.Background(), 0) }},
		{"Within(cancellable), Err, Close", 1, func() {
			br := breaker.Within(ctx, time.Hour)
			sinkError = br.Err()
			br.Close()
		}},
		{"Within(cancellable, one), Err, Close", 1, func() {
			br := breaker.Within(ctx, time.Hour, process)
			sinkError = br.Err()
			br.Close()
		}},
		{"Within(cancellable, one), Done, Close: with context.AfterFunc", 5, func() {
			br := breaker.Within(ctx, time.Hour, process)
			br.Done()
			br.Close()
		}},
		{"Within(ToContext), Close", 1, func() { breaker.Within(breaker.ToContext(process), time.Hour).Close() }},
		{"Within(ToContext), Done, Close", 2, func() {
			br := breaker.Within(breaker.ToContext(process), time.Hour)
			br.Done()
			br.Close()
		}},
		{"Within(ToContext, one), Done, Close", 2, func() {
			br := breaker.Within(breaker.ToContext(process), time.Hour, other)
			br.Done()
			br.Close()
		}},
		{"Within(ToContext, two), Close", 2, func() {
			breaker.Within(breaker.ToContext(process), time.Hour, other, other).Close()
		}},
		{"WithinCause(Background, one), Done, Close", 3, func() {
			br := breaker.WithinCause(context.Background(), time.Hour, errA, process)
			br.Done()
			br.Close()
		}},
		{"WithinCause(Background), over on return, Cause", 2, func() {
			sinkBreaker = breaker.WithinCause(context.Background(), 0, errA)
			sinkError = sinkBreaker.Cause()
		}},
		{"a watched Within: Err, Cause, Deadline", 0, func() {
			sinkError = watched.Err()
			sinkError = watched.Cause()
			watched.Deadline()
		}},

		{"Any of one, Close", 1, func() { breaker.Any(process).Close() }},
		{"Any of two, Close", 1, func() { breaker.Any(process, other).Close() }},
		{"Any of three, Close", 1, func() { breaker.Any(process, other, process).Close() }},
		{"Any of three, Done, Close", 2, func() {
			br := breaker.Any(process, other, process)
			br.Done()
			br.Close()
		}},
		{"Any of the user's type, Close", 1, func() { breaker.Any(own, own).Close() }},
		{"Any of four, Close", 1, func() { breaker.Any(process, other, process, other).Close() }},
		{"Any of five, Close", 2, func() { breaker.Any(process, other, process, other, view).Close() }},
		{"Any of one that has tripped", 1, func() { sinkBreaker = breaker.Any(tripped) }},

		{"BreakByTimeoutCause, Close", 1, func() { breaker.BreakByTimeoutCause(time.Hour, errA).Close() }},
		{"BreakByTimeoutCause, Done, Close", 2, func() {
			br := breaker.BreakByTimeoutCause(time.Hour, errA)
			br.Done()
			br.Close()
		}},
		{"BreakByTimeoutCause, over on return", 1, func() { sinkBreaker = breaker.BreakByTimeoutCause(0, errA) }},
		{"BreakByDeadlineCause, Done, Close", 2, func() {
			br := breaker.BreakByDeadlineCause(time.Now().Add(time.Hour), errA)
			br.Done()
			br.Close()
		}},

		{"BreakByIdle, Close: two and a timer", 3, func() { breaker.BreakByIdle(time.Hour).Close() }},
		{"BreakByIdle, over on return", 1, func() { sinkBreaker = &breaker.BreakByIdle(0).Breaker }},
		{"Touch", 0, func() { idle.Touch() }},
		{"Touch, tripped", 0, func() { ended.Touch() }},
		{"Touch, of a zero value", 0, func() { zero.Touch() }},
		{"Reset, longer and shorter", 0, func() {
			idle.Reset(2 * time.Hour)
			idle.Reset(time.Hour)
		}},
		{"Reset, tripped", 0, func() { ended.Reset(time.Hour) }},
		{"Idle: Err, Cause, Deadline", 0, func() {
			sinkError = idle.Err()
			sinkError = idle.Cause()
			idle.Deadline()
		}},

		{"AwaitClosed, closed", 0, func() { tripped.AwaitClosed() }},
		{"AwaitClosed, closed at once", 0, func() { expired.AwaitClosed() }},

		{"Interface: Cause, Deadline", 0, func() {
			for _, br := range []breaker.Interface{process, tripped, expired, view, own, watched, idle} {
				sinkError = br.Cause()
				br.Deadline()
			}
		}},
		{"NopCloser: OnTrip, stop", 1, func() {
			stop := view.OnTrip(callback)
			stop()
		}},
		{"Interface: OnTrip, stop", 2, func() {
			// The compiler can't inline this, and stop is an allocation of its own.
			stop := sinkView.OnTrip(callback)
			stop()
		}},
	} {
		t.Run(budget.name, func(t *testing.T) {
			allocs := testing.AllocsPerRun(1_000, budget.do)
			if !raceEnabled && testing.CoverMode() == "" {
				assert.Equal(t, budget.allocs, allocs)
			}
		})
	}
	assert.Equal(t, 2, registrations(process), "its own, and that of what is watched")
	assert.Equal(t, 1, registrations(other))
}

// What one of them takes, with all that it holds but the timer, which is used again. They are size
// classes of Go's allocator.
func TestBudget_BytesOfRequests(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" || unsafe.Sizeof(uintptr(0)) != 8 {
		assert.NotEmpty(t, sizesOfRequests())
		return
	}
	for _, budget := range sizesOfRequests() {
		assert.Equal(t, budget.bytes, bytesPerRun(budget.make), budget.name)
	}
	assert.Equal(t, uintptr(96), unsafe.Sizeof(breaker.Idle{}))
}

type size struct {
	name  string
	bytes uint64
	make  func() *breaker.Breaker
}

func sizesOfRequests() []size {
	process := breaker.New()
	background := context.Background()
	return []size{
		{"Within", 112, func() *breaker.Breaker { return breaker.Within(background, time.Hour) }},
		{"Within, one", 144, func() *breaker.Breaker { return breaker.Within(background, time.Hour, process) }},
		{"Within, two", 176, func() *breaker.Breaker { return breaker.Within(background, time.Hour, process, process) }},
		{"Any, one", 112, func() *breaker.Breaker { return breaker.Any(process) }},
		{"Any, two", 144, func() *breaker.Breaker { return breaker.Any(process, process) }},
		{"Any, three", 176, func() *breaker.Breaker { return breaker.Any(process, process, process) }},
		{"BreakByTimeoutCause", 96, func() *breaker.Breaker { return breaker.BreakByTimeoutCause(time.Hour, errA) }},
	}
}

// bytesPerRun returns how much f allocates, and Close of what it makes. The collector may empty the
// pool of timers meanwhile, so the least of some counts.
func bytesPerRun(f func() *breaker.Breaker) uint64 {
	const runs = 100
	least := uint64(math.MaxUint64)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			sinkBreaker = f()
			sinkBreaker.Close()
		}
		runtime.ReadMemStats(&after)
		least = min(least, (after.TotalAlloc-before.TotalAlloc)/runs)
	}
	return least
}

// open2 is for a call with two arguments whose slice doesn't escape.
func open2(br breaker.Interface) (one, two breaker.Interface) {
	return breaker.NopCloser(br), breaker.NopCloser(br)
}

// promise 11: no goroutine for any of these, however many live, and none is left.
func TestBudget_NoGoroutine(t *testing.T) {
	n := scaled(100_000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	process := breaker.New()
	defer process.Close()
	var cancels []context.CancelFunc
	for name, construct := range map[string]func() *breaker.Breaker{
		"New":             breaker.New,
		"BreakByTimeout":  func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
		"BreakByDeadline": func() *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(time.Hour)) },
		"BreakByContext":  func() *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
		"BreakByContext of a view": func() *breaker.Breaker {
			return breaker.BreakByContext(breaker.ToContext(process), nil)
		},
		"Multiplex": func() *breaker.Breaker {
			return breaker.Multiplex(breaker.NopCloser(process), breaker.New())
		},
		"NopCloser": func() *breaker.Breaker {
			br := breaker.New()
			breaker.NopCloser(br).Done()
			return br
		},
		"ToContext, and contexts derived from it": func() *breaker.Breaker {
			br := breaker.New()
			derived, cancel := context.WithCancel(breaker.ToContext(br))
			cancels = append(cancels, cancel)
			derived, cancel = context.WithTimeout(context.WithValue(derived, contextKey{}, 1), time.Hour)
			cancels = append(cancels, cancel)
			derived.Done()
			derived, cancel = context.WithCancel(context.WithValue(breaker.ToContext(br), contextKey{}, 1))
			cancels = append(cancels, cancel)
			derived.Done()
			return br
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				for _, cancel := range cancels {
					cancel()
				}
				cancels = nil
			}()
			// Goroutines of tests before may still end meanwhile, so there may be fewer.
			awaitQuiet(t)
			before := testkit.AllGoroutines()
			all := make([]*breaker.Breaker, n)
			for i := range all {
				all[i] = construct()
				all[i].Done() // someone waits
				all[i].OnTrip(func() {})
			}
			testkit.AwaitAtMost(t, before)
			assert.Zero(t, ownGoroutines())
			for _, br := range all {
				br.Close()
			}
			testkit.AwaitAtMost(t, before)
			assert.Zero(t, registrations(process))
		})
	}
}

// promise 11: one goroutine for each distinct signal and for each distinct channel that someone
// waits for, however many breakers share it; and none when the last of them is gone.
func TestBudget_OneGoroutineForEachSource(t *testing.T) {
	const n = 1_000
	one, two := make(chan struct{}), make(chan struct{})
	for name, test := range map[string]struct {
		construct func(i int) *breaker.Breaker
		polled    int // goroutines as long as nobody waits
		waited    int
	}{
		"a signal":    {func(int) *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt) }, 1, 1},
		"two signals": {func(int) *breaker.Breaker { return breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM) }, 2, 2},
		"one of two signals": {func(i int) *breaker.Breaker {
			return breaker.BreakBySignal([]os.Signal{os.Interrupt, syscall.SIGTERM}[i%2])
		}, 2, 2},
		"a channel": {func(int) *breaker.Breaker { return breaker.BreakByChannel(one) }, 0, 1},
		"one of two channels": {func(i int) *breaker.Breaker {
			return breaker.BreakByChannel([]chan struct{}{one, two}[i%2])
		}, 0, 2},
		"a nil channel": {func(int) *breaker.Breaker { return breaker.BreakByChannel(nil) }, 0, 0},
		"a channel and a signal": {func(int) *breaker.Breaker {
			return breaker.Multiplex(breaker.BreakByChannel(one), breaker.BreakBySignal(os.Interrupt))
		}, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			awaitQuiet(t)
			all := make([]*breaker.Breaker, n)
			for i := range all {
				all[i] = test.construct(i)
				assert.NoError(t, all[i].Err())
			}
			assert.Equal(t, test.polled, ownGoroutines())
			for _, br := range all {
				br.Done()
			}
			assert.Equal(t, test.waited, ownGoroutines())
			for _, br := range all[2:] {
				br.Close()
			}
			assert.Equal(t, test.waited, ownGoroutines(), "the first two are left")
			all[0].Close()
			all[1].Close()
			awaitQuiet(t)
		})
	}
}

// compiled returns what the compiler says of the package's inlining, by file and line.
func compiled(t *testing.T) (can map[string]bool, calls map[string][]string) {
	t.Helper()
	can, calls = make(map[string]bool), make(map[string][]string)
	out, err := exec.Command("go", "build", "-gcflags=-m=2", ".", "./internal/atomic").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var (
		canInline = regexp.MustCompile(`^(\S+\.go):\d+:\d+: can inline (\S+) with cost`)
		inlines   = regexp.MustCompile(`^(?:\./)?(\S+\.go:\d+):\d+: inlining call to (.+)`)
	)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if found := canInline.FindStringSubmatch(lines.Text()); found != nil {
			dir := filepath.ToSlash(filepath.Dir(found[1]))
			can[dir+"/"+found[2]] = true
		}
		if found := inlines.FindStringSubmatch(lines.Text()); found != nil {
			calls[found[1]] = append(calls[found[1]], found[2])
		}
	}
	return can, calls
}

func TestBudget_Inlining(t *testing.T) {
	can, calls := compiled(t)

	// The hot paths, and those whose price for the caller is that of an allocation less.
	functions := []string{
		"./(*Breaker).Close", "./(*Breaker).OnTrip", "./handle.stop", "./NopCloser", "./ToContext",
		"./(*contextView).Done", "./(*nopCloser).Close", "./(*nopCloser).Done",
	}
	if strconv.IntSize == 64 {
		// On 32 bits the compiler counts an atomic load as a call.
		functions = append(functions, "./(*Breaker).Err")
	}
	for _, function := range functions {
		assert.True(t, can[function], "not inlined: %s", function)
	}
	// The seam costs nothing.
	seam := []string{"Uint32Of", "Int32Of", "Close", "Closed", "Wait", "(*Chan).Load", "(*Chan).CompareAndSwap"}
	if strconv.IntSize == 64 {
		seam = append(seam, "(*Chan).Touch")
	}
	for _, function := range seam {
		assert.True(t, can["internal/atomic/"+function], "not inlined: %s", function)
	}
	// Each atomic operation on the state word, and on the slots of the registry, is an instruction
	// and not a call.
	slots := regexp.MustCompile(`\b(?:s|slots\[[\w.]+\]|first\[0\]|base|crowded|sealed|failed|span|swept)\.(Load|CompareAndSwap|Store|Inc|Dec)\(`)
	for file, operations := range map[string]*regexp.Regexp{
		"state.go":                       regexp.MustCompile(`\bstate\.(Load|CompareAndSwap)\(`),
		"breaker.go":                     regexp.MustCompile(`\bstate\.(Load|CompareAndSwap)\(`),
		"once_close.go":                  regexp.MustCompile(`\b(?:state|o\.c)\.(Load|CompareAndSwap)\(`),
		"internal/registry/registry.go":  slots,
		"internal/registry/directory.go": slots,
		"internal/registry/sweep.go":     slots,
	} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		count := 0
		for i, line := range strings.Split(string(source), "\n") {
			code, _, _ := strings.Cut(line, "//")
			for _, found := range operations.FindAllStringSubmatch(code, -1) {
				count++
				at := file + ":" + strconv.Itoa(i+1)
				assert.True(t, hasSuffix(calls[at], ")."+found[1]), "%s: not inlined: %s; but %v", at, found[0], calls[at])
			}
		}
		assert.NotZero(t, count, "no atomic operation in %s: has it moved?", file)
	}
}

func hasSuffix(all []string, suffix string) bool {
	for _, one := range all {
		if strings.HasSuffix(one, suffix) {
			return true
		}
	}
	return false
}
