package verify

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// What package context promises of a context, and those who are given one rely on, demanded of the
// contexts out of ToContext, and of whatever is derived from them (promise 13). See the
// documentation of context.Context, Cause, AfterFunc, WithDeadline and WithoutCancel.

// layer derives one context from another. The cancel function may be nil.
type layer struct {
	name   string
	derive func(parent context.Context) (context.Context, context.CancelFunc)
}

// custom is a context of the user's, which package context can't see into.
type custom struct{ context.Context }

// opaque has a Done of its own besides, so package context has to wait for it in a goroutine.
type opaque struct {
	context.Context
	done chan struct{}
}

func (o opaque) Done() <-chan struct{} { return o.done }

func newOpaque(parent context.Context) (context.Context, context.CancelFunc) {
	o := opaque{parent, make(chan struct{})}
	go func() {
		<-parent.Done()
		close(o.done)
	}()
	return o, nil
}

var layers = []layer{
	{"WithCancel", func(p context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(p) }},
	{"WithCancelCause", func(p context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(p)
		return ctx, func() { cancel(nil) }
	}},
	{"WithTimeout", func(p context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(p, time.Hour)
	}},
	{"WithValue", func(p context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(p, key("layer"), "value"), nil
	}},
	{"custom", func(p context.Context) (context.Context, context.CancelFunc) { return custom{p}, nil }},
	{"opaque", newOpaque},
	{"breaker", func(p context.Context) (context.Context, context.CancelFunc) {
		br := breaker.BreakByContext(p, nil)
		return breaker.ToContext(br), br.Close
	}},
	{"Multiplex", func(p context.Context) (context.Context, context.CancelFunc) {
		br := breaker.Multiplex(breaker.BreakByContext(p, nil), breaker.New())
		return breaker.ToContext(br), br.Close
	}},
}

// withoutOwner is for a context that its parent ends: nobody keeps its cancel function.
func withoutOwner(ctx context.Context, _ context.CancelFunc) context.Context { return ctx }

// tree is a chain of contexts, each derived from the one before.
type tree struct {
	name    string
	root    *breaker.Breaker
	chain   []context.Context
	cancels []context.CancelFunc
}

// forTrees runs f, in a bubble, for every chain of three layers over the context of a breaker.
func forTrees(t *testing.T, f func(tr tree)) {
	t.Helper()
	n := len(layers)
	for i := range n * n * n {
		choice := []layer{layers[i/n/n], layers[i/n%n], layers[i%n]}
		synctest.Test(t, func(t *testing.T) {
			tr := tree{root: breaker.New()}
			ctx := breaker.ToContext(tr.root)
			tr.chain = []context.Context{ctx}
			var names []string
			for _, l := range choice {
				var cancel context.CancelFunc
				ctx, cancel = l.derive(ctx)
				// From here on it follows its parent; before, a breaker only does when asked
				// (promise 2)
				_ = ctx.Done()
				tr.chain = append(tr.chain, ctx)
				tr.cancels = append(tr.cancels, cancel)
				names = append(names, l.name)
			}
			tr.name = strings.Join(names, " > ")
			f(tr)
			tr.root.Close()
			for _, cancel := range tr.cancels {
				if cancel != nil {
					cancel()
				}
			}
		})
	}
}

// ended checks all that holds of a context that has ended.
func ended(t *testing.T, ctx context.Context, err, cause error, name string) {
	t.Helper()
	require.True(t, isClosed(ctx.Done()), "%s isn't done", name)
	require.True(t, ctx.Err() == err, "%s has Err %v, not %v", name, ctx.Err(), err)
	require.True(t, context.Cause(ctx) == cause, "%s has cause %v, not %v", name, context.Cause(ctx), cause)
}

