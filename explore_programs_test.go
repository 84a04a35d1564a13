//go:build breaker_explore

package breaker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kamilsk/breaker/internal/explore"
	"github.com/kamilsk/breaker/internal/registry"
)

// groups has the programs, all in one table. The other files have what they are made of: subjects,
// families, sources, and what is checked at the end.
var groups = []struct {
	name string
	// bubble has them run in bubbles of testing/synctest.
	bubble bool
	// share has them share what is left of the schedules: programs of three threads.
	share    bool
	programs func(long bool) []program
}{
	{name: "views", programs: short(viewPairs)},
	{name: "hub", programs: short(hubPairs)},
	{name: "pairs", programs: short(pairs)},
	{name: "callbacks", programs: short(callbacks)},
	{name: "multiplex", programs: short(multiplexed, graphs)},
	{name: "sources", programs: short(sources, ended)},
	{name: "channels", programs: short(polled, polledAfterTheEnd, watchedChannels)},
	{name: "sequences", programs: sequences},
	{name: "order", programs: short(ordered)},
	{name: "any", programs: short(anies)},
	{name: "requests", programs: short(requests)},
	{name: "idle", bubble: true, programs: short(idles)},
	{name: "triples", share: true, programs: short(
		hubTriples, viewTriples, polledByTwo, sourceTriples, multiplexTriples, orderTriples, triples)},
}

// short is for programs that are the same in a long run.
func short(parts ...func() []program) func(bool) []program {
	return func(bool) (all []program) {
		for _, part := range parts {
			all = append(all, part()...)
		}
		return all
	}
}

// The states that a plain breaker is in when the threads begin.
var beginnings = []struct {
	name  string
	setup func(s *subject)
}{
	{"fresh", func(*subject) {}},
	{"waited", func(s *subject) { s.done1() }},
	{"held", func(s *subject) { s.shared = s.onTrip() }},
	{"waited, held", func(s *subject) { s.done1(); s.shared = s.onTrip() }},
	{"base full", func(s *subject) {
		for range 1 + registry.BaseSlots {
			s.shared = s.onTrip()
		}
	}},
	{"block full", func(s *subject) {
		for range 1 + registry.BaseSlots + registry.BlockSlots {
			s.shared = s.onTrip()
		}
	}},
	{"second block begun", func(s *subject) { // by what stopShared stops
		for range 1 + registry.BaseSlots + registry.BlockSlots + 1 {
			s.shared = s.onTrip()
		}
	}},
	{"held, narrow", func(s *subject) {
		registry.SetWide(false)
		s.shared = s.onTrip()
	}},
}

