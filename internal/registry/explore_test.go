//go:build breaker_explore

package registry

import (
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kamilsk/breaker/internal/explore"
)

// How many schedules a program may take by default: that is enough to complete nearly all of those
// of two threads.
const (
	quickProgram = 100_000
	quickTriple  = 10_000
)

// TestExplore runs small concurrent programs on every schedule of their accesses to shared memory:
//
//	go test -tags breaker_explore -run Explore -v ./internal/registry
//
// A program takes at most as many schedules as BREAKER_REGISTRY_SCHEDULES says. A violation names
// its schedule, which BREAKER_SCHEDULE repeats.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // little lives, and there is much garbage
	limit, triple := quickProgram, quickTriple
	if text := os.Getenv("BREAKER_REGISTRY_SCHEDULES"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil {
			t.Fatalf("BREAKER_REGISTRY_SCHEDULES: %v", err)
		}
		triple = limit
	}
	e := exploration{}
	e.group(t, "pairs", limit, pairs())
	e.group(t, "directory", limit, directories())
	e.group(t, "triples", triple, slices.Concat(directoryTriples(), triples()))
	t.Logf("%d programs, %d of them complete; %d schedules", e.programs, e.complete, e.schedules)
}

// program is something to explore. Its setup runs before each schedule.
type program struct {
	name  string
	setup func(r *explore.Run)
}

// exploration is a run of all programs.
type exploration struct {
	programs, complete, schedules int
}

func (e *exploration) group(t *testing.T, name string, limit int, programs []program) {
	t.Run(name, func(t *testing.T) {
		for _, p := range programs {
			t.Run(p.name, func(t *testing.T) { e.explore(t, p, limit) })
		}
	})
}

func (e *exploration) explore(t *testing.T, p program, limit int) {
	setup := func(r *explore.Run) {
		SetWide(true)
		placeOfAll = 0
		p.setup(r)
	}
	if schedule, ok := os.LookupEnv("BREAKER_SCHEDULE"); ok {
		explore.Replay(setup, schedule).Report(t)
		return
	}
	begun := time.Now()
	got := explore.Explore(setup, explore.Options{Schedules: limit})
	e.programs++
	e.schedules += got.Schedules
	if got.Complete {
		e.complete++
	}
	got.Report(t, "./internal/registry", begun)
}

// subject is an event that the threads of a program work on, with a ledger of what came of each
// entry. Threads write to the ledger and never read it.
type subject struct {
	event
	r      *explore.Run
	probes []*probe
	shared *probe // put by the setup
}

// probe is an entry and what came of it.
type probe struct {
	*entry
	told, taken, late int
}

func explored(r *explore.Run) *subject {
	s := &subject{r: r}
	r.Name("v", &s.event)
	r.AtEnd(func() { r.AtEnd(s.end) })
	return s
}

func (s *subject) put(build func(func()) *entry) *probe {
	p := new(probe)
	p.entry = build(func() { p.told++ })
	s.probes = append(s.probes, p)
	if !s.event.put(p.entry) {
		p.late++
	}
	return p
}

func (s *subject) take(p *probe) {
	if s.g.Take(p.entry) {
		p.taken++
	}
}

// end checks what must hold when all threads have ended.
func (s *subject) end() {
	if s.word.Load() == 0 {
		_, got := s.g.Slots()
		want := 0
		for _, p := range s.probes {
			want += 1 - p.taken
			if p.told+p.late > 0 {
				s.r.Failf("promise 6: a callback ran, and there was no event")
			}
		}
		if got != want {
			s.r.Failf("promise 10: %d entries are left, should be %d", got, want)
		}
		s.mustBeWanted()
		s.come()
	}
	for _, p := range s.probes {
		// Links stay in their slots while they are told, so they may be taken out or back as well.
		link := p.Node != nil
		switch total := p.told + p.taken + p.late; {
		case total == 0:
			s.r.Failf("promise 6: a callback was lost")
		case p.told > 1:
			s.r.Failf("promise 6: a callback ran %d times", p.told)
		case p.taken > 1:
			s.r.Failf("promise 7: a callback was stopped %d times", p.taken)
		case total > 1 && !link:
			s.r.Failf("promise 7: told %d times, taken %d times, late %d times", p.told, p.taken, p.late)
		case s.g.Take(p.entry):
			s.r.Failf("promise 7: what was told or taken was taken")
		}
	}
	if _, got := s.g.Slots(); got != 0 {
		s.r.Failf("promise 10: %d entries are left", got)
	}
	if s.g.HasDirectory() {
		s.r.Failf("promise 10: what has been forgotten has a directory")
	}
}

