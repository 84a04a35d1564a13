//go:build breaker_explore

package breaker

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamilsk/breaker/internal/explore"
	"github.com/kamilsk/breaker/internal/registry"
)

// TestExploreSeam shows that what the package starts, locks, closes and waits for goes through the
// seam. What doesn't would make TestExplore miss schedules, or hang.
func TestExploreSeam(t *testing.T) {
	started := explore.Explore(func(r *explore.Run) {
		b := New()
		b.Close()
		view := ToContext(b).(interface{ AfterFunc(func()) func() bool })
		r.Go(func() { view.AfterFunc(func() {}) })
	}, explore.Options{})
	if started.Threads != 2 {
		t.Error("context.go: AfterFunc starts a goroutine by itself, not by atomic.Go")
	}
	spins := explore.Explore(func(r *explore.Run) {
		b := BreakByChannel(make(chan struct{}))
		r.Go(func() { b.Err() })
		r.Go(func() { b.Err() })
	}, explore.Options{Steps: 200})
	if spins.Failure != nil {
		t.Error("channel.go: poll spins by itself, not by atomic.AwaitZero")
	}
}

// TestExplore runs small concurrent programs on every schedule of their accesses to shared memory,
// with the real code of this package behind the seam in internal/atomic:
//
//	go test -tags breaker_explore -run Explore -v .
//
// Programs of two threads are searched completely, but for the few that have more than quickProgram
// schedules, which only a run with BREAKER_SCHEDULES completes. Those of three share what is left
// of that number, which is the size of the run. A violation names its schedule, which
// BREAKER_SCHEDULE repeats.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // little lives, and there is much garbage

	e := exploration{want: quickRun, begun: time.Now()}
	if text := os.Getenv("BREAKER_SCHEDULES"); text != "" {
		want, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("BREAKER_SCHEDULES: %v", err)
		}
		e.want = want
	}
	for _, g := range groups {
		e.bubble = g.bubble
		e.group(t, g.name, g.share, g.programs(e.want > quickRun))
	}

	t.Logf("%d programs, %d of them complete; %d schedules, and %d begun that were equivalent to one of them; %.0f a second",
		e.programs, e.complete, e.schedules, e.redundant, float64(e.schedules+e.redundant)/time.Since(e.begun).Seconds())
	if e.programs == e.selected && e.schedules < min(e.want, quickRun) {
		t.Errorf("only %d schedules: the programs have become trivial", e.schedules)
	}
}

// quickRun is how many schedules a run has that isn't told.
const quickRun = 5_000_000

// quickProgram is how many schedules such a run has of one program of two threads.
const quickProgram = 250_000

// program is something to explore. Its setup runs before each schedule.
type program struct {
	name  string
	setup func(r *explore.Run)
}

// exploration is a run of all programs.
type exploration struct {
	want      int // schedules, in all
	begun     time.Time
	selected  int // programs, of which the command line may choose some
	programs  int
	complete  int
	schedules int
	redundant int
	// bubble has the programs run in bubbles of testing/synctest, where time stands still until all
	// threads have ended.
	bubble bool
}

// run calls f, which runs a program.
func (e *exploration) run(t *testing.T, f func()) {
	if !e.bubble {
		f()
		return
	}
	synctest.Test(t, func(*testing.T) { f() })
}

// group explores the programs, in that order. If they share, each may take its part of the
// schedules that are left, else as many as it takes.
func (e *exploration) group(t *testing.T, name string, share bool, programs []program) {
	e.selected += len(programs)
	t.Run(name, func(t *testing.T) {
		for i, p := range programs {
			t.Run(p.name, func(t *testing.T) {
				limit := 0
				if e.want == quickRun {
					limit = quickProgram
				}
				if share {
					limit = max(1000, (e.want-e.schedules)/(len(programs)-i))
				}
				e.explore(t, p, limit)
			})
		}
	})
}

// explore explores one program.
func (e *exploration) explore(t *testing.T, p program, limit int) {
	registry.SetWide(true)
	if schedule, ok := os.LookupEnv("BREAKER_SCHEDULE"); ok {
		var got explore.Failure
		e.run(t, func() { got = explore.Replay(p.setup, schedule) })
		got.Report(t)
		return
	}
	begun := time.Now()
	var got explore.Result
	search := func() { got = explore.Explore(p.setup, explore.Options{Schedules: limit}) }
	e.run(t, search)
	for e.want > quickRun && got.Threads <= 2 && !got.Complete && got.Failure == nil {
		limit *= 10
		e.run(t, search)
	}
	e.programs++
	e.schedules += got.Schedules
	e.redundant += got.Redundant
	if got.Complete {
		e.complete++
	}
	got.Report(t, ".", begun)
}

// threadsOf returns the name of a program of such threads.
func threadsOf(threads []string) string { return strings.Join(threads, " vs ") }