// single are the operations of a thread that are tried against each other in pairs and triples.
var single = [][]op{
	{"TripA"}, {"TripB"}, {"Close"}, {"Done"}, {"Err"}, {"Cause"}, {"State"}, {"await"}, {"OnTrip"}, {"OnTrip", "stop"}, {"stopShared"},
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

// sequences has each unordered pair of sequences of two operations, from each of the small
// beginnings. In a quick run it is one of these for each, without Cause, and without those that
// register more than twice: the directory has its turn in pairs.
func sequences(each bool) (programs []program) {
	basic := []op{"TripA", "Close", "Done", "Err", "OnTrip", "stopShared"}
	if each {
		basic = append(basic, "Cause")
	}
	var all [][]op
	for _, x := range basic {
		for _, y := range basic {
			all = append(all, []op{x, y})
		}
	}
	turn := 0
	for i, x := range all {
		for _, y := range all[i:] {
			turn++
			for beginning := range 4 {
				if makesSense(beginning, x, y) && (each || beginning == turn%4 && registers(x)+registers(y) <= 2) {
					programs = append(programs, plain(beginning, x, y))
				}
			}
		}
	}
	return programs
}

// triples has each triple of operations.
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

// plain returns the program in which each thread does such operations on one breaker.
func plain(beginning int, threads ...[]op) program {
	begin := beginnings[beginning]
	names := make([]string, len(threads))
	for i, ops := range threads {
		names[i] = chain(ops)
	}
	return program{begin.name + ": " + threadsOf(names), func(r *explore.Run) {
		s := explored(r, "b", New())
		begin.setup(s)
		for _, ops := range threads {
			r.Go(func() { s.do(ops) })
		}
	}}
}

// makesSense reports whether nothing is stopped that isn't registered, and nobody waits for what
// doesn't come.
func makesSense(beginning int, threads ...[]op) bool {
	all := slices.Concat(threads...)
	trips := slices.ContainsFunc(all, func(o op) bool { return o == "TripA" || o == "TripB" || o == "Close" })
	return (trips || !slices.Contains(all, "await")) &&
		(beginning >= 2 || !slices.Contains(all, "stopShared"))
}

// registers counts the registrations.
func registers(ops []op) (n int) {
	for _, o := range ops {
		if o == "OnTrip" {
			n++
		}
	}
	return n
}

func callbacks() (programs []program) {
	programs = append(programs, panicsWhileAttached())
	for _, does := range []string{"panic", "register", "stop", "trip", "close"} {
		for _, other := range []op{"TripA", "Close", "Done", "Err", "Cause", "State", "OnTrip", "stopShared"} {
			for _, waited := range []string{"", "waited "} {
				programs = append(programs, program{waited + "callbacks " + does + ": TripA vs " + string(other), func(r *explore.Run) {
					s := explored(r, "b", New())
					s.shared = s.onTrip()
					s.onTripDo(inCallback[does])
					s.onTripDo(inCallback[does])
					if waited != "" {
						s.done1()
					}
					r.Go(func() { mayPanic(func() { s.do([]op{"TripA"}) }) })
					r.Go(func() { mayPanic(func() { s.do([]op{other}) }) })
				}})
			}
		}
		programs = append(programs, program{"callbacks " + does + ": TripA vs late", func(r *explore.Run) {
			s := explored(r, "b", New())
			s.shared = s.onTrip()
			r.Go(func() { mayPanic(func() { s.do([]op{"TripA"}) }) })
			r.Go(func() {
				r.Label("late")
				mayPanic(func() { s.onTripDo(inCallback[does]) })
			})
		}}, program{"callbacks " + does + " in a child: TripA vs m.Close", func(r *explore.Run) {
			// The parent, the child and the other child are all settled, whoever panics.
			f := newFamily(r, 1, 1)
			m := f.join()
			for _, s := range []*subject{m, f.owned[0]} {
				s.shared = s.onTrip()
				s.onTripDo(inCallback[does])
			}
			m.trips++ // a callback of the child's may, before the child does
			r.Go(func() { mayPanic(func() { f.watched[0].do([]op{"TripA"}) }) })
			r.Go(func() { mayPanic(func() { m.do([]op{"Close"}) }) })
		}})
	}
	return programs
}

// A late registration starts a thread, so that these may have three.
func viewPairs() []program {
	return views(
		[]string{"view.Err", "TripA"},
		[]string{"view.Err", "Close"},
		[]string{"relay", "TripA"},
		[]string{"relay", "Close"},
		[]string{"relay", "relay"},
		[]string{"relay", "Done"},
		[]string{"relay", "OnTrip"},
	)
}

func viewTriples() []program {
	return views(
		[]string{"derive", "TripA"},
		[]string{"derive", "Close"},
		[]string{"derive", "OnTrip"},
		[]string{"derive", "derive"},
		[]string{"derive", "relay"},
		[]string{"derive.take off", "TripA"},
		[]string{"derive.take off", "derive"},
		[]string{"derive", "derive", "TripA"},
		[]string{"derive", "TripA", "Close"},
		[]string{"relay", "relay", "TripA"},
		[]string{"relay", "TripA", "Close"},
		[]string{"relay", "TripA", "Done"},
		[]string{"relay", "TripA", "Err"},
		[]string{"relay", "view.Err", "TripA"},
		[]string{"relay", "OnTrip", "TripA"},
	)
}

// views returns the programs around a context view. Each thread is one of viewThreads, or an
// operation on the breaker.
func views(all ...[]string) (programs []program) {
	for _, begin := range beginnings[:4] {
		for _, threads := range all {
			programs = append(programs, program{begin.name + ": " + threadsOf(threads), func(r *explore.Run) {
				s := explored(r, "b", New())
				begin.setup(s)
				for _, thread := range threads {
					if f := viewThreads[thread]; f != nil {
						r.Go(func() { f(s) })
					} else {
						r.Go(func() { s.do([]op{op(thread)}) })
					}
				}
			}})
		}
	}
	return programs
}

func hubPairs() []program {
	return append(hubs(
		[]string{"make", "make"},
		[]string{"make.Close", "make"},
		[]string{"make.Close", "make.Close"},
		[]string{"make", "b.Close"},
		[]string{"make.Close", "b.Close"},
		[]string{"make", "arrival"},
		[]string{"make.Close", "arrival"},
		[]string{"b.Close", "arrival"},
		[]string{"b.TripA", "arrival"},
		[]string{"b.OnTrip", "arrival"},
		[]string{"then make", "arrival"},
	), suddenly())
}

func hubTriples() []program {
	return hubs(
		[]string{"make", "b.Close", "arrival"},
		[]string{"make.Close", "b.Close", "arrival"},
		[]string{"make", "make", "arrival"},
		[]string{"make", "make", "b.Close"},
		[]string{"make.Close", "make.Close", "b.Close"},
		[]string{"then make", "b.Close", "arrival"},
		[]string{"then make", "make", "arrival"},
	)
}

// hubs returns the programs around a hub. Each thread is named by what it does: "make" makes a
// breaker, "make.Close" makes one and closes it, "b.Close" closes one that had been made before,
// "arrival" fires its watch, "then make" makes one if the arrival is seen to have tripped the
// first.
func hubs(all ...[]string) (programs []program) {
	for _, threads := range all {
		programs = append(programs, program{"hub: " + threadsOf(threads), func(r *explore.Run) {
			h := newArrivals(r)
			var first *subject
			for _, thread := range threads {
				if first == nil && thread != "make" && thread != "make.Close" {
					first = h.listen()
				}
			}
			for _, thread := range threads {
				r.Go(func() {
					r.Label(thread)
					switch thread {
					case "make":
						h.listen()
					case "make.Close":
						h.listen().trip(nil)
					case "b.Close":
						first.trip(nil)
					case "b.TripA":
						first.trip(errA)
					case "b.OnTrip":
						first.onTrip()
					case "arrival":
						h.fire(h.made[0])
					case "then make":
						h.listenAfter(first)
					default:
						panic("no thread " + thread)
					}
				})
			}
			if threadsOf(threads) == "make vs make" {
				r.AtEnd(func() {
					if len(h.made) != 1 {
						r.Failf("promise 11: %d goroutines for one signal", len(h.made))
					}
				})
			}
			if first != nil {
				r.AtEnd(func() {
					for _, thread := range threads {
						if thread == "arrival" && first.Err() == nil {
							r.Failf("promise 12: an arrival was lost")
						}
					}
				})
			}
		}})
	}
	return programs
}

// multiplexed returns the programs around a Multiplex. Each thread is named by what it does: m is
// the Multiplex, made before the threads begin or by the thread "make", p and q are children that
// it owns, x is one that it watches.
func multiplexed() (programs []program) {
	for _, p := range []struct {
		name    string
		owned   int
		watched int
		threads []string
	}{
		{"construction", 1, 0, []string{"make", "p.TripA"}},
		{"construction", 1, 0, []string{"make", "p.Close"}},
		{"construction", 0, 1, []string{"make", "x.TripA"}},
		{"construction", 0, 1, []string{"make", "x.Close"}},
		{"construction", 2, 0, []string{"make", "p.TripA"}},
		{"construction", 2, 0, []string{"make", "q.TripB"}},
		{"construction", 1, 1, []string{"make", "p.TripA"}},
		{"construction", 1, 1, []string{"make", "x.TripA"}},
		{"construction", 1, 1, []string{"make", "x.OnTrip"}},
		{"construction", 1, 1, []string{"make", "p.OnTrip"}},
		{"construction", 1, 1, []string{"make", "p.Done"}},
		{"construction", 0, 2, []string{"make", "x.TripA"}},
		{"construction", 0, 2, []string{"make", "y.TripB"}},
		{"made", 2, 0, []string{"p.TripA", "q.TripB"}},
		{"made", 2, 0, []string{"p.TripA", "q.Close"}},
		{"made", 2, 0, []string{"p.Close", "q.Close"}},
		{"made", 2, 0, []string{"m.Close", "q.TripB"}},
		{"made", 2, 0, []string{"m.TripA", "q.TripB"}},
		{"made", 2, 0, []string{"m.TripA", "m.Close"}},
		{"made", 1, 0, []string{"m.Done", "p.TripA"}},
		{"made", 1, 0, []string{"m.Err", "p.TripA"}},
		{"made", 1, 0, []string{"m.Cause", "p.TripA"}},
		{"made", 1, 0, []string{"m.State", "p.TripA"}},
		{"made", 1, 0, []string{"m.await", "p.TripA"}},
		{"made", 1, 0, []string{"m.OnTrip", "p.TripA"}},
		{"made", 1, 0, []string{"m.OnTrip.stop", "p.TripA"}},
		{"made", 1, 0, []string{"p.OnTrip", "m.Close"}},
		{"made", 1, 0, []string{"p.OnTrip.stop", "m.Close"}},
		{"made", 1, 0, []string{"p.Done", "m.Close"}},
		{"made", 1, 1, []string{"x.TripA", "p.TripB"}},
		{"made", 1, 1, []string{"x.TripA", "m.Close"}},
		{"made", 1, 1, []string{"x.OnTrip", "m.Close"}},
		{"made", 1, 1, []string{"x.OnTrip.stop", "p.TripB"}},
		{"made", 0, 2, []string{"x.TripA", "y.TripB"}},
		{"made", 0, 2, []string{"x.TripA", "y.Close"}},
		{"made, a child waited for", 2, 0, []string{"p.TripA", "q.TripB"}},
		{"made, a child waited for", 1, 1, []string{"x.TripA", "p.TripB"}},
		{"made, a child waited for", 1, 1, []string{"x.TripA", "m.Close"}},
		{"made, waited for", 2, 0, []string{"p.TripA", "q.TripB"}},
		{"made, waited for", 1, 1, []string{"x.TripA", "m.Close"}},
		{"made, with a callback", 2, 0, []string{"p.TripA", "q.TripB"}},
		{"made, with a callback", 2, 0, []string{"m.TripA", "q.TripB"}},
		{"made, with a callback", 1, 1, []string{"x.TripA", "m.Close"}},
		{"made, with a callback", 1, 1, []string{"x.TripA", "m.stopShared"}},
		{"made, with a callback", 0, 2, []string{"x.TripA", "y.TripB"}},
	} {
		programs = append(programs, multiplexProgram(p.name, p.owned, p.watched, p.threads...))
	}
	return programs
}

// multiplexTriples are those with three threads.
func multiplexTriples() (programs []program) {
	for _, p := range []struct {
		name    string
		owned   int
		watched int
		threads []string
	}{
		{"construction", 2, 0, []string{"make", "p.TripA", "q.TripB"}},
		{"construction", 1, 1, []string{"make", "p.TripA", "x.TripB"}},
		{"construction", 0, 2, []string{"make", "x.TripA", "y.TripB"}},
		{"construction", 1, 1, []string{"make", "x.OnTrip.stop", "x.TripB"}},
		{"made", 2, 0, []string{"m.Close", "p.TripA", "q.TripB"}},
		{"made", 1, 1, []string{"m.Close", "p.TripA", "x.TripB"}},
		{"made", 1, 1, []string{"m.OnTrip", "p.TripA", "x.TripB"}},
		{"made", 1, 1, []string{"m.Done", "p.TripA", "x.TripB"}},
		{"made", 1, 1, []string{"m.Cause", "p.TripA", "x.TripB"}},
		{"made", 1, 1, []string{"m.Close", "x.OnTrip.stop", "x.TripB"}},
		{"made", 0, 2, []string{"m.await", "x.TripA", "y.TripB"}},
		{"made, waited for", 1, 1, []string{"m.Err", "p.TripA", "x.TripB"}},
		{"made, with a callback", 1, 1, []string{"m.stopShared", "p.TripA", "x.TripB"}},
	} {
		programs = append(programs, multiplexProgram(p.name, p.owned, p.watched, p.threads...))
	}
	return programs
}

// anies returns the programs around an Any. Threads are named as those around a Multiplex: m is the
// Any, x and y are what it watches.
func anies() (programs []program) {
	for _, p := range []struct {
		name    string
		watched int
		threads []string
	}{
		{"construction", 1, []string{"make", "x.TripA"}},
		{"construction", 1, []string{"make", "x.Close"}},
		{"construction", 1, []string{"make", "x.OnTrip"}},
		{"construction", 1, []string{"make", "x.Done"}},
		{"construction", 2, []string{"make", "y.TripB"}},
		{"construction", 2, []string{"make", "y.Close"}},
		{"made", 1, []string{"m.Close", "x.TripA"}},
		{"made", 1, []string{"m.TripB", "x.Close"}},
		{"made", 1, []string{"m.Close", "x.OnTrip.stop"}},
		{"made", 1, []string{"m.Close", "x.Done"}},
		{"made", 2, []string{"x.TripA", "y.TripB"}},
		{"made", 2, []string{"x.TripA", "m.Close"}},
		{"made, waited for", 2, []string{"x.TripA", "y.TripB"}},
		{"made, a child waited for", 1, []string{"m.Close", "x.TripA"}},
		{"made, with a callback", 2, []string{"x.TripA", "y.Close"}},
		{"made, with a callback", 1, []string{"x.TripA", "m.stopShared"}},
	} {
		q := joinProgram(p.name, func(r *explore.Run) *family {
			f := newFamily(r, 0, p.watched)
			f.make, f.look = f.any, (*subject).glance
			return f
		}, p.threads...)
		q.name = "any, " + p.name + " of " + "xy"[:p.watched] + ": " + threadsOf(p.threads)
		programs = append(programs, q)
	}
	// The same breaker owned by a Multiplex and watched by an Any.
	for _, ops := range [][2]op{{"TripA", "Close"}, {"Close", "TripB"}, {"Close", "OnTrip"}} {
		programs = append(programs, program{"any beside a Multiplex that owns x: x." + string(ops[0]) + " vs any." + string(ops[1]), func(r *explore.Run) {
			owner, watcher := siblingsOf(r)
			r.Go(func() { owner.owned[0].do(ops[:1]) })
			r.Go(func() { watcher.parent.do(ops[1:]) })
		}}, program{"any beside a Multiplex that owns x: m." + string(ops[0]) + " vs any." + string(ops[1]), func(r *explore.Run) {
			owner, watcher := siblingsOf(r)
			r.Go(func() { owner.parent.do(ops[:1]) })
			r.Go(func() { watcher.parent.do(ops[1:]) })
		}})
	}
	return append(programs, program{"any, made, vs Close of a Multiplex that owns x", func(r *explore.Run) {
		owner := newFamily(r, 1, 0)
		watcher := newFamily(r, 0, 0)
		watcher.make, watcher.name, watcher.watched = watcher.any, "any.", owner.owned
		owner.others, watcher.others = []*family{watcher}, []*family{owner}
		owner.owned[0].trips++ // the Multiplex closes it
		owner.join()
		r.Go(func() {
			r.Label("make")
			watcher.join().seeErr()
		})
		r.Go(func() { owner.parent.do([]op{"Close"}) })
	}})
}

// requests returns the programs around a Within, which is m.
func requests() (programs []program) {
	for _, p := range []struct {
		name    string
		kind    string
		watched int
		threads []string
	}{
		// Being made, against everything that can happen meanwhile.
		{"construction", "background", 1, []string{"make", "x.TripA"}},
		{"construction", "background", 1, []string{"make", "x.Close"}},
		{"construction", "background", 1, []string{"make", "x.OnTrip"}},
		{"construction", "background", 1, []string{"make", "x.OnTrip.stop"}},
		{"construction", "background", 1, []string{"make", "x.Done"}},
		{"construction", "background", 1, []string{"make", "fire"}},
		{"construction", "background", 2, []string{"make", "x.TripA"}},
		{"construction", "background", 2, []string{"make", "y.TripB"}},
		{"construction", "background", 2, []string{"make", "fire"}},
		{"construction", "context", 0, []string{"make", "ctx.end"}},
		{"construction", "context", 1, []string{"make", "ctx.end"}},
		{"construction", "context", 1, []string{"make", "x.TripA"}},
		{"construction", "context", 1, []string{"make", "x.Close"}},
		{"construction", "context", 1, []string{"make", "fire"}},
		{"construction", "view", 0, []string{"make", "v.TripA"}},
		{"construction", "view", 0, []string{"make", "v.Close"}},
		{"construction", "view", 0, []string{"make", "v.OnTrip"}},
		{"construction", "view", 0, []string{"make", "v.Done"}},
		{"construction", "view", 0, []string{"make", "fire"}},
		{"construction", "view", 1, []string{"make", "v.TripA"}},
		{"construction", "view", 1, []string{"make", "x.TripA"}},
		{"construction", "view", 1, []string{"make", "fire"}},

		// The timer against the others.
		{"made", "background", 0, []string{"fire", "m.TripA"}},
		{"made", "background", 0, []string{"fire", "m.Close"}},
		{"made", "background", 0, []string{"fire", "m.Done"}},
		{"made", "background", 0, []string{"fire", "m.Err"}},
		{"made", "background", 0, []string{"fire", "m.Cause"}},
		{"made", "background", 0, []string{"fire", "m.State"}},
		{"made", "background", 0, []string{"fire", "m.OnTrip"}},
		{"made", "background", 0, []string{"fire", "m.OnTrip.stop"}},
		{"made", "background", 1, []string{"fire", "x.TripA"}},
		{"made", "background", 1, []string{"fire", "x.OnTrip.stop"}},
		{"made", "background", 2, []string{"fire", "y.Close"}},
		{"made", "context", 0, []string{"fire", "ctx.end"}},
		{"made", "context", 1, []string{"fire", "m.Done"}},
		{"made", "view", 0, []string{"fire", "v.TripA"}},
		{"made, waited for", "context", 0, []string{"fire", "ctx.end"}},
		{"made, waited for", "background", 1, []string{"fire", "x.TripA"}},
		{"made, with a callback", "background", 1, []string{"fire", "x.TripA"}},
		{"made, with a callback", "background", 0, []string{"fire", "m.stopShared"}},

		// What it watches against the others.
		{"made", "background", 1, []string{"m.Close", "x.TripA"}},
		{"made", "background", 1, []string{"m.TripB", "x.Close"}},
		{"made", "background", 1, []string{"m.Close", "x.OnTrip.stop"}},
		{"made", "background", 1, []string{"m.Done", "x.TripA"}},
		{"made", "background", 1, []string{"m.await", "x.TripA"}},
		{"made", "background", 2, []string{"x.TripA", "y.TripB"}},
		{"made", "view", 0, []string{"v.TripA", "m.Close"}},
		{"made", "view", 0, []string{"v.TripA", "m.OnTrip"}},
		{"made", "view", 1, []string{"v.TripA", "x.TripB"}},

		// Its context against the others: asked, being watched for the first time, and watched.
		{"made", "context", 0, []string{"ctx.end", "m.Close"}},
		{"made", "context", 0, []string{"ctx.end", "m.TripA"}},
		{"made", "context", 0, []string{"ctx.end", "m.Done"}},
		{"made", "context", 0, []string{"ctx.end", "m.Err"}},
		{"made", "context", 0, []string{"ctx.end", "m.Cause"}},
		{"made", "context", 0, []string{"ctx.end", "m.State"}},
		{"made", "context", 0, []string{"ctx.end", "m.OnTrip"}},
		{"made", "context", 0, []string{"ctx.end", "m.OnTrip.stop"}},
		{"made", "context", 0, []string{"m.Done", "m.Close"}},
		{"made", "context", 0, []string{"m.Done", "m.OnTrip"}},
		{"made", "context", 0, []string{"m.OnTrip", "m.Close"}},
		{"made", "context", 1, []string{"m.Done", "x.TripA"}},
		{"made", "context", 1, []string{"ctx.end", "x.TripA"}},
		{"made", "context", 1, []string{"m.Err", "x.TripA"}},
		{"made, waited for", "context", 0, []string{"ctx.end", "m.Close"}},
		{"made, waited for", "context", 0, []string{"ctx.end", "m.Err"}},
		{"made, waited for", "context", 1, []string{"ctx.end", "x.TripA"}},
		{"made, with a callback", "context", 1, []string{"ctx.end", "x.TripA"}},
		{"made, with a callback", "context", 0, []string{"ctx.end", "m.stopShared"}},
	} {
		q := joinProgram(p.name, func(r *explore.Run) *family { return newInquiry(r, p.kind, p.watched).family }, p.threads...)
		q.name = "within " + p.kind + ", " + p.name + " of " + "xy"[:p.watched] + ": " + threadsOf(p.threads)
		programs = append(programs, q)
	}
	return programs
}

// idles returns the programs around an Idle.
func idles() (programs []program) {
	add := func(name string, ago time.Duration, threads ...[]op) {
		text := ""
		for i, thread := range threads {
			if i > 0 {
				text += " vs "
			}
			text += chain(thread)
		}
		programs = append(programs, program{"idle, " + name + ": " + text, func(r *explore.Run) {
			d := newIdler(r, ago)
			if name == "expired" {
				d.i.last.Store(d.i.due.Load())
				d.i.due.Store(expired)
			}
			for _, thread := range threads {
				r.Go(func() { d.do(thread...) })
			}
		}})
	}
	moves := []op{"alarm", "Touch", "shorter", "longer"}
	for _, begin := range []struct {
		name string
		ago  time.Duration
	}{{"just made", 0}, {"in time", shorter / 2}, {"over", idleTimeout}} {
		for n, one := range moves {
			for _, other := range moves[n:] {
				add(begin.name, begin.ago, []op{one}, []op{other})
			}
		}
		add(begin.name, begin.ago, []op{"alarm", "alarm"}, []op{"shorter", "Touch"})
		if begin.ago == 0 {
			continue
		}
		for _, one := range moves {
			for _, other := range []op{"none", "Close", "TripA", "Done", "Deadline"} {
				add(begin.name, begin.ago, []op{one}, []op{other})
			}
		}
		add(begin.name, begin.ago, []op{"none"}, []op{"Close"})
		if begin.ago == idleTimeout {
			continue
		}
		for _, two := range [][2]op{{"Touch", "Touch"}, {"Touch", "shorter"}, {"shorter", "longer"}, {"shorter", "shorter"}, {"shorter", "Close"}, {"Touch", "Close"}} {
			add(begin.name, begin.ago, []op{"alarm"}, []op{two[0]}, []op{two[1]})
		}
	}
	// With three threads those that find it over make too many schedules. This is where they get
	// to: the alarm has won, and hasn't tripped it yet.
	late := []op{"alarm's trip", "arm", "Touch", "shorter", "none", "Close", "Deadline", "Done"}
	for n, one := range late {
		for _, other := range late[max(n, 1):] {
			add("expired", idleTimeout, []op{one}, []op{other})
		}
	}
	return programs
}

// sourceOps are tried against each source.
var sourceOps = [][]op{
	{"TripA"}, {"Close"}, {"Done"}, {"Err"}, {"Cause"}, {"State"}, {"OnTrip"}, {"OnTrip", "stop"}, {"Done", "Close"}, {"Done", "Err"}, {"Close", "Done"},
}

func sources() (programs []program) {
	programs = append(programs, against("context, ends vs ", func(r *explore.Run) (*subject, func()) {
		s, ctx := contextSubject(r)
		return s, ctx.end
	}, sourceOps...)...)
	programs = append(programs, against("watched context, ends vs ", func(r *explore.Run) (*subject, func()) {
		s, ctx := contextSubject(r)
		s.done1()
		return s, ctx.end
	}, sourceOps...)...)
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("context, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, _ := contextSubject(r)
			return s, func() { s.do([]op{o}) }
		}, sourceOps...)...)
	}
	for _, o := range []op{"TripB", "Close", "OnTrip"} {
		programs = append(programs, against("view, "+string(o)+" behind vs ", func(r *explore.Run) (*subject, func()) {
			s, behind := viewSubject(r)
			return s, func() { behind.do([]op{o}) }
		}, sourceOps...)...)
		programs = append(programs, against("watched view, "+string(o)+" behind vs ", func(r *explore.Run) (*subject, func()) {
			s, behind := viewSubject(r)
			s.done1()
			return s, func() { behind.do([]op{o}) }
		}, sourceOps...)...)
	}
	programs = append(programs, against("timeout, fires vs ", func(r *explore.Run) (*subject, func()) {
		return timerSubject(r, BreakByTimeout(far))
	}, sourceOps...)...)
	programs = append(programs, against("deadline, fires vs ", func(r *explore.Run) (*subject, func()) {
		return timerSubject(r, BreakByDeadline(time.Now().Add(far)))
	}, sourceOps...)...)
	// Without a look at anything else in between, which would make too many schedules of it.
	programs = append(programs, program{"view, Trip behind, Cause vs Done", func(r *explore.Run) {
		s, behind := viewSubject(r)
		behind.trips++
		r.Go(func() { r.Label("Done"); s.Done() })
		r.Go(func() {
			r.Label("Trip behind, Cause")
			if behind.Trip(errB) {
				behind.wins = append(behind.wins, errB)
			}
			if cause := s.Cause(); cause != nil {
				s.causes = append(s.causes, cause)
			}
		})
	}}, program{"timeout in a Multiplex, Deadline vs Close", func(r *explore.Run) {
		m := explored(r, "m", Multiplex(BreakByTimeout(far), New()))
		r.Go(func() {
			r.Label("Deadline")
			if _, ok := m.Deadline(); !ok {
				r.Failf("promise 14: there is no deadline")
			}
		})
		r.Go(func() { m.do([]op{"Close"}) })
	}}, program{"context in a Multiplex, Value vs Close", func(r *explore.Run) {
		m := explored(r, "m", Multiplex(BreakByContext(context.WithValue(context.Background(), far, far), nil), New()))
		r.Go(func() {
			r.Label("Value")
			if ToContext(m.Breaker).Value(far) != far {
				r.Failf("promise 13: the value is gone")
			}
		})
		r.Go(func() { m.do([]op{"Close"}) })
	}}, program{"timeout in a Multiplex, fires vs made", func(r *explore.Run) {
		s, fire := timerSubject(r, BreakByTimeout(far))
		s.trips++ // the Multiplex may close it
		r.Go(func() {
			r.Label("make")
			m := explored(r, "m", Multiplex(s.Breaker, New()))
			m.do([]op{"Err", "Close"})
		})
		r.Go(fire)
	}}, program{"timeout in a Multiplex, fires vs the other child trips", func(r *explore.Run) {
		s, fire := timerSubject(r, BreakByTimeout(far))
		s.trips++ // the Multiplex may close it
		p := explored(r, "p", New())
		explored(r, "m", Multiplex(s.Breaker, p.Breaker))
		r.Go(func() { p.do([]op{"TripA"}) })
		r.Go(fire)
	}}, program{"context that has ended in a Multiplex, the other child trips vs Cause", func(r *explore.Run) {
		s, ctx := contextSubject(r)
		s.trips++ // the Multiplex closes it, and so finds out
		p := New()
		Multiplex(s.Breaker, p)
		ctx.over.Store(1)
		r.Go(func() {
			r.Label("Trip of the other child")
			p.Trip(errB)
		})
		r.Go(func() {
			r.Label("Cause")
			if cause := s.Cause(); cause != context.Canceled {
				r.Failf("promise 19: the context has ended, and Cause is %v", cause)
			}
		})
	}}, program{"context in a Multiplex, ends vs made", func(r *explore.Run) {
		s, ctx := contextSubject(r)
		s.trips++ // the Multiplex may close it
		r.Go(func() {
			r.Label("make")
			m := explored(r, "m", Multiplex(s.Breaker, New()))
			m.do([]op{"Err", "Close"})
		})
		r.Go(ctx.end)
	}})
	return programs
}

