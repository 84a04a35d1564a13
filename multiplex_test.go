package breaker_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// someBreakers returns n open breakers of different kinds, and the same as Multiplex takes them.
func someBreakers(n int) (children []*breaker.Breaker, given []breaker.Interface) {
	for i := range n {
		var br *breaker.Breaker
		switch i % 3 {
		case 0:
			br = breaker.New()
		case 1:
			br = breaker.BreakByTimeout(time.Hour)
		default:
			br = breaker.Multiplex(breaker.New())
		}
		children, given = append(children, br), append(given, br)
	}
	return children, given
}

// promise 9: it trips when a child trips, whichever, with its cause, and closes the others.
func TestMultiplex_TripsWithAnyChild(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 40} {
		for at := range n {
			for _, asked := range []bool{false, true} {
				t.Run(strconv.Itoa(at)+" of "+strconv.Itoa(n)+", Done asked before: "+strconv.FormatBool(asked), func(t *testing.T) {
					children, given := someBreakers(n)
					br := breaker.Multiplex(given...)
					if asked {
						assertOpen(t, br)
					}
					children[at].Trip(errA)
					assertClosed(t, br, errA)
					for i, child := range children {
						if i == at {
							assertClosed(t, child, errA)
						} else {
							assertClosed(t, child, breaker.ErrClosed)
						}
					}
				})
			}
		}
	}
}

// promise 9: it trips when a child is closed, by whoever has it.
func TestMultiplex_TripsWhenAChildIsClosed(t *testing.T) {
	children, given := someBreakers(3)
	br := breaker.Multiplex(given...)
	children[1].Close()
	assertClosed(t, br, breaker.ErrClosed)
	assertClosed(t, children[0], breaker.ErrClosed)
	assertClosed(t, children[2], breaker.ErrClosed)
}

// promise 9: closed or tripped itself, it closes every child.
func TestMultiplex_ClosesItsChildren(t *testing.T) {
	for name, trip := range map[string]struct {
		do    func(br *breaker.Breaker)
		cause error
	}{
		"Close":     {(*breaker.Breaker).Close, breaker.ErrClosed},
		"Trip":      {func(br *breaker.Breaker) { br.Trip(errA) }, errA},
		"Trip(nil)": {func(br *breaker.Breaker) { br.Trip(nil) }, breaker.Interrupted},
	} {
		for n := 1; n <= 6; n++ {
			t.Run(name+" of "+strconv.Itoa(n), func(t *testing.T) {
				children, given := someBreakers(n)
				calls := 0
				for _, child := range children {
					child.OnTrip(func() { calls++ })
				}
				br := breaker.Multiplex(given...)
				trip.do(br)
				assertClosed(t, br, trip.cause)
				assert.Equal(t, n, calls)
				for _, child := range children {
					assertClosed(t, child, breaker.ErrClosed)
				}
				br.Close()
				assertClosed(t, br, trip.cause)
			})
		}
	}
}

func TestMultiplex_OfNothing(t *testing.T) {
	br := breaker.Multiplex()
	assert.Equal(t, breaker.Closed, br.State())
	assert.Equal(t, breaker.Interrupted, br.Err())
	assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
	assert.True(t, isShut(br.Done()))
	assert.False(t, br.Trip(errA))
	br.Close()
	assert.NotErrorIs(t, br.Cause(), errA)
	assert.Equal(t, breaker.Multiplex([]breaker.Interface{}...).Cause(), br.Cause())
}

// promise 9: a view is watched and never closed. This is how a request watches a breaker of the
// process.
func TestNopCloser_IsWatchedAndNeverClosed(t *testing.T) {
	process := breaker.New()
	for range 100 {
		request := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour))
		assert.Equal(t, 1, registrations(process))
		request.Close()
		assertClosed(t, request, breaker.ErrClosed)
		assert.Zero(t, registrations(process))
	}
	assertOpen(t, process)

	first := breaker.Multiplex(breaker.NopCloser(process), breaker.New())
	second := breaker.Multiplex(breaker.New(), breaker.NopCloser(process))
	first.Trip(errA) // D7: this one closed the process's, and with it the other one's
	assertOpen(t, process)
	assertOpen(t, second)
	process.Trip(errB)
	assertClosed(t, first, errA)
	assertClosed(t, second, errB)
}

