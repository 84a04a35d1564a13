//go:build breaker_explore

package breaker

import (
	"slices"

	"github.com/kamilsk/breaker/internal/explore"
	"github.com/kamilsk/breaker/internal/registry"
)

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

// registers counts the registrations.
func registers(ops []op) (n int) {
	for _, o := range ops {
		if o == "OnTrip" {
			n++
		}
	}
	return n
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
