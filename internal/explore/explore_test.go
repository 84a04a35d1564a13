package explore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/kamilsk/breaker/internal/explore"
)

// variable is what the threads of these tests share.
type variable struct{ value int }

func (v *variable) load() int {
	explore.Access(unsafe.Pointer(v), explore.Read)
	return v.value
}

func (v *variable) store(value int) {
	explore.Access(unsafe.Pointer(v), explore.Write)
	v.value = value
}

func (v *variable) swap(from, to int) bool {
	explore.Access(unsafe.Pointer(v), explore.Swap)
	if v.value != from {
		explore.Unchanged()
		return false
	}
	v.value = to
	return true
}

func (v *variable) inc() int {
	explore.Access(unsafe.Pointer(v), explore.Write)
	v.value++
	return v.value
}

// gate is what they wait for.
type gate struct{ open bool }

func (g *gate) Ready() bool { return g.open }

func (g *gate) lift() {
	explore.Access(unsafe.Pointer(g), explore.Write)
	g.open = true
}

func (g *gate) await() { explore.Await(unsafe.Pointer(g), explore.Read, g) }

// drop closes the gate again, so that others wait again.
func (g *gate) drop() {
	explore.Access(unsafe.Pointer(g), explore.Write)
	g.open = false
}

type mutex struct{ held bool }

func (m *mutex) Ready() bool { return !m.held }

func (m *mutex) lock() {
	explore.Await(unsafe.Pointer(m), explore.Write, m)
	if m.held {
		panic("locked twice")
	}
	m.held = true
}

func (m *mutex) unlock() {
	explore.Access(unsafe.Pointer(m), explore.Write)
	m.held = false
}