// promise 13: the end goes down a tree of any kind, with Err and cause.
func TestStd_TreeEndsFromTheRoot(t *testing.T) {
	for _, tt := range []struct {
		name       string
		cause, err error
	}{
		{"a cause", numbered(1), context.Canceled},
		{"a deadline's cause", fmt.Errorf("too late: %w", context.DeadlineExceeded), context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forTrees(t, func(tr tree) {
				for i, ctx := range tr.chain {
					require.NoError(t, ctx.Err(), "%s: %d", tr.name, i)
					require.NoError(t, context.Cause(ctx), "%s: %d", tr.name, i)
				}
				tr.root.Trip(tt.cause)
				ended(t, tr.chain[0], tt.err, tt.cause, tr.name)
				synctest.Wait()
				for i, ctx := range tr.chain {
					ended(t, ctx, tt.err, tt.cause, fmt.Sprintf("%s: %d", tr.name, i))
				}
			})
		})
	}
}

// A context ends what was derived from it, and never what it was derived from.
func TestStd_TreeEndsDownwardsOnly(t *testing.T) {
	forTrees(t, func(tr tree) {
		for i := len(tr.cancels) - 1; i >= 0; i-- { // tr.chain[i+1] is the one it cancels
			if tr.cancels[i] == nil {
				continue
			}
			tr.cancels[i]()
			synctest.Wait()
			for j, ctx := range tr.chain {
				if j <= i {
					require.NoError(t, ctx.Err(), "%s: cancel of %d ended %d", tr.name, i+1, j)
					require.False(t, isClosed(ctx.Done()), "%s: cancel of %d ended %d", tr.name, i+1, j)
				} else if j == i+1 {
					require.ErrorIs(t, ctx.Err(), context.Canceled, tr.name)
				}
			}
		}
		require.NoError(t, tr.root.Err())
	})
}

// What is derived from a context that has ended already has ended as well, at once, with the same
// cause.
func TestStd_DeriveFromEnded(t *testing.T) {
	br := breaker.New()
	view := breaker.ToContext(br)
	br.Trip(numbered(7))
	for _, l := range layers {
		if l.name == "opaque" { // the goroutine takes a moment
			continue
		}
		ctx, cancel := l.derive(view)
		ended(t, ctx, context.Canceled, numbered(7), l.name)
		if cancel != nil {
			cancel()
		}
		ended(t, ctx, context.Canceled, numbered(7), l.name+" after its own cancel")
	}
}

// AfterFunc: f runs once, in a goroutine of its own, after the end; stop returns true iff it
// prevented that.
func TestStd_AfterFunc(t *testing.T) {
	parents := map[string]func(view context.Context) context.Context{
		"view":       func(view context.Context) context.Context { return view },
		"value":      func(view context.Context) context.Context { return context.WithValue(view, key("k"), 1) },
		"custom":     func(view context.Context) context.Context { return custom{view} },
		"WithCancel": func(view context.Context) context.Context { return withoutOwner(context.WithCancel(view)) },
	}
	for name, parent := range parents {
		t.Run(name, func(t *testing.T) {
			bubble := func(name string, f func(t *testing.T, br *breaker.Breaker, ctx context.Context)) {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						br := breaker.New()
						defer br.Close()
						f(t, br, parent(breaker.ToContext(br)))
					})
				})
			}
			bubble("runs after the trip", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				var runs atomic.Int32
				stop := context.AfterFunc(ctx, func() {
					assert.True(t, isClosed(ctx.Done()))
					assert.Equal(t, numbered(1), context.Cause(ctx))
					runs.Add(1)
				})
				synctest.Wait()
				require.Zero(t, runs.Load())
				br.Trip(numbered(1))
				synctest.Wait()
				require.EqualValues(t, 1, runs.Load())
				require.False(t, stop(), "f has been started")
			})
			bubble("may block, and doesn't hold up the trip", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				release := make(chan struct{})
				var ran atomic.Bool
				stop := context.AfterFunc(ctx, func() { <-release; ran.Store(true) })
				br.Trip(nil)
				synctest.Wait()
				require.False(t, stop(), "f is running")
				require.False(t, ran.Load())
				close(release)
				synctest.Wait()
				require.True(t, ran.Load())
			})
			bubble("stop prevents", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				var runs atomic.Int32
				stop := context.AfterFunc(ctx, func() { runs.Add(1) })
				require.True(t, stop())
				require.False(t, stop(), "the second time")
				br.Trip(nil)
				synctest.Wait()
				require.Zero(t, runs.Load())
			})
			bubble("one is stopped, the others run", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				var runs [50]atomic.Int32
				var stops []func() bool
				for i := range runs {
					stops = append(stops, context.AfterFunc(ctx, func() { runs[i].Add(1) }))
				}
				for i := 0; i < len(runs); i += 3 {
					require.True(t, stops[i]())
				}
				br.Trip(nil)
				synctest.Wait()
				for i := range runs {
					require.Equal(t, i%3 != 0, runs[i].Load() == 1, "%d", i)
					require.False(t, stops[i]())
				}
			})
			bubble("after the end it runs at once", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				br.Trip(nil)
				var runs atomic.Int32
				stop := context.AfterFunc(ctx, func() { runs.Add(1) })
				synctest.Wait()
				require.EqualValues(t, 1, runs.Load())
				require.False(t, stop())
			})
			bubble("stops itself", func(t *testing.T, br *breaker.Breaker, ctx context.Context) {
				var stop func() bool
				result := make(chan bool, 1)
				stop = context.AfterFunc(ctx, func() { result <- stop() })
				br.Trip(nil)
				require.False(t, <-result)
			})
		})
	}
}

