//go:build breaker_explore

package breaker

import (
	"strings"

	"github.com/kamilsk/breaker/internal/explore"
)

// family is a Multiplex, an Any or a Within, and its children.
type family struct {
	r       *explore.Run
	parent  *subject // the Multiplex; nil until it is made
	make    func(children ...Interface) *Breaker
	owned   []*subject
	watched []*subject
	// name is put before the names of its members.
	name string
	// isOwned says that another Multiplex owns this one, and may close it.
	isOwned bool
	// others have the same children.
	others []*family
	// more returns the causes of what has ended besides.
	more func() []error
	// does has the threads that only such a family has.
	does map[string]func()
	// look is what the thread that makes the Multiplex does with it.
	look func(*subject)
	// view is the breaker behind the context of a Within, and the first of those that it watches.
	view *subject
}

// newFamily returns a family with so many children and no Multiplex.
func newFamily(r *explore.Run, owned, watched int) *family {
	f := &family{r: r, make: Multiplex, look: (*subject).seeErr, more: func() []error { return nil }}
	r.AtEnd(f.end)
	for i := range owned {
		f.owned = append(f.owned, explored(r, "pq"[i:i+1], New()))
	}
	for i := range watched {
		f.watched = append(f.watched, explored(r, "xy"[i:i+1], New()))
	}
	return f
}

// join makes the Multiplex.
func (f *family) join() *subject {
	var all []Interface
	for _, s := range f.watched {
		all = append(all, NopCloser(s.Breaker))
	}
	for _, s := range f.owned {
		all = append(all, s.Breaker)
	}
	f.parent = explored(f.r, f.name+"m", f.make(all...))
	f.parent.owns = f.owned
	return f.parent
}

// end checks promise 9 and promise 10.
func (f *family) end() {
	if f.parent == nil {
		f.r.Failf("there is no Multiplex")
		return
	}
	tripped := f.more()
	for _, s := range f.owned {
		if s.Err() != nil {
			tripped = append(tripped, s.Cause())
		}
		if f.parent.Err() != nil && s.State() != Closed {
			f.r.Failf("promise 9: the Multiplex has tripped, and a child is %v", s.State())
		}
	}
	for _, s := range f.watched {
		if s.Err() != nil {
			tripped = append(tripped, s.Cause())
			if s.trips == 0 {
				f.r.Failf("promise 9: a child that is only watched was tripped, by %v", s.Cause())
			}
		}
	}
	if len(tripped) > 0 && f.parent.Err() == nil {
		f.r.Failf("promise 9: children have tripped, by %v, and the Multiplex hasn't", tripped)
	}
	registered := 0
	for _, f := range append(f.others, f) {
		if f.parent.Err() == nil {
			registered++
		}
	}
	if f.parent.Err() != nil {
		if f.parent.State() != Closed {
			f.r.Failf("promise 10: the Multiplex has tripped, and is %v", f.parent.State())
		}
		known := f.parent.trips > 0 || f.isOwned && f.parent.Cause() == ErrClosed
		for _, cause := range tripped {
			known = known || cause == f.parent.Cause()
		}
		if !known {
			f.r.Failf("promise 9: the cause %v isn't a child's", f.parent.Cause())
		}
	}
	for _, s := range append(f.owned, f.watched...) {
		mustHold(f.r, s.Breaker, registered+s.unfinished())
	}
}

// unfinished counts the callbacks that have neither run nor been stopped.
func (s *subject) unfinished() (n int) {
	for _, p := range s.probes {
		if p.ran+p.stopped == 0 {
			n++
		}
	}
	return n
}

func multiplexProgram(name string, owned, watched int, threads ...string) program {
	p := joinProgram(name, func(r *explore.Run) *family { return newFamily(r, owned, watched) }, threads...)
	p.name = name + " of " + "pq"[:owned] + "xy"[:watched] + ": " + threadsOf(threads)
	return p
}

// joinProgram returns a program around a family. What happens before the threads begin is in its
// name. The program is still to be named.
func joinProgram(name string, found func(r *explore.Run) *family, threads ...string) program {
	return program{"", func(r *explore.Run) {
		f := found(r)
		if threads[0] != "make" {
			f.join()
		}
		switch name {
		case "made, waited for":
			f.parent.done1()
		case "made, a child waited for":
			for _, s := range append(f.owned, f.watched...) {
				s.done1()
			}
		case "made, with a callback":
			f.parent.shared = f.parent.onTrip()
		}
		for _, thread := range threads {
			if do := f.does[thread]; do != nil {
				r.Go(do)
				continue
			}
			if thread == "make" {
				r.Go(func() {
					r.Label("make")
					f.look(f.join())
				})
				continue
			}
			s := f.member(thread[:1])
			ops := []op{op(thread[2:])}
			if ops[0] == "OnTrip.stop" {
				ops = []op{"OnTrip", "stop"}
			}
			r.Go(func() { s.do(ops) })
		}
	}}
}

// glance is seeErr with fewer accesses, which make fewer schedules.
func (s *subject) glance() {
	if s.Err() != nil {
		s.causes = append(s.causes, s.Cause())
	}
}