// mustBeWanted fails if there is an empty block beyond span.
func (s *subject) mustBeWanted() {
	b := s.g.base.Load()
	if b == nil {
		return
	}
	for c := range b.directories {
		dir := b.directories[c].Load()
		if dir == nil {
			continue
		}
		for n := dir.span.Load(); n < 4; n++ {
			if made := dir.at(n).Load(); made != nil && made.isEmpty() {
				s.r.Failf("promise 17: an empty block that nobody wants is left")
			}
		}
	}
}

// op is an operation on a subject, by its name.
type op string

// do runs the operations, one after the other, in the calling thread.
func (s *subject) do(ops []op) {
	var own *probe
	for _, o := range ops {
		s.r.Label(string(o))
		switch o {
		case "put":
			own = s.put(newCallback)
		case "putLink":
			own = s.put(newLink)
		case "take":
			s.take(own)
		case "takeShared":
			s.take(s.shared)
		case "come":
			s.come()
		}
	}
}

// The states that the registry is in when the threads begin.
var beginnings = []struct {
	name  string
	setup func(s *subject)
}{
	{"fresh", func(*subject) {}},
	{"held", func(s *subject) { s.shared = s.put(newCallback) }},
	{"held by a link", func(s *subject) { s.shared = s.put(newLink) }},
	{"held, narrow", func(s *subject) {
		SetWide(false)
		s.shared = s.put(newCallback)
	}},
	{"base full", func(s *subject) { s.fill(1 + baseSlots) }},
	{"block full", func(s *subject) { s.fill(1 + baseSlots + blockSlots) }},
	{"second block begun", func(s *subject) { s.fill(1 + baseSlots + blockSlots + 1) }},
}

func (s *subject) fill(n int) {
	for range n {
		s.shared = s.put(newCallback)
	}
}

// single are the operations of a thread that are tried against each other.
var single = [][]op{{"come"}, {"put"}, {"putLink"}, {"put", "take"}, {"putLink", "take"}, {"takeShared"}}

// plain returns the program in which each thread does such operations on one event.
func plain(beginning int, threads ...[]op) program {
	begin := beginnings[beginning]
	names := make([]string, len(threads))
	for i, ops := range threads {
		for j, o := range ops {
			if j > 0 {
				names[i] += "."
			}
			names[i] += string(o)
		}
	}
	return program{begin.name + ": " + strings.Join(names, " vs "), func(r *explore.Run) {
		s := explored(r)
		begin.setup(s)
		for _, ops := range threads {
			r.Go(func() { s.do(ops) })
		}
	}}
}

// makesSense reports whether nothing is taken that isn't there.
func makesSense(beginning int, threads ...[]op) bool {
	return beginning > 0 || !slices.Contains(slices.Concat(threads...), "takeShared")
}

// pairs has each unordered pair of operations, from each beginning.
func pairs() (programs []program) {
	for beginning := range beginnings {
		for i, x := range single {
			for _, y := range single[i:] {
				if makesSense(beginning, x, y) {
					programs = append(programs, plain(beginning, x, y))
				}
			}
		}
	}
	return programs
}

// triples has each triple of them.
func triples() (programs []program) {
	for beginning := range beginnings {
		for i, x := range single {
			for j, y := range single[i:] {
				for _, z := range single[i+j:] {
					if makesSense(beginning, x, y, z) {
						programs = append(programs, plain(beginning, x, y, z))
					}
				}
			}
		}
	}
	return programs
}