// TestExplore_Every counts interleavings that can be counted by hand.
func TestExplore_Every(t *testing.T) {
	steps := func(threads, n int) func(*explore.Run) {
		return func(r *explore.Run) {
			var v variable
			for range threads {
				r.Go(func() {
					for range n {
						v.inc()
					}
				})
			}
		}
	}
	for _, test := range []struct{ threads, steps, preemptions, want int }{
		{2, 1, 0, 2},
		{2, 3, 0, 20},      // 6! / 3! 3!
		{2, 8, 0, 12870},   // 16! / 8! 8!
		{3, 3, 0, 1680},    // 9! / 3! 3! 3!
		{2, 3, 1, 2 + 2*2}, // at the beginning of the other's, or in two places within the first's
	} {
		got := explore.Explore(steps(test.threads, test.steps), explore.Options{Every: true, Preemptions: test.preemptions})
		if got.Schedules != test.want || !got.Complete || got.Failure != nil {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

// TestExplore_Reduced counts classes of equivalent interleavings that can be counted by hand.
func TestExplore_Reduced(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    int
		program func(*explore.Run)
	}{
		{"independent", 1, func(r *explore.Run) {
			var v [3]variable
			for i := range v {
				r.Go(func() { v[i].inc(); v[i].inc(); v[i].inc() })
			}
		}},
		{"readers", 1, func(r *explore.Run) {
			var v variable
			for range 4 {
				r.Go(func() { v.load(); v.load() })
			}
		}},
		// Each of the three reads before or after.
		{"a writer and readers", 8, func(r *explore.Run) {
			var v variable
			r.Go(func() { v.store(1) })
			for range 3 {
				r.Go(func() { v.load() })
			}
		}},
		{"Dekker", 3, func(r *explore.Run) { // at least one of the two sees the other
			var x, y variable
			r.Go(func() { x.store(1); y.load() })
			r.Go(func() { y.store(1); x.load() })
		}},
		{"one of three swaps", 3, func(r *explore.Run) { // who succeeds; those that fail only read
			var v variable
			for i := range 3 {
				r.Go(func() { v.swap(0, i+1) })
			}
		}},
		{"started threads", 2, func(r *explore.Run) {
			var v, w variable
			r.Go(func() {
				w.inc()
				r.Go(func() { v.inc() })
				v.inc()
			})
		}},
		{"a lock", 6, func(r *explore.Run) {
			var m mutex
			var v variable
			for range 3 {
				r.Go(func() { m.lock(); v.inc(); m.unlock() })
			}
		}},
		{"a gate", 1, func(r *explore.Run) {
			var g gate
			for range 2 {
				r.Go(g.await)
			}
			r.Go(g.lift)
		}},
	} {
		got := explore.Explore(test.program, explore.Options{})
		if got.Schedules != test.want || !got.Complete || got.Failure != nil {
			t.Errorf("%s: %+v, want %d schedules", test.name, got, test.want)
		}
	}
}

// TestExplore_ReducedFindsAll runs random programs with and without reduction, and compares what
// their threads saw: each outcome that some schedule has must come with the reduction, too.
func TestExplore_ReducedFindsAll(t *testing.T) {
	programs := 1000
	if testing.Short() {
		programs = 50
	}
	every, reduced := 0, 0
	for seed := range programs {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		program := randomProgram(random)
		a, all := outcomes(program, explore.Options{Every: true})
		b, some := outcomes(program, explore.Options{})
		every, reduced = every+a.Schedules, reduced+b.Schedules+b.Redundant
		if !a.Complete || !b.Complete {
			t.Fatalf("seed %d: not complete: %+v %+v", seed, a, b)
		}
		for outcome := range all {
			if !some[outcome] {
				t.Fatalf("seed %d: the reduction lost the outcome %s\n%s", seed, outcome, program)
			}
		}
		for outcome := range some {
			if !all[outcome] {
				t.Fatalf("seed %d: the reduction made up the outcome %s", seed, outcome)
			}
		}
		if b.Schedules > a.Schedules {
			t.Errorf("seed %d: %d schedules became %d", seed, a.Schedules, b.Schedules)
		}
	}
	t.Logf("%d programs: %d schedules, reduced to %d", programs, every, reduced)
}

// code is a random program: the operations of its threads.
type code [][]op

type op struct {
	do   string
	v    int
	a, b int
}

func (c code) String() string {
	var s strings.Builder
	for _, ops := range c {
		fmt.Fprintln(&s, ops)
	}
	return s.String()
}

func randomProgram(random *rand.Rand) code {
	threads, length := 2, 4
	if random.IntN(2) == 0 {
		threads, length = 3, 3
	}
	c := make(code, threads)
	for i := range c {
		locked := false
		for range 1 + random.IntN(length) {
			o := op{v: random.IntN(2), a: random.IntN(3), b: random.IntN(3)}
			switch random.IntN(10) {
			case 0, 1:
				o.do = "load"
			case 2:
				o.do = "store"
			case 3, 4:
				o.do = "swap"
			case 5:
				o.do = "lift"
			case 6:
				o.do = "await"
			case 7:
				o.do = "lock"
				if locked {
					o.do = "unlock"
				}
				locked = !locked
			case 8:
				o.do = "drop"
			case 9:
				o.do = "go"
				if i > 0 || locked {
					o.do = "load"
				}
			}
			c[i] = append(c[i], o)
		}
		if locked {
			c[i] = append(c[i], op{do: "unlock"})
		}
	}
	return c
}

// outcomes returns all that the program may come to: what each thread saw, and how far it got.
func outcomes(c code, o explore.Options) (explore.Result, map[string]bool) {
	found := map[string]bool{}
	result := explore.Explore(func(r *explore.Run) {
		var v [2]variable
		var g gate
		var m mutex
		logs := make([]string, len(c)+maxStarted)
		started := 0
		var run func(ops []op, log *string)
		run = func(ops []op, log *string) {
			for i, o := range ops {
				switch o.do {
				case "load":
					*log += fmt.Sprint(v[o.v].load())
				case "store":
					v[o.v].store(o.a)
				case "swap":
					*log += fmt.Sprint(v[o.v].swap(o.a, o.b))
				case "lift":
					g.lift()
				case "drop":
					g.drop()
				case "await":
					g.await()
				case "lock":
					m.lock()
				case "unlock":
					m.unlock()
				case "go":
					if started == maxStarted {
						continue
					}
					started++
					next := &logs[len(c)+started-1]
					r.Daemon(func() { run(ops[i+1:], next) })
				}
				*log += ";"
			}
		}
		for i, ops := range c {
			r.Daemon(func() { run(ops, &logs[i]) })
		}
		r.AtEnd(func() { found[fmt.Sprint(v, logs)] = true })
	}, o)
	return result, found
}

const maxStarted = 1

// TestExplore_NotDeterministic: a program that does something else each time is found out.
func TestExplore_NotDeterministic(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		runs := 0
		got := explore.Explore(func(r *explore.Run) {
			runs++
			var v variable
			var g gate
			r.Go(func() {
				switch {
				case runs == 1:
					v.inc()
				case enabled:
					v.load()
				default:
					g.await()
				}
				v.inc()
				g.lift()
			})
			r.Go(func() { v.inc(); v.inc() })
		}, explore.Options{})
		if got.Failure == nil || !strings.Contains(got.Failure.Message, "deterministic") {
			t.Errorf("%+v", got)
		}
	}
}

// TestExplore_Failures: what goes wrong is found, described, and happens again when its schedule is
// replayed.
func TestExplore_Failures(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    string
		program func(*explore.Run)
	}{
		{"lost update", "the sum is 1", func(r *explore.Run) {
			var v variable
			r.Name("v", &v)
			for range 2 {
				r.Go(func() {
					r.Label("add")
					v.store(v.load() + 1)
				})
			}
			r.AtEnd(func() {
				if v.value != 2 {
					r.Failf("the sum is %d", v.value)
				}
			})
		}},
		{"deadlock", "deadlock", func(r *explore.Run) {
			var a, b mutex
			r.Go(func() { a.lock(); b.lock(); b.unlock(); a.unlock() })
			r.Go(func() { b.lock(); a.lock(); a.unlock(); b.unlock() })
		}},
		{"livelock", "no end after 100 steps", func(r *explore.Run) {
			var v variable
			r.Go(func() {
				for v.load() == 0 {
				}
			})
		}},
		{"panic", "panic: boom", func(r *explore.Run) {
			var v variable
			r.Go(func() { v.inc() })
			r.Go(func() {
				if v.load() == 1 {
					panic("boom")
				}
			})
		}},
		{"at every step", "saw 2", func(r *explore.Run) {
			var v variable
			r.Always(func() {
				if v.value == 2 {
					r.Failf("saw 2")
				}
			})
			r.Go(func() { v.inc() })
			r.Go(func() { v.inc(); v.store(0) })
		}},
		{"a function that defers", "deadlock", func(r *explore.Run) {
			var g gate
			var v variable
			r.Go(func() {
				v.inc()
				defer v.inc() // while the thread is unwound
				g.await()
			})
		}},
	} {
		for _, every := range []bool{false, true} {
			got := explore.Explore(test.program, explore.Options{Every: every, Steps: 100})
			if got.Failure == nil || !strings.HasPrefix(got.Failure.Message, test.want) {
				t.Errorf("%s: %+v", test.name, got)
				continue
			}
			if test.name == "livelock" {
				continue
			}
			again := explore.Replay(test.program, got.Failure.Schedule)
			if again.Schedule != got.Failure.Schedule || !strings.HasPrefix(again.Message, test.want) {
				t.Errorf("%s: replayed: %+v, first: %+v", test.name, again, got.Failure)
			}
			if len(again.Trace) == 0 {
				t.Errorf("%s: no trace", test.name)
			}
		}
	}
}