// member returns one of the family by its name.
func (f *family) member(name string) *subject {
	switch name {
	case "m":
		return f.parent
	case "p", "q":
		return f.owned[name[0]-'p']
	default:
		i := strings.Index("xy", name)
		if f.view != nil {
			i++ // it is the first, and for its own name i is -1
		}
		return f.watched[i]
	}
}

// graphs are breakers that hang together in other ways.
func graphs() (programs []program) {
	add := func(name string, setup func(r *explore.Run) (one, other *subject), first, second op) {
		programs = append(programs, program{name + ": " + threadsOf([]string{string(first), string(second)}), func(r *explore.Run) {
			one, other := setup(r)
			r.Go(func() { one.do([]op{first}) })
			r.Go(func() { other.do([]op{second}) })
		}})
	}
	// A Multiplex that owns a Multiplex. Each watches a breaker, too.
	chain := func(r *explore.Run) (bottom, top *family) {
		bottom, top = newFamily(r, 0, 1), newFamily(r, 0, 1)
		bottom.name, bottom.isOwned = "bottom.", true
		bottom.join()
		top.name, top.owned = "top.", []*subject{bottom.parent}
		top.join()
		return bottom, top
	}
	xAndTop := func(r *explore.Run) (*subject, *subject) {
		bottom, top := chain(r)
		return bottom.watched[0], top.parent
	}
	add("chain, x and top", xAndTop, "TripA", "Close")
	add("chain, x and top", xAndTop, "TripA", "TripB")
	add("chain, x and top", xAndTop, "TripA", "OnTrip")
	add("chain, x and bottom", func(r *explore.Run) (*subject, *subject) {
		bottom, _ := chain(r)
		return bottom.watched[0], bottom.parent
	}, "TripA", "Close")
	add("chain, x of bottom and x of top", func(r *explore.Run) (*subject, *subject) {
		bottom, top := chain(r)
		return bottom.watched[0], top.watched[0]
	}, "TripA", "TripB")

	// Two that watch one breaker.
	siblings := func(r *explore.Run) (one, other *family) {
		one = newFamily(r, 0, 1)
		other = newFamily(r, 0, 0)
		other.watched = one.watched
		one.others, other.others = []*family{other}, []*family{one}
		one.name, other.name = "one.", "other."
		one.join()
		other.join()
		return one, other
	}
	add("siblings, x and one", func(r *explore.Run) (*subject, *subject) {
		one, _ := siblings(r)
		return one.watched[0], one.parent
	}, "TripA", "Close")
	add("siblings, one and other", func(r *explore.Run) (*subject, *subject) {
		one, other := siblings(r)
		return one.parent, other.parent
	}, "Close", "TripB")

	// Two that own one breaker, which the first of them closes.
	owners := func(r *explore.Run) (one, other *family) {
		one = newFamily(r, 1, 0)
		other = newFamily(r, 0, 0)
		other.owned = one.owned
		one.others, other.others = []*family{other}, []*family{one}
		one.name, other.name = "one.", "other."
		one.join()
		other.join()
		return one, other
	}
	add("owners, p and one", func(r *explore.Run) (*subject, *subject) {
		one, _ := owners(r)
		return one.owned[0], one.parent
	}, "TripA", "Close")
	add("owners, one and other", func(r *explore.Run) (*subject, *subject) {
		one, other := owners(r)
		return one.parent, other.parent
	}, "Close", "TripB")

	// A Multiplex that watches a breaker itself and by way of another.
	diamond := func(r *explore.Run) (*subject, *subject) {
		side, top := newFamily(r, 0, 1), newFamily(r, 0, 0)
		side.name, side.isOwned, side.others = "side.", true, []*family{top}
		side.join()
		top.name, top.watched, top.owned, top.others = "top.", side.watched, []*subject{side.parent}, []*family{side}
		top.join()
		return side.watched[0], top.parent
	}
	add("diamond", diamond, "TripA", "Close")
	add("diamond", diamond, "TripA", "TripB")
	add("the same child three times", func(r *explore.Run) (*subject, *subject) {
		p := explored(r, "p", New())
		return p, explored(r, "m", Multiplex(p, p, NopCloser(p)))
	}, "TripA", "Close")

	programs = append(programs, program{"a child with a callback: make vs p.TripA", func(r *explore.Run) {
		f := newFamily(r, 2, 0)
		// The construction may end before it gets there, and whoever has tripped the Multiplex
		// closes it all the same.
		f.owned[1].onTrip()
		r.Go(func() {
			r.Label("make")
			f.join().glance()
		})
		r.Go(func() { f.owned[0].do([]op{"TripA"}) })
	}})

	return append(programs, program{"a child with a Close of its own: make.Close vs p.TripA", func(r *explore.Run) {
		p := explored(r, "p", New())
		child := &ownClose{Breaker: p.Breaker}
		r.AtEnd(func() {
			if child.closed != 1 {
				r.Failf("promise 9: Close of the child was called %d times", child.closed)
			}
		})
		r.Go(func() {
			r.Label("make")
			m := explored(r, "m", Multiplex(child, New()))
			m.do([]op{"Close"})
		})
		r.Go(func() { p.do([]op{"TripA"}) })
	}})
}

// ownClose is a breaker that a type of the user's embeds.
type ownClose struct {
	*Breaker
	closed int
}

func (c *ownClose) Close() {
	c.closed++
	c.Breaker.Close()
}