// promise 9: the view is the same breaker, but for its Close.
func TestNopCloser_IsAView(t *testing.T) {
	br := breaker.New()
	view := breaker.NopCloser(br)
	view.Close()
	assertOpen(t, br)
	assert.True(t, view.Done() == br.Done())
	assert.NoError(t, view.Err())
	again := breaker.NopCloser(view)
	again.Close()
	assertOpen(t, br)
	assert.True(t, again == view, "a view of a view is the view")
	br.Trip(errA)
	assert.Equal(t, breaker.Interrupted, view.Err())
	assert.True(t, isShut(view.Done()))
	view.Close()
	assertClosed(t, br, errA)
	assert.Equal(t, errA, breaker.Multiplex(view).Cause())
	assert.Equal(t, errA, context.Cause(breaker.ToContext(again)))
}

// promise 9: when a child has already tripped, the result is tripped on return, and the other
// children are closed.
func TestMultiplex_OfTrippedChild(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for at := range n {
			for _, asked := range []bool{false, true} {
				t.Run(strconv.Itoa(at)+" of "+strconv.Itoa(n)+", Done asked before: "+strconv.FormatBool(asked), func(t *testing.T) {
					process := breaker.New()
					children, given := someBreakers(n)
					if asked {
						children[at].Done()
					}
					children[at].Trip(errA)
					given = append(append([]breaker.Interface{breaker.NopCloser(process)}, given...), breaker.NopCloser(process))
					br := breaker.Multiplex(given...)
					assertClosed(t, br, errA)
					for i, child := range children {
						if i == at {
							assertClosed(t, child, errA)
						} else {
							assertClosed(t, child, breaker.ErrClosed)
						}
					}
					assertOpen(t, process)
					assert.Zero(t, registrations(process))
				})
			}
		}
	}
}

// promise 9: of two that have tripped it takes one's cause, and closes all the same.
func TestMultiplex_OfTrippedChildren(t *testing.T) {
	one, two, three := breaker.New(), breaker.New(), breaker.New()
	one.Trip(errA)
	two.Trip(errB)
	br := breaker.Multiplex(three, one, two)
	assertClosed(t, br, errA)
	assertClosed(t, two, errB)
	assertClosed(t, three, breaker.ErrClosed)
	expired := breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(-1), breaker.BreakByTimeout(time.Hour))
	assert.ErrorIs(t, expired.Cause(), context.DeadlineExceeded)
	assert.Equal(t, context.DeadlineExceeded, breaker.ToContext(expired).Err())
}

// promise 9: the same child twice is no different, owned or watched.
func TestMultiplex_OfDuplicates(t *testing.T) {
	for name, views := range map[string][2]func(breaker.Interface) breaker.Interface{
		"owned twice":       {itself, itself},
		"owned and watched": {itself, breaker.NopCloser},
		"watched and owned": {breaker.NopCloser, itself},
		"watched twice":     {breaker.NopCloser, breaker.NopCloser},
	} {
		t.Run(name+", closed", func(t *testing.T) {
			child := breaker.New()
			br := breaker.Multiplex(views[0](child), views[1](child))
			br.Close()
			assertClosed(t, br, breaker.ErrClosed)
			assert.Zero(t, registrations(child))
			if name == "watched twice" {
				assertOpen(t, child)
			} else {
				assertClosed(t, child, breaker.ErrClosed)
			}
		})
		t.Run(name+", tripped", func(t *testing.T) {
			child := breaker.New()
			br := breaker.Multiplex(views[0](child), views[1](child))
			calls := 0
			br.OnTrip(func() { calls++ })
			child.Trip(errA)
			assertClosed(t, br, errA)
			assertClosed(t, child, errA)
			assert.Equal(t, 1, calls)
		})
		t.Run(name+", tripped before", func(t *testing.T) {
			child := breaker.New()
			child.Trip(errA)
			assertClosed(t, breaker.Multiplex(views[0](child), views[1](child)), errA)
		})
	}
}