func TestExplore_Replay(t *testing.T) {
	var order string
	program := func(r *explore.Run) {
		order = ""
		var v variable
		for _, name := range []string{"x", "y"} {
			r.Go(func() {
				for range 3 {
					v.inc()
					order += name
				}
			})
		}
	}
	for _, test := range []struct{ schedule, full, order string }{
		{"", "a3b3", "xxxyyy"},
		{"b3a3", "b3a3", "yyyxxx"},
		{"aba2b2", "aba2b2", "xyxxyy"},
		{"ab", "ab3a2", "xyyyxx"},
	} {
		got := explore.Replay(program, test.schedule)
		if got.Schedule != test.full || order != test.order || got.Message != "" || len(got.Trace) != 6 {
			t.Errorf("%+v: %+v %s", test, got, order)
		}
	}
	for _, bad := range []string{"z", "3", "a-1", "a99999999999999999999"} {
		if got := explore.Replay(program, bad); got.Message == "" {
			t.Errorf("schedule %q was accepted", bad)
		}
	}
}

func BenchmarkExplore(b *testing.B) {
	for _, every := range []bool{true, false} {
		b.Run(fmt.Sprint("every=", every), func(b *testing.B) {
			program := func(r *explore.Run) {
				var v variable
				for range 2 {
					r.Go(func() {
						for range 10 {
							v.inc()
						}
					})
				}
			}
			b.ReportMetric(0, "ns/op")
			got := explore.Explore(program, explore.Options{Every: every, Schedules: b.N})
			b.ReportMetric(float64(got.Schedules)/b.Elapsed().Seconds(), "schedules/s")
		})
	}
}

// plainly reads or writes a variable by other means than an access.
func (v *variable) plainly(kind explore.Kind) int {
	explore.Plain(unsafe.Pointer(v), kind)
	if kind == explore.Write {
		v.value++
	}
	return v.value
}