// A deadline in the context of a breaker is kept, by it and by what is derived from it.
func TestStd_Deadlines(t *testing.T) {
	const limit = 10 * time.Second
	for _, tt := range []struct {
		name    string
		derived time.Duration
		ends    time.Duration // of the derived one
		cause   error         // of the derived one
	}{
		{"earlier than the parent's", 3 * time.Second, 3 * time.Second, numbered(3)},
		{"later than the parent's", time.Minute, limit, context.DeadlineExceeded},
		{"one nanosecond earlier", limit - 1, limit - 1, numbered(3)},
		{"one nanosecond later", limit + 1, limit, context.DeadlineExceeded},
		{"passed", -1, 0, numbered(3)},
	} {
		for _, wrap := range []struct {
			name string
			wrap func(context.Context) context.Context
		}{
			{"", func(ctx context.Context) context.Context { return ctx }},
			{", through a value", func(ctx context.Context) context.Context { return context.WithValue(ctx, key("k"), 1) }},
		} {
			t.Run(tt.name+wrap.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					br := breaker.BreakByTimeout(limit)
					view := wrap.wrap(breaker.ToContext(br))
					at, ok := view.Deadline()
					require.True(t, ok)
					require.True(t, at.Equal(began.Add(limit)), "%v", at)

					ctx, cancel := context.WithDeadlineCause(view, began.Add(tt.derived), numbered(3))
					defer cancel()
					at, ok = ctx.Deadline()
					require.True(t, ok)
					require.True(t, at.Equal(began.Add(min(tt.derived, limit))), "%v", at)

					if tt.ends > 0 {
						time.Sleep(tt.ends - 1) // fake
						synctest.Wait()
						require.NoError(t, ctx.Err())
						time.Sleep(time.Nanosecond)
						synctest.Wait()
					}
					ended(t, ctx, context.DeadlineExceeded, tt.cause, "derived")
					require.Equal(t, tt.ends < limit, br.Err() == nil, "a derived context ends nothing but itself")

					<-br.Done()
					require.Equal(t, limit, time.Since(began))
					ended(t, view, context.DeadlineExceeded, context.DeadlineExceeded, "view")
					ended(t, ctx, context.DeadlineExceeded, tt.cause, "derived, later")
				})
			})
		}
	}
}

// Values are looked up through breakers, to any depth, and nothing else is found there.
func TestStd_Values(t *testing.T) {
	base := context.WithValue(t.Context(), key("request"), "42")
	br := breaker.Multiplex(breaker.New(), breaker.BreakByContext(base, nil))
	ctx := context.WithValue(breaker.ToContext(br), key("user"), "anna")
	deep, cancel := context.WithCancel(breaker.ToContext(breaker.BreakByContext(custom{ctx}, nil)))
	defer cancel()
	check := func() {
		assert.Equal(t, "42", deep.Value(key("request")))
		assert.Equal(t, "anna", deep.Value(key("user")))
		assert.Nil(t, deep.Value(key("other")))
		assert.Nil(t, deep.Value("request"), "a key of another type")
	}
	check()
	br.Close()
	<-deep.Done()
	check() // values outlive the end
	assert.Nil(t, breaker.ToContext(breaker.New()).Value(key("request")))
}