// promise 9: the cause goes through any number of levels, and closing goes as far as owning.
func TestMultiplex_Nested(t *testing.T) {
	build := func() (leaf, process, inner, outer *breaker.Breaker) {
		leaf, process = breaker.New(), breaker.New()
		inner = breaker.Multiplex(leaf, breaker.NopCloser(process))
		outer = breaker.Multiplex(breaker.Multiplex(inner), breaker.BreakByTimeout(time.Hour))
		return leaf, process, inner, outer
	}
	leaf, process, inner, outer := build()
	leaf.Trip(errA)
	assertClosed(t, inner, errA)
	assertClosed(t, outer, errA)
	assertOpen(t, process)
	assert.Zero(t, registrations(process))

	leaf, process, inner, outer = build()
	process.Trip(errB)
	assertClosed(t, inner, errB)
	assertClosed(t, outer, errB)
	assertClosed(t, leaf, breaker.ErrClosed)

	leaf, process, inner, outer = build()
	outer.Trip(errA)
	assertClosed(t, outer, errA)
	assertClosed(t, inner, breaker.ErrClosed)
	assertClosed(t, leaf, breaker.ErrClosed)
	assertOpen(t, process)
	assert.Zero(t, registrations(process))

	leaf, process, inner, outer = build()
	inner.Trip(errA)
	assertClosed(t, outer, errA)
	assertClosed(t, leaf, breaker.ErrClosed)
	assertOpen(t, process)

	leaf, process, inner, _ = build()
	outer = breaker.Multiplex(breaker.NopCloser(inner), breaker.New())
	outer.Close()
	assertOpen(t, leaf)
	assertOpen(t, inner)
	inner.Close()
	assertClosed(t, leaf, breaker.ErrClosed)
	assertOpen(t, process)
}

// promise 9: two ways from a breaker to another one are one trip.
func TestMultiplex_Diamond(t *testing.T) {
	top := breaker.New()
	left, right := breaker.Multiplex(breaker.NopCloser(top)), breaker.Multiplex(breaker.NopCloser(top))
	bottom := breaker.Multiplex(left, right, breaker.NopCloser(top))
	calls := 0
	bottom.OnTrip(func() { calls++ })
	top.Trip(errA)
	for _, br := range []*breaker.Breaker{top, left, right, bottom} {
		assertClosed(t, br, errA)
	}
	assert.Equal(t, 1, calls)
}

// promise 9: the caller's slice is neither written to (D6) nor kept.
func TestMultiplex_CallersSlice(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 10} {
		children, given := someBreakers(n)
		before := append([]breaker.Interface(nil), given...)
		part := breaker.Multiplex(given[:n/2+n%2]...)
		assert.Equal(t, before, given)
		// Not looked at again.
		clear(given)
		last := children[(n-1)/2]
		last.Trip(errA)
		assertClosed(t, part, errA)
		for i, child := range children {
			if i > (n-1)/2 {
				assertOpen(t, child)
				child.Close()
			}
		}
	}

	given := make([]breaker.Interface, 100)
	for i := range given {
		given[i] = breaker.New()
	}
	slice := weak.Make(&given[0])
	br := breaker.Multiplex(given...)
	given = nil
	awaitGone(t, func() bool { return slice.Value() == nil }, "the slice")
	br.Close()
}

// promise 9: a type of the user's that embeds a breaker is owned by its own Close.
func TestMultiplex_OfEmbeddedBreakers(t *testing.T) {
	value := &byValue{name: "value"}
	pointer := &byPointer{name: "pointer", Breaker: breaker.New()}
	inside := byInterface{name: "interface", Interface: breaker.Multiplex(breaker.New())}
	view := byInterface{name: "view", Interface: breaker.NopCloser(breaker.New())}
	nested := byInterface{name: "nested", Interface: byPointer{Breaker: breaker.New()}}
	br := breaker.Multiplex(value, pointer, *pointer, inside, view, nested)
	assertOpen(t, br)
	assertOpen(t, &value.Breaker)
	br.Trip(errA)
	assertClosed(t, br, errA)
	assertClosed(t, &value.Breaker, breaker.ErrClosed)
	assertClosed(t, pointer.Breaker, breaker.ErrClosed)
	assert.Error(t, inside.Err())
	assert.NoError(t, view.Err(), "the Close of a view does nothing, embedded or not")
	assert.Zero(t, registrations(view))
	assert.Error(t, nested.Err())
}