func sourceTriples() (programs []program) {
	// The third thread is the one that package context would start.
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("context that has ended, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, ctx := contextSubject(r)
			ctx.over.Store(1)
			return s, func() { s.do([]op{o}) }
		}, sourceOps...)...)
	}
	for _, p := range [][2][]op{
		{{"Done"}, {"Close"}}, {{"Done"}, {"Done"}}, {{"Err"}, {"Err"}}, {{"OnTrip"}, {"Close"}}, {{"Done"}, {"Err"}}, {{"OnTrip", "stop"}, {"TripA"}}, {{"Done"}, {"OnTrip"}},
	} {
		programs = append(programs, program{"context, ends vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, ctx := contextSubject(r)
			r.Go(ctx.end)
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}}, program{"view, TripB behind vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, behind := viewSubject(r)
			r.Go(func() { behind.do([]op{"TripB"}) })
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}}, program{"timeout, fires vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, fire := timerSubject(r, BreakByTimeout(far))
			r.Go(fire)
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}})
	}
	return programs
}

// promise 19 on every schedule: what has ended counts at once, whoever else has noticed, and is
// about to trip the breaker.
func ended() (programs []program) {
	for _, watched := range []bool{false, true} {
		name := "context, "
		if watched {
			name = "watched context, "
		}
		setup := func(r *explore.Run) (*subject, *modelContext) {
			s, ctx := contextSubject(r)
			if watched {
				s.done1()
			}
			r.Go(func() {
				r.Label("poll")
				ctx.poll() // as package context calls it
			})
			return s, ctx
		}
		programs = append(programs, program{name + "cancel, Err vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			r.Go(func() {
				r.Label("cancel, Err")
				ctx.over.Store(1)
				if s.Err() == nil {
					r.Failf("promise 19: the context has ended, and Err is nil")
				}
			})
		}}, program{name + "cancel, Close vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			r.Go(func() {
				r.Label("cancel, Close")
				ctx.over.Store(1)
				s.Close()
				if s.Cause() != context.Canceled {
					r.Failf("promise 19: the context has ended before Close, and Cause is %v", s.Cause())
				}
			})
		}}, program{name + "cancel, Close of its owner vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			s.trips++ // the owner closes it
			owner := Multiplex(s.Breaker)
			r.Go(func() {
				r.Label("cancel, Close of the owner")
				ctx.over.Store(1)
				owner.Close()
				if owner.Cause() != context.Canceled || s.Cause() != context.Canceled {
					r.Failf("promise 19: the context has ended before Close, and Cause is %v, and %v", owner.Cause(), s.Cause())
				}
			})
		}})
	}
	return programs
}