// WithoutCancel keeps the values and nothing else.
func TestStd_WithoutCancel(t *testing.T) {
	base := context.WithValue(t.Context(), key("request"), "42")
	br := breaker.Multiplex(breaker.BreakByContext(base, nil), breaker.BreakByTimeout(time.Hour))
	ctx := context.WithoutCancel(breaker.ToContext(br))
	derived, cancel := context.WithCancelCause(ctx)
	br.Trip(numbered(1))
	assert.Nil(t, ctx.Done())
	require.NoError(t, ctx.Err())
	require.NoError(t, context.Cause(ctx))
	_, ok := ctx.Deadline()
	assert.False(t, ok)
	assert.Equal(t, "42", ctx.Value(key("request")))
	require.NoError(t, derived.Err(), "what is derived from it has left the tree")
	cancel(numbered(2))
	ended(t, derived, context.Canceled, numbered(2), "derived")
}

// promise 11 and promise 13: none of this starts a goroutine.
func TestStd_NoGoroutine(t *testing.T) {
	const each = 200
	br := breaker.BreakByTimeout(time.Hour)
	view := breaker.ToContext(br)
	before := testkit.AllGoroutines()
	var derived []context.Context
	for range each {
		for _, parent := range []context.Context{
			view,
			context.WithValue(view, key("k"), 1),
			context.WithValue(context.WithValue(view, key("k"), 1), key("l"), 2),
			custom{view},
			custom{context.WithValue(custom{view}, key("k"), 1)},
			breaker.ToContext(breaker.Multiplex(breaker.NopCloser(br))),
			breaker.ToContext(breaker.BreakByContext(view, nil)),
			breaker.ToContext(breaker.BreakByContext(context.WithValue(view, key("k"), 1), nil)),
		} {
			for _, l := range layers {
				if l.name == "opaque" {
					continue
				}
				ctx := withoutOwner(l.derive(parent))
				_ = ctx.Done()
				derived = append(derived, withoutOwner(context.WithCancel(ctx)))
			}
			context.AfterFunc(parent, func() {})
		}
	}
	// Other tests are over, and goleak sees to it that they left nothing: nothing else comes or
	// goes.
	testkit.AwaitAtMost(t, before)
	br.Trip(numbered(1))
	for _, ctx := range derived {
		<-ctx.Done()
		require.Equal(t, numbered(1), context.Cause(ctx))
	}
}

// Whoever derives while the breaker trips gets a context that has ended, or one that ends, with the
// cause: it isn't lost in between.
func TestStd_DeriveDuringTrip(t *testing.T) {
	subjects := []struct {
		name   string
		derive func(view context.Context) context.Context
	}{
		{"WithCancel", func(view context.Context) context.Context {
			return withoutOwner(context.WithCancel(view))
		}},
		{"WithValue, WithCancel", func(view context.Context) context.Context {
			return withoutOwner(context.WithCancel(context.WithValue(view, key("k"), 1)))
		}},
		{"custom, WithTimeout", func(view context.Context) context.Context {
			return withoutOwner(context.WithTimeout(custom{view}, time.Hour))
		}},
		{"AfterFunc", func(view context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(context.Background())
			context.AfterFunc(view, func() { cancel(context.Cause(view)) })
			return ctx
		}},
		{"BreakByContext", func(view context.Context) context.Context {
			br := breaker.BreakByContext(context.WithValue(view, key("k"), 1), nil)
			return breaker.ToContext(br)
		}},
		{"Multiplex", func(view context.Context) context.Context {
			return breaker.ToContext(breaker.Multiplex(breaker.New(), breaker.BreakByContext(view, nil)))
		}},
	}
	for _, tt := range subjects {
		t.Run(tt.name, func(t *testing.T) {
			const rounds, most = 2_000, 1_000_000
			inTime, late := 0, 0
			for i := 0; i < rounds || (inTime == 0 || late == 0) && i < most; i++ {
				br := breaker.New()
				view := breaker.ToContext(br)
				if i%4 < 2 {
					_ = view.Done() // which the trip then has to close
				}
				start := newGate(2)
				var derived [2]context.Context // two at a time, for what they may share
				var open bool
				var wg sync.WaitGroup
				trip := func() { start.pass(); br.Trip(numbered(i)) }
				derive := func() {
					start.pass()
					derived[0] = tt.derive(view)
					open = view.Err() == nil
					derived[1] = tt.derive(view)
				}
				if i%2 == 0 {
					wg.Go(trip)
					wg.Go(derive)
				} else {
					wg.Go(derive)
					wg.Go(trip)
				}
				wg.Wait()
				for _, ctx := range derived {
					<-ctx.Done() // or the test hangs: it was lost
					ended(t, ctx, context.Canceled, numbered(i), "derived")
				}
				if open {
					inTime++
				} else {
					late++
				}
			}
			t.Logf("derived while open: %d, derived while tripping or later: %d", inTime, late)
			require.Positive(t, inTime, "it was never open: this proved nothing")
			require.Positive(t, late, "it was always open: this proved nothing")
		})
	}
}