func TestMultiplex_TripsWithEmbeddedBreakers(t *testing.T) {
	for name, construct := range map[string]func() (breaker.Interface, *breaker.Breaker){
		"by value": func() (breaker.Interface, *breaker.Breaker) {
			it := new(byValue)
			return it, &it.Breaker
		},
		"by pointer": func() (breaker.Interface, *breaker.Breaker) {
			it := byPointer{Breaker: breaker.New()}
			return it, it.Breaker
		},
		"by interface": func() (breaker.Interface, *breaker.Breaker) {
			br := breaker.New()
			return byInterface{Interface: br}, br
		},
		"by interface, a view": func() (breaker.Interface, *breaker.Breaker) {
			br := breaker.New()
			return byInterface{Interface: breaker.NopCloser(br)}, br
		},
		"with a Close of its own": func() (breaker.Interface, *breaker.Breaker) {
			br := breaker.New()
			return &closeCounter{Breaker: br}, br
		},
	} {
		for _, view := range []func(breaker.Interface) breaker.Interface{itself, breaker.NopCloser} {
			t.Run(name, func(t *testing.T) {
				it, inside := construct()
				owner := breaker.Multiplex(breaker.New(), view(it))
				ctx := breaker.ToContext(it)
				assert.NoError(t, ctx.Err())
				inside.Trip(errA)
				assertClosed(t, owner, errA)
				assert.Equal(t, context.Canceled, ctx.Err())
				assertClosed(t, breaker.Multiplex(view(it)), errA)
			})
		}
	}
}

// promise 9: a Close of the user's own is called once, whatever trips the Multiplex, also if it was
// tripped before.
func TestMultiplex_CallsCloseOfTheUser(t *testing.T) {
	for name, trip := range map[string]func(br *breaker.Breaker, it *closeCounter, other *breaker.Breaker){
		"Close":         func(br *breaker.Breaker, _ *closeCounter, _ *breaker.Breaker) { br.Close() },
		"Trip":          func(br *breaker.Breaker, _ *closeCounter, _ *breaker.Breaker) { br.Trip(errA) },
		"another child": func(_ *breaker.Breaker, _ *closeCounter, other *breaker.Breaker) { other.Trip(errA) },
		"itself":        func(_ *breaker.Breaker, it *closeCounter, _ *breaker.Breaker) { it.Trip(errA) },
	} {
		t.Run(name, func(t *testing.T) {
			it, other := &closeCounter{Breaker: breaker.New()}, breaker.New()
			watched := &closeCounter{Breaker: breaker.New()}
			br := breaker.Multiplex(other, it, breaker.NopCloser(watched))
			assert.Zero(t, it.closed)
			trip(br, it, other)
			assert.Equal(t, 1, it.closed)
			br.Close()
			assert.Equal(t, 1, it.closed)
			assert.Equal(t, breaker.Closed, it.State())
			assert.Equal(t, breaker.Closed, br.State())
			assert.Zero(t, watched.closed, "a view's breaker is never closed")
			assertOpen(t, watched.Breaker)
		})
	}
	t.Run("tripped before", func(t *testing.T) {
		it, other := &closeCounter{Breaker: breaker.New()}, &closeCounter{Breaker: breaker.New()}
		it.Trip(errA)
		assertClosed(t, breaker.Multiplex(it, other), errA)
		assert.Equal(t, 1, it.closed)
		assert.Equal(t, 1, other.closed)
	})
	t.Run("tripped by an earlier one", func(t *testing.T) {
		it, before := &closeCounter{Breaker: breaker.New()}, breaker.New()
		before.Trip(errA)
		assertClosed(t, breaker.Multiplex(before, it), errA)
		assert.Equal(t, 1, it.closed)
	})
}

// stubborn doesn't let itself be closed.
type stubborn struct{ *breaker.Breaker }

func (stubborn) Close() {}

// panicking has a Close that panics.
type panicking struct{ *breaker.Breaker }

func (panicking) Close() { panic(errB) }