// pollOps are operations on a breaker that leave nobody waiting.
var pollOps = []op{"TripA", "Close", "Err", "Cause", "State"}

// polled returns the programs in which a channel is only asked, by one thread.
func polled() (programs []program) {
	for _, send := range []bool{false, true} {
		for _, o := range pollOps {
			programs = append(programs, against(channelName(send), func(r *explore.Run) (*subject, func()) {
				return channelSubject(r, send)
			}, []op{o}, []op{o, "Err"})...)
		}
	}
	return programs
}

// polledAfterTheEnd returns the programs in which one thread ends the channel and then asks, while
// another one may be asking (promise 19).
func polledAfterTheEnd() (programs []program) {
	for _, send := range []bool{false, true} {
		programs = append(programs, program{channelName(send) + "Err, then Err", func(r *explore.Run) {
			s, end := channelSubject(r, send)
			r.Go(func() {
				end()
				r.Label("Err")
				if s.Err() == nil {
					r.Failf("promise 19: the channel has ended, and Err is nil")
				}
			})
			r.Go(func() { s.do([]op{"Err"}) })
		}})
	}
	return programs
}

// polledByTwo returns those with two.
func polledByTwo() (programs []program) {
	for _, send := range []bool{false, true} {
		for i, one := range pollOps {
			for _, other := range pollOps[i:] {
				programs = append(programs, program{channelName(send) + threadsOf([]string{string(one), string(other)}), func(r *explore.Run) {
					s, end := channelSubject(r, send)
					r.Go(end)
					r.Go(func() { s.do([]op{one}) })
					r.Go(func() { s.do([]op{other}) })
				}})
			}
		}
	}
	return programs
}

