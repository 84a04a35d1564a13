//go:build breaker_explore

package hub

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/explore"
)

// What isn't accessed by way of internal/atomic would make the explorer miss schedules, or hang.
func TestExplore_Seam(t *testing.T) {
	var m Map[*started]
	if _, ok := any(&m.mu).(*atomic.Mutex); !ok {
		t.Error("the mutex isn't one of internal/atomic")
	}
	if _, ok := any(&m.entries).(*atomic.Map); !ok {
		t.Error("the map isn't one of internal/atomic")
	}
}

// started is an entry of a program. It counts how often its last one has left.
type started struct {
	Entry
	ended atomic.Uint32
}

// world is a map that a program's threads share, with one key.
type world struct {
	r   *explore.Run
	m   Map[*started]
	all []*started
	// removed is 1 once the first entry has been removed.
	removed atomic.Uint32
	// sudden says that an entry is removed as soon as it is started.
	sudden bool
}

const key = "key"

func newWorld(r *explore.Run) *world {
	w := &world{r: r}
	r.Name("map", &w.m)
	r.AtEnd(func() {
		r.AtEnd(w.end) // after all have left
	})
	return w
}

func (w *world) start() *started {
	s := new(started)
	w.all = append(w.all, s)
	w.r.Name("entry", s)
	if w.sudden {
		w.r.Go(func() { w.remove(s) })
	}
	return s
}

// join joins, and leaves at the end.
func (w *world) join() *started {
	s, _ := w.m.Join(key, w.start)
	w.live(s)
	w.r.AtEnd(func() { w.leave(s) })
	return s
}

// live checks that an entry that somebody is on hasn't ended.
func (w *world) live(s *started) {
	if s.ended.Load() != 0 {
		w.r.Failf("promise 11: an entry has ended, and was joined")
	}
}

func (w *world) leave(s *started) {
	if w.m.Leave(s) {
		s.ended.Inc()
	}
}

func (w *world) remove(s *started) {
	w.r.Label("remove")
	w.m.Remove(s)
	w.removed.Store(1)
}

// joinAfter joins, and checks that it doesn't get the first if that was seen to have been removed.
func (w *world) joinAfter(first *started) {
	if w.removed.Load() == 0 {
		return
	}
	w.sudden = false
	if w.join() == first {
		w.r.Failf("promise 12: an entry was joined after it had been removed")
	}
}

func (w *world) end() {
	for _, s := range w.all {
		if ended := s.ended.Load(); ended != 1 {
			w.r.Failf("promise 10: an entry has ended %d times", ended)
		}
	}
	if _, ok := w.m.entries.Load(key); ok {
		w.r.Failf("promise 10: an entry is left in the map")
	}
}

// program is named by its threads. "join" joins, and leaves at the end. "leave", "remove" and "then
// join" concern an entry that was joined before: the first to leave it is a thread, or the end.
type program []string

func (p program) name() string { return strings.Join(p, " vs ") }

func (p program) has(thread string) bool { return slices.Contains(p, thread) }

func (p program) setup(r *explore.Run) {
	w := newWorld(r)
	w.sudden = p.has("join, then join")
	var first *started
	switch {
	case p.has("leave"):
		first, _ = w.m.Join(key, w.start)
	case p.has("remove"):
		first = w.join()
	}
	for _, thread := range p {
		r.Go(func() {
			r.Label(thread)
			switch thread {
			case "join":
				w.join()
			case "join, leave":
				s, _ := w.m.Join(key, w.start)
				w.live(s)
				w.leave(s)
			case "find, leave":
				if s, found := w.m.Find(key); found {
					w.live(s)
					w.leave(s)
				}
			case "leave":
				w.leave(first)
			case "remove":
				w.remove(first)
			case "then join":
				w.joinAfter(first)
			case "join, then join":
				w.joinAfter(w.join())
			default:
				panic("no thread " + thread)
			}
		})
	}
	if p.name() == "join vs join" {
		r.AtEnd(func() {
			if len(w.all) != 1 {
				r.Failf("promise 11: %d entries for one key", len(w.all))
			}
		})
	}
}

var programs = []program{
	{"join", "join"},
	{"join, leave", "join"},
	{"join, leave", "join, leave"},
	{"find, leave", "join, leave"},
	{"join", "leave"},
	{"join, leave", "leave"},
	{"find, leave", "leave"},
	{"join", "remove"},
	{"join, leave", "remove"},
	{"find, leave", "remove"},
	{"leave", "remove"},
	{"remove", "remove"},
	{"then join", "remove"},
	{"join, then join"}, // against a removal as soon as there is an entry

	{"join, leave", "join, leave", "join, leave"},
	{"join, leave", "join, leave", "leave"},
	{"join", "join", "leave"},
	{"join", "leave", "remove"},
	{"join, leave", "leave", "remove"},
	{"find, leave", "leave", "remove"},
	{"then join", "leave", "remove"},
	{"then join", "join", "remove"},
	{"join", "join", "remove"},
}

// TestExplore runs small concurrent programs on every schedule of their accesses to shared memory:
//
//	go test -tags breaker_explore -run Explore -v ./internal/hub
//
// A violation names its schedule, which BREAKER_SCHEDULE repeats.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // little lives, and there is much garbage
	var complete, schedules int
	for _, p := range programs {
		t.Run(p.name(), func(t *testing.T) {
			if schedule, ok := os.LookupEnv("BREAKER_SCHEDULE"); ok {
				explore.Replay(p.setup, schedule).Report(t)
				return
			}
			begun := time.Now()
			got := explore.Explore(p.setup, explore.Options{})
			if got.Complete {
				complete++
			}
			schedules += got.Schedules
			got.Report(t, "./internal/hub", begun)
		})
	}
	t.Logf("%d programs, %d of them complete; %d schedules", len(programs), complete, schedules)
}