// promise 9: what is owned is closed, whatever a Close of the user's does. promise 18: that is
// called afterwards.
func TestMultiplex_ClosesWhatIsInside(t *testing.T) {
	it := stubborn{breaker.New()}
	br := breaker.Multiplex(it)
	br.Close()
	assertClosed(t, br, breaker.ErrClosed)
	assertClosed(t, it.Breaker, breaker.ErrClosed)
	assert.Zero(t, registrations(it))

	// promise 8, because it is a callback of the user's, too.
	culprit, last := panicking{breaker.New()}, breaker.New()
	br = breaker.Multiplex(culprit, last)
	assert.Equal(t, errB, catch(br.Close))
	assertClosed(t, br, breaker.ErrClosed)
	assertClosed(t, last, breaker.ErrClosed)
	assertClosed(t, culprit.Breaker, breaker.ErrClosed)
	assert.Zero(t, registrations(culprit))
}

// promise 8, promise 10: a panic out of Multiplex, for which nobody gets the result, leaves nothing
// behind either.
func TestMultiplex_PanicsWhileBeingMade(t *testing.T) {
	for name, culprit := range map[string]func() []breaker.Interface{
		"a Close of the user's, when another has tripped": func() []breaker.Interface {
			tripped := breaker.New()
			tripped.Close()
			return []breaker.Interface{panicking{breaker.New()}, tripped}
		},
		"the cancel function of a context that has ended": func() []breaker.Interface {
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, func() { panic(errB) })
			cancel()
			return []breaker.Interface{br}
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, owned, last := breaker.New(), breaker.BreakByTimeout(time.Hour), breaker.New()
			given := append([]breaker.Interface{owned, breaker.NopCloser(parent)}, culprit()...)
			assert.Equal(t, errB, catch(func() { breaker.Multiplex(append(given, last)...) }))
			assert.Zero(t, registrations(parent))
			assertOpen(t, parent)
			assert.Equal(t, breaker.Closed, owned.State())
			assert.Equal(t, breaker.Closed, last.State())
		})
	}
}

// promise 10: what trips by one source leaves the others at once, also when it is never closed.
func TestMultiplex_LeavesAllItsParents(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for at := range n + 1 {
			t.Run(strconv.Itoa(at)+" of "+strconv.Itoa(n), func(t *testing.T) {
				var parents []*breaker.Breaker
				var views []breaker.Interface
				for range n {
					parents = append(parents, breaker.New())
					views = append(views, breaker.NopCloser(parents[len(parents)-1]))
				}
				br := breaker.Multiplex(views...)
				for _, parent := range parents {
					assert.Equal(t, 1, registrations(parent))
				}
				if at < n {
					parents[at].Trip(errA)
				} else {
					br.Trip(errA)
				}
				for i, parent := range parents {
					assert.Zero(t, registrations(parent))
					assert.Equal(t, i == at, parent.Err() != nil)
				}
				assertClosed(t, br, errA)
			})
		}
	}
}

// promise 10: whatever kind of source it was.
func TestMultiplex_LeavesEverySource(t *testing.T) {
	for name, trip := range map[string]func(end context.CancelFunc, signal chan struct{}, parent *breaker.Breaker){
		"a context": func(end context.CancelFunc, _ chan struct{}, _ *breaker.Breaker) { end() },
		"a channel": func(_ context.CancelFunc, signal chan struct{}, _ *breaker.Breaker) { close(signal) },
		"a parent":  func(_ context.CancelFunc, _ chan struct{}, parent *breaker.Breaker) { parent.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			awaitQuiet(t)
			foreign := &registeringContext{done: make(chan struct{})}
			ctx, end := context.WithCancel(context.Background())
			defer end()
			signal, another := make(chan struct{}), make(chan struct{})
			parent, process, behind := breaker.New(), breaker.New(), breaker.New()
			owned := []*breaker.Breaker{
				breaker.BreakByContext(ctx, nil),
				breaker.BreakByContext(foreign, nil),
				breaker.BreakByContext(breaker.ToContext(behind), nil),
				breaker.BreakByChannel(signal),
				breaker.BreakByChannel(another),
				breaker.BreakByTimeout(time.Hour),
			}
			given := []breaker.Interface{breaker.NopCloser(parent), breaker.NopCloser(process)}
			for _, br := range owned {
				given = append(given, br)
			}
			br := breaker.Multiplex(given...)
			assert.Equal(t, int32(1), foreign.registered.Load())
			assert.Equal(t, 1, registrations(behind))
			assert.Equal(t, 2, ownGoroutines(), "one for each channel")
			trip(end, signal, parent)
			<-br.Done()
			// The winner is another goroutine, which goes on to what it owns.
			for _, br := range append(owned, br) {
				awaitThat(t, func() bool { return br.State() == breaker.Closed }, "the end of the trip")
				assert.Zero(t, registrations(br))
			}
			assert.Zero(t, registrations(parent))
			assert.Zero(t, registrations(process))
			assert.Zero(t, registrations(behind))
			assert.Zero(t, foreign.registered.Load())
			awaitQuiet(t)
		})
	}
}