// watchedChannels returns the programs in which a channel is waited for, in vain: what would hear
// of it is a real goroutine.
func watchedChannels() (programs []program) {
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("silent channel, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, _ := channelSubject(r, false)
			return s, func() { s.do([]op{o}) }
		}, []op{"TripA"}, []op{"Close"}, []op{"Done"}, []op{"Err"}, []op{"OnTrip"}, []op{"OnTrip", "stop"})...)
	}
	return programs
}

// promise 18 on every schedule: in no callback is a dependent open, whoever trips what, and
// whenever the dependent was made.
func ordered() (programs []program) {
	type world struct{ root, middle, last *Breaker }
	others := map[string]func(r *explore.Run, w world){
		"Trip of the middle":  func(_ *explore.Run, w world) { w.middle.Trip(errB) },
		"Close of the middle": func(_ *explore.Run, w world) { w.middle.Close() },
		"Trip of the last":    func(_ *explore.Run, w world) { w.last.Trip(errB) },
		"Trip of the root":    func(_ *explore.Run, w world) { w.root.Trip(errB) },
		"a dependent is made": func(_ *explore.Run, w world) {
			br := Any(w.root)
			// One that comes late doesn't wait for the trip to get to the others.
			br.onTrip(func() {})
			br.Close()
		},
		"a callback is stopped": func(_ *explore.Run, w world) { w.root.onTrip(func() {}).stop() },
		"AwaitClosed": func(r *explore.Run, w world) {
			if w.root.AwaitClosed(); w.root.State() != Closed {
				r.Failf("AwaitClosed returned in the state %v", w.root.State())
			}
		},
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		other := others[name]
		for _, owned := range []bool{false, true} {
			kind := "watched"
			if owned {
				kind = "owned"
			}
			programs = append(programs, program{"order, " + kind + ": Trip of the root vs " + name, func(r *explore.Run) {
				w := world{root: New()}
				leaf := New()
				if owned {
					w.middle = Multiplex(NopCloser(w.root), leaf)
				} else {
					w.middle = Any(w.root, leaf)
				}
				w.last = Any(w.middle)
				runs := 0
				w.root.onTrip(func() {
					runs++
					// What the middle owns is closed by whoever trips the middle.
					if w.middle.Err() == nil || w.last.Err() == nil || owned && leaf.Err() == nil && w.middle.Cause() == errA {
						r.Failf("promise 18: a callback finds a dependent open")
					}
				})
				r.Go(func() {
					r.Label("Trip")
					w.root.Trip(errA)
				})
				r.Go(func() {
					r.Label("other")
					other(r, w)
				})
				r.AtEnd(func() {
					if runs != 1 {
						r.Failf("promise 6: a callback ran %d times", runs)
					}
					for _, b := range []*Breaker{w.root, w.middle, w.last} {
						if b.State() != Closed {
							r.Failf("it is left %v", b.State())
						}
					}
					mustHold(r, w.root, 0)
					mustHold(r, w.middle, 0)
				})
			}})
		}
	}
	programs = append(programs, late(), ownedLeaf())
	return programs
}

// orderTriples has the programs in which one goroutine goes the way that another is on, and a third
// looks.
func orderTriples() []program {
	return []program{
		helped("watched", 2, func(root *Breaker) *Breaker { return Any(root) }),
		helped("owned", 1, func(root *Breaker) *Breaker {
			inner := Any(New())
			Multiplex(NopCloser(root), inner)
			return inner
		}),
	}
}
