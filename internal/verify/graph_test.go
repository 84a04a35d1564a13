package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/kamilsk/breaker"
)

// promise 18 for graphs of any shape: when a breaker trips, in no callback, cancel function or
// Close of a user's type is anything open that depends on what has tripped.

// vertex is a breaker of the graph, with what the test knows of it.
type vertex struct {
	name string
	br   *breaker.Breaker
	ctx  context.Context
	// follows has those that trip with this one: what listens to it, and what it owns.
	follows []int
	// owners has the vertices that own it through a user's type, one for each such type.
	owners     []int
	registered int // callbacks
	ran        int
	closes     int // of user's types around it
}

type graph struct {
	all      []*vertex
	log      []string
	problems []string
	tripped  []bool // by the model: what follows from what was tripped
}

// look is what every piece of a user's code does: it looks at everything.
func (g *graph) look(where string) {
	for i, v := range g.all {
		if !g.tripped[i] {
			if v.br.Err() != nil {
				g.problems = append(g.problems, fmt.Sprintf("in %s: %s has tripped, and nothing it depends on", where, v.name))
			}
			continue
		}
		if v.br.Err() == nil || v.br.Cause() == nil || v.br.State() == breaker.Open || !isClosed(v.br.Done()) ||
			v.ctx.Err() == nil || !isClosed(v.ctx.Done()) || context.Cause(v.ctx) != viewCause(v.br.Cause()) {
			g.problems = append(g.problems, fmt.Sprintf("promise 18: in %s: %s is open", where, v.name))
		}
	}
}

// mark says that a vertex trips, and what follows.
func (g *graph) mark(i int) {
	todo := []int{i}
	for len(todo) > 0 {
		i, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if g.tripped[i] {
			continue
		}
		g.tripped[i] = true
		todo = append(todo, g.all[i].follows...)
	}
}

// lookingCloser is a user's type with a Close that looks; it closes the breaker inside, or it
// doesn't.
type lookingCloser struct {
	*breaker.Breaker
	g      *graph
	v      *vertex
	closes bool
}

func (c lookingCloser) Close() {
	c.v.closes++
	c.g.look("Close of " + c.v.name)
	if c.closes {
		c.Breaker.Close()
	}
}

// blueprint is a vertex as it is drawn: its numbers select among what there is.
type blueprint struct {
	kind      byte
	parents   []byte
	shapes    []byte
	callbacks byte
}

var blueprints = rapid.Custom(func(t *rapid.T) blueprint {
	return blueprint{
		kind:      rapid.Byte().Draw(t, "kind"),
		parents:   rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "parents"),
		shapes:    rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "shapes"),
		callbacks: rapid.Byte().Draw(t, "callbacks"),
	}
})

func (g *graph) add(p blueprint) {
	me := len(g.all)
	v := &vertex{name: fmt.Sprintf("b%d", me)}
	kind := p.kind % 8
	if me == 0 {
		kind = 0
	}
	follow := func(parent int) *vertex {
		g.all[parent].follows = append(g.all[parent].follows, me)
		return g.all[parent]
	}
	parent := func(i int) int { return int(p.parents[i]) % max(me, 1) }
	many := func(own bool) (args []breaker.Interface, names string) {
		for i := range 1 + int(p.shapes[0]>>4)%3 {
			from := follow(parent(i))
			arg, owned, name := breaker.Interface(from.br), own, from.name
			switch p.shapes[i] % 5 {
			case 1:
				arg, owned, name = breaker.NopCloser(from.br), false, "NopCloser("+name+")"
			case 2:
				arg, name = lookingCloser{from.br, g, from, true}, "closer{"+name+"}"
				if own {
					from.owners = append(from.owners, me)
				}
			case 3:
				arg, name = lookingCloser{from.br, g, from, false}, "deafCloser{"+name+"}"
				if own {
					from.owners = append(from.owners, me)
				}
			}
			if owned {
				v.follows = append(v.follows, parent(i))
			}
			args, names = append(args, arg), names+" "+name
		}
		return args, names
	}
	what := ""
	switch kind {
	case 0:
		v.br, what = breaker.New(), "New"
	case 1:
		v.br, what = breaker.BreakByTimeout(time.Hour), "BreakByTimeout"
	case 2, 3:
		args, names := many(true)
		v.br, what = breaker.Multiplex(args...), "Multiplex"+names
	case 4:
		args, names := many(false)
		v.br, what = breaker.Any(args...), "Any"+names
	case 5:
		args, names := many(false)
		v.br, what = breaker.Within(context.Background(), time.Hour, args...), "Within"+names
	case 6:
		from := follow(parent(0))
		args, names := many(false)
		v.br, what = breaker.Within(from.ctx, time.Hour, args...), "Within of the context of "+from.name+","+names
	case 7:
		from := follow(parent(0))
		cancel := func() {
			g.look("the cancel function of " + v.name)
			if v.br.State() != breaker.Closed {
				g.problems = append(g.problems, "promise 18: the cancel function of "+v.name+" finds it not closed")
			}
		}
		if p.shapes[0]%2 == 0 {
			cancel = nil
		}
		v.br, what = breaker.BreakByContext(from.ctx, cancel), "BreakByContext of the context of "+from.name
		if p.shapes[1]%2 == 0 {
			v.br.Done()
			what += ", waited for"
		}
	}
	v.ctx = breaker.ToContext(v.br)
	g.log = append(g.log, v.name+" := "+what)
	g.all, g.tripped = append(g.all, v), append(g.tripped, false)
	g.callbacks(v, p.callbacks%3)
}

func (g *graph) callbacks(v *vertex, n byte) {
	for range n {
		v.registered++
		v.br.OnTrip(func() {
			v.ran++
			g.look("a callback of " + v.name)
		})
	}
}

func TestGraph_RandomGraphs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		g := &graph{}
		plan := rapid.SliceOfN(blueprints, 1, 16).Draw(r, "graph")
		for _, p := range plan {
			g.add(p)
		}
		for _, p := range plan { // some register first, some in between, some last
			g.callbacks(g.all[int(p.callbacks>>4)%len(g.all)], p.callbacks>>3%2)
		}
		root := rapid.IntRange(0, len(g.all)-1).Draw(r, "tripped")
		how := rapid.IntRange(0, 1).Draw(r, "how")
		g.mark(root)
		before := slices.Clone(g.tripped)
		if how == 0 {
			g.all[root].br.Trip(numbered(1))
		} else {
			g.all[root].br.Close()
		}
		g.look("the end")
		for i, v := range g.all {
			if before[i] && v.br.State() != breaker.Closed {
				g.problems = append(g.problems, "promise 10: "+v.name+" isn't closed when Trip has returned")
			}
			if before[i] && v.ran != v.registered || !before[i] && v.ran != 0 {
				g.problems = append(g.problems, fmt.Sprintf("promise 6: %d of %d callbacks of %s have run", v.ran, v.registered, v.name))
			}
			want := 0
			for _, owner := range v.owners {
				if before[owner] {
					want++
				}
			}
			if v.closes != want {
				g.problems = append(g.problems, fmt.Sprintf("promise 9: %s was closed %d times by its owners, not %d", v.name, v.closes, want))
			}
		}
		if len(g.problems) > 0 {
			r.Fatalf("%s\nafter the trip of b%d in\n\t%s", strings.Join(g.problems, "\n"), root, strings.Join(g.log, "\n\t"))
		}
		for i, v := range g.all {
			g.mark(i)
			v.br.Close()
		}
		require.Empty(r, g.problems)
	})
}