// TestExplore_Races: plain accesses that nothing orders are a failure, also if no result shows it,
// and those that something orders aren't.
func TestExplore_Races(t *testing.T) {
	for _, test := range []struct {
		name    string
		want    string
		program func(r *explore.Run, v, w *variable)
	}{
		{"two writes", "data race: write of v.value by a first, and write by b second", func(r *explore.Run, v, _ *variable) {
			r.Go(func() { r.Label("first"); v.plainly(explore.Write) })
			r.Go(func() { r.Label("second"); v.plainly(explore.Write) })
		}},
		{"a read and a write", "data race: read of v.value by", func(r *explore.Run, v, w *variable) {
			r.Go(func() { w.inc(); v.plainly(explore.Read) })
			r.Go(func() { w.load(); v.plainly(explore.Write) })
		}},
		{"two reads", "", func(r *explore.Run, v, _ *variable) {
			r.Go(func() { v.plainly(explore.Read) })
			r.Go(func() { v.plainly(explore.Read) })
		}},
		{"published", "", func(r *explore.Run, v, w *variable) {
			r.Go(func() { v.plainly(explore.Write); w.store(1) })
			r.Go(func() {
				if w.load() == 1 {
					v.plainly(explore.Read)
				}
			})
		}},
		{"published too early", "data race: ", func(r *explore.Run, v, w *variable) {
			r.Go(func() { w.store(1); v.plainly(explore.Write) })
			r.Go(func() {
				if w.load() == 1 {
					v.plainly(explore.Read)
				}
			})
		}},
		{"published by a third", "", func(r *explore.Run, v, w *variable) {
			r.Go(func() { v.plainly(explore.Write); w.swap(0, 1) })
			r.Go(func() { w.swap(1, 2) })
			r.Go(func() {
				if w.load() == 2 {
					v.plainly(explore.Write)
				}
			})
		}},
		{"under a mutex", "", func(r *explore.Run, v, _ *variable) {
			var m mutex
			for range 3 {
				r.Go(func() { m.lock(); v.plainly(explore.Write); m.unlock() })
			}
		}},
		{"after the mutex", "data race: ", func(r *explore.Run, v, _ *variable) {
			var m mutex
			for range 2 {
				r.Go(func() { m.lock(); m.unlock(); v.plainly(explore.Write) })
			}
		}},
		{"behind a gate", "", func(r *explore.Run, v, _ *variable) {
			var g gate
			r.Go(func() { v.plainly(explore.Write); g.lift() })
			r.Go(func() { g.await(); v.plainly(explore.Read) })
		}},
		{"before a start", "", func(r *explore.Run, v, w *variable) {
			r.Go(func() {
				w.load()
				v.plainly(explore.Write)
				r.Go(func() { v.plainly(explore.Write) })
			})
		}},
		{"after a start", "data race: ", func(r *explore.Run, v, w *variable) {
			r.Go(func() {
				r.Go(func() { v.plainly(explore.Write) })
				v.plainly(explore.Write)
			})
		}},
	} {
		program := func(r *explore.Run) {
			v, w := new(variable), new(variable)
			r.Name("v", v)
			test.program(r, v, w)
		}
		for _, every := range []bool{false, true} {
			got := explore.Explore(program, explore.Options{Every: every})
			switch {
			case test.want == "":
				if got.Failure != nil || !got.Complete {
					t.Errorf("%s: %+v", test.name, got.Failure)
				}
			case got.Failure == nil || !strings.HasPrefix(got.Failure.Message, test.want):
				t.Errorf("%s: %+v", test.name, got.Failure)
			default:
				again := explore.Replay(program, got.Failure.Schedule)
				if again.Message != got.Failure.Message || !slices.ContainsFunc(again.Trace, func(line string) bool {
					return strings.HasSuffix(line, "plain write of v.value")
				}) {
					t.Errorf("%s: replayed: %+v, first: %+v", test.name, again, got.Failure)
				}
			}
		}
	}
}

// TestExplore_Lead: each string of bytes is a schedule, the same whenever it is led by them, and a
// failure is found and can be replayed.
func TestExplore_Lead(t *testing.T) {
	lost := func(r *explore.Run) {
		v := new(variable)
		for range 2 {
			r.Go(func() { v.store(v.load() + 1) })
		}
		r.AtEnd(func() {
			if v.value != 2 {
				r.Failf("an increment was lost")
			}
		})
	}
	schedules := map[string]bool{}
	for _, lead := range []string{"", "\x00\x00", "\x00\x01", "\x01\x00\x01", "\x01\x01\x01", "a long one"} {
		got := explore.Lead(lost, []byte(lead))
		if again := explore.Lead(lost, []byte(lead)); again.Schedule != got.Schedule || again.Message != got.Message {
			t.Errorf("%q leads to %v, and then to %v", lead, got.Schedule, again.Schedule)
		}
		if replayed := explore.Replay(lost, got.Schedule); replayed.Message != got.Message {
			t.Errorf("%q leads to %q, and its schedule %v to %q", lead, got.Message, got.Schedule, replayed.Message)
		}
		schedules[got.Message] = true
	}
	if !schedules[""] || !schedules["an increment was lost"] {
		t.Errorf("not all outcomes were seen: %v", schedules)
	}
}