// Err, Done and cause of a context agree whenever one looks, and a child is never ahead of its
// parent.
func TestStd_AgreementDuringTrip(t *testing.T) {
	for _, tt := range []struct {
		name       string
		err, cause error
	}{
		{"canceled", context.Canceled, numbered(1)},
		{"expired", context.DeadlineExceeded, fmt.Errorf("late: %w", context.DeadlineExceeded)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const rounds, most = 1_000, 1_000_000
			during := 0
			for i := 0; i < rounds || during == 0 && i < most; i++ {
				br := breaker.New()
				view := breaker.ToContext(br)
				value := context.WithValue(view, key("k"), 1)
				child, cancel := context.WithCancel(view)
				grandchild, cancel2 := context.WithTimeout(value, time.Hour)
				// Each before those it may not be ahead of.
				chain := []context.Context{grandchild, child, value, view}
				if i%2 == 0 {
					chain = []context.Context{view} // nothing waits for it
				}
				var wg sync.WaitGroup
				start := newGate(3)
				var open atomic.Int32
				failed := make(chan string, 2)
				for range 2 {
					wg.Go(func() {
						start.pass()
						for looks := 0; ; looks++ {
							what, all := look(chain, tt.err, tt.cause)
							if what != "" {
								failed <- what
								return
							}
							if all {
								return
							}
							if looks == 0 {
								open.Add(1)
							}
							runtime.Gosched()
						}
					})
				}
				wg.Go(func() {
					start.pass()
					runtime.Gosched() // so that, on one processor, the others have looked once
					br.Trip(tt.cause)
				})
				wg.Wait()
				close(failed)
				require.Empty(t, <-failed)
				if open.Load() > 0 {
					during++
				}
				cancel()
				cancel2()
			}
			require.Positive(t, during, "nobody ever looked before the trip: this proved nothing")
		})
	}
}

// look looks at contexts while they end, and says what doesn't agree, or whether all have ended.
func look(chain []context.Context, err, cause error) (what string, all bool) {
	endedBefore := false
	all = true
	for i, ctx := range chain {
		// Each of the three is looked at before and after, in this order: what was so stays so.
		doneBefore := isClosed(ctx.Done())
		gotErr := ctx.Err()
		doneAfter := isClosed(ctx.Done())
		gotCause := context.Cause(ctx)
		switch {
		case gotErr != nil && gotErr != err:
			return fmt.Sprintf("%d: Err %v", i, gotErr), false
		case doneBefore && gotErr == nil:
			return fmt.Sprintf("%d: done without Err", i), false
		case gotErr != nil && !doneAfter:
			return fmt.Sprintf("%d: Err without done", i), false
		case doneAfter && gotCause == nil:
			return fmt.Sprintf("%d: done without cause", i), false
		case gotCause != nil && gotCause != cause:
			return fmt.Sprintf("%d: cause %v", i, gotCause), false
		case gotCause != nil && ctx.Err() == nil:
			return fmt.Sprintf("%d: cause without Err", i), false
		case endedBefore && gotErr == nil && i == len(chain)-1:
			return "a derived context ended before the breaker's", false
		}
		endedBefore = endedBefore || doneBefore
		all = all && gotErr != nil
	}
	return "", all
}
