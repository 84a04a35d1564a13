//go:build breaker_explore

package registry

import "github.com/kamilsk/breaker/internal/explore"

// unwanted is the number of a block that is beyond span when the directory has shrunk.
const unwanted = 1

// shrinking sets up a directory whose second block is full but for one slot, and returns what
// empties that, so that the directory shrinks. It takes more entries than other programs have.
// Meanwhile others look for a slot in the block.
func shrinking(r *explore.Run) (s *subject, shrink func()) {
	placeOfAll = unwanted
	s = explored(r)
	dir := newDirectory[node, tag]()
	dir.span.Store(2 * minSpan)
	s.g.more().directories[Callbacks].Store(dir)
	there := make([]*probe, blockSlots-1)
	for i := range there {
		there[i] = s.put(newCallback)
	}
	return s, func() {
		for _, p := range there {
			s.take(p)
		}
	}
}

// against returns the program in which the directory shrinks while the other threads do such
// operations.
func against(threads ...[]op) program {
	p := plain(0, threads...)
	name := "directory: " + p.name[len("fresh: "):] + " vs shrink"
	return program{name, func(r *explore.Run) {
		s, shrink := shrinking(r)
		for _, ops := range threads {
			r.Go(func() { s.do(ops) })
		}
		r.Go(func() {
			r.Label("shrink")
			shrink()
		})
	}}
}

// directories has the programs in which a directory shrinks.
func directories() (programs []program) {
	for _, ops := range shrunk {
		programs = append(programs, against(ops))
	}
	return programs
}

var shrunk = [][]op{{"put"}, {"put", "take"}, {"putLink"}, {"come"}, {"put", "put"}}

// directoryTriples has those of three threads.
func directoryTriples() (programs []program) {
	for i, x := range shrunk {
		for _, y := range shrunk[i:] {
			programs = append(programs, against(x, y))
		}
	}
	return programs
}