// registeringContext counts who is registered with it.
type registeringContext struct {
	context.Context
	done       chan struct{}
	registered atomic.Int32
}

func (*registeringContext) Err() error                  { return nil }
func (c *registeringContext) Done() <-chan struct{}     { return c.done }
func (*registeringContext) Value(any) any               { return nil }
func (*registeringContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *registeringContext) AfterFunc(func()) func() bool {
	c.registered.Add(1)
	return func() bool {
		c.registered.Add(-1)
		return true
	}
}

// promise 10: a closed breaker that someone retains pins neither what it listened to nor what did
// so beside it.
func TestMultiplex_RetainedPinsNothing(t *testing.T) {
	for _, others := range []int{0, 1, 2, 40, 400} {
		for name, view := range map[string]func(breaker.Interface) breaker.Interface{
			"watched": breaker.NopCloser,
			"owned":   itself,
		} {
			t.Run(name+", siblings: "+strconv.Itoa(others), func(t *testing.T) {
				var retained *breaker.Breaker
				parent, sibling, grown := func() (weak.Pointer[breaker.Breaker], weak.Pointer[breaker.Breaker], weak.Pointer[breaker.Breaker]) {
					parent, another := breaker.New(), breaker.New()
					var sibling *breaker.Breaker
					for range others / 2 {
						sibling = breaker.Multiplex(breaker.NopCloser(parent))
					}
					retained = breaker.Multiplex(view(parent), breaker.NopCloser(another))
					for range others - others/2 {
						sibling = breaker.Multiplex(breaker.NopCloser(parent))
					}
					child := breaker.Multiplex(breaker.NopCloser(retained))
					if name == "watched" {
						retained.Close()
						assert.NoError(t, parent.Err(), "its siblings stay open, and registered")
					} else {
						parent.Close()
					}
					return weak.Make(parent), weak.Make(sibling), weak.Make(child)
				}()
				awaitGone(t, func() bool { return parent.Value() == nil }, "the parent")
				awaitGone(t, func() bool { return sibling.Value() == nil }, "a sibling")
				awaitGone(t, func() bool { return grown.Value() == nil }, "a child")
				assert.Equal(t, breaker.Closed, retained.State())
				runtime.KeepAlive(retained)
			})
		}
	}
}

// promise 10: the same for a parent that is retained, open or closed: what listened to it and has
// closed is gone.
func TestMultiplex_RetainedParentPinsNoClosedChild(t *testing.T) {
	for _, others := range []int{0, 1, 40, 400} {
		parent := breaker.New()
		var siblings []*breaker.Breaker
		for range others {
			siblings = append(siblings, breaker.Multiplex(breaker.NopCloser(parent)))
		}
		child := func() weak.Pointer[breaker.Breaker] {
			child := breaker.Multiplex(breaker.NopCloser(parent))
			child.OnTrip(func() { child.Close() })
			child.Close()
			return weak.Make(child)
		}()
		awaitGone(t, func() bool { return child.Value() == nil }, "a closed child of an open parent")
		child = weak.Make(breaker.Multiplex(breaker.NopCloser(parent)))
		parent.Close()
		awaitGone(t, func() bool { return child.Value() == nil }, "a child of a closed parent")
		runtime.KeepAlive(parent)
		runtime.KeepAlive(siblings)
	}
}

// promise 10: an open breaker that nobody knows any more, with all that it listens to, is garbage.
func TestMultiplex_ForgottenIsCollected(t *testing.T) {
	forgotten := func() weak.Pointer[breaker.Breaker] {
		parent := breaker.New()
		br := breaker.Multiplex(breaker.NopCloser(parent), breaker.New())
		br.OnTrip(br.Close)
		return weak.Make(br)
	}()
	awaitGone(t, func() bool { return forgotten.Value() == nil }, "a forgotten breaker")
}

// promise 9 while it is being made: a child trips at any moment of the construction.
func TestMultiplex_TrippedDuringConstruction(t *testing.T) {
	for n := 1; n <= 6; n++ {
		t.Run("of "+strconv.Itoa(n), func(t *testing.T) {
			var (
				children []*breaker.Breaker
				given    []breaker.Interface
				process  = breaker.New()
				made     *breaker.Breaker
				before   bool
				came     = make(map[string]int)
				at       int
				wrong    string
				more     = moreTrials(3_000, func() bool { return came["before"] > 0 && came["after"] > 0 })
			)
			compete(func() bool {
				if made != nil {
					require.Empty(t, wrong)
					awaitThat(t, func() bool { return made.State() == breaker.Closed }, "the end of the trip")
					require.Equal(t, errA, made.Cause())
					require.Zero(t, registrations(process), "left with the process (promise 10)")
					for i, child := range children {
						require.Equal(t, breaker.Closed, child.State(), "child %d", i)
						require.Zero(t, registrations(child))
					}
					if before {
						came["before"]++
					} else {
						came["after"]++
					}
				}
				if !more() {
					return false
				}
				children, given = nil, []breaker.Interface{breaker.NopCloser(process)}
				for range n {
					children = append(children, breaker.New())
					given = append(given, children[len(children)-1])
				}
				at = (at + 1) % n
				return true
			},
				func() {
					made = breaker.Multiplex(given...)
					before = made.Err() != nil
				},
				func() {
					if !children[at].Trip(errA) {
						wrong = "nobody else trips the child"
					}
				})
			t.Log(came)
			assert.NotZero(t, came["before"], "never tripped on return")
			assert.NotZero(t, came["after"], "never open on return")
		})
	}
}

// promise 14 in short: a Multiplex is as timed as its children, also after the trip.
func TestMultiplex_KeepsTheEarliestDeadline(t *testing.T) {
	check := func(t *testing.T) {
		early, late := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		br := breaker.Multiplex(
			breaker.BreakBySignal(os.Interrupt), // in a bubble it is looked at, too, and has none
			breaker.BreakByDeadline(late),
			breaker.New(),
			breaker.Multiplex(breaker.BreakByDeadline(early)),
		)
		for range 2 {
			at, ok := br.Deadline()
			assert.True(t, ok)
			assert.True(t, at.Equal(early))
			br.Close()
		}
	}
	t.Run("outside of bubbles", check)
	t.Run("in a bubble", func(t *testing.T) { synctest.Test(t, check) })
}

// watched is a context that says when it is asked.
type watched struct {
	context.Context
	asked func()
}

func (w watched) Deadline() (time.Time, bool) {
	w.asked()
	return w.Context.Deadline()
}

func (w watched) Value(key any) any {
	w.asked()
	return w.Context.Value(key)
}

// promise 13, promise 14, promise 17: the deadline and the values of a long chain are found without
// recursion.
func TestMultiplex_LongChainIsLookedThroughWithoutRecursion(t *testing.T) {
	calls, deepest := 0, 0
	chain := breaker.BreakByContext(watched{context.Background(), func() {
		calls++
		deepest = max(deepest, depth())
	}}, nil)
	for range 10_000 {
		chain = breaker.Multiplex(chain)
	}
	defer chain.Close()
	calls = 0
	_, timed := chain.Deadline()
	assert.False(t, timed)
	assert.Nil(t, breaker.ToContext(chain).Value(contextKey{}))
	assert.Equal(t, 2, calls)
	assert.Less(t, deepest, fewFrames)
}

// A NopCloser has all of Interface.
func TestNopCloser_HasAllOfInterface(t *testing.T) {
	br := breaker.BreakByTimeout(time.Hour)
	view := breaker.NopCloser(br)
	at, ok := view.Deadline()
	want, _ := br.Deadline()
	assert.True(t, ok && at == want)
	called := false
	view.OnTrip(func() { called = true })
	view.Close()
	assert.NoError(t, view.Cause())
	br.Trip(errA)
	assert.Equal(t, errA, view.Cause())
	assert.True(t, called)
}
