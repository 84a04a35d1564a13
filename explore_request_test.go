//go:build breaker_explore

package breaker

import (
	"context"
	"errors"

	"github.com/kamilsk/breaker/internal/explore"
)

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

// any makes an Any of what is watched, without NopCloser, which would keep it from being closed by
// anything.
func (f *family) any(...Interface) *Breaker { return Any(f.bare()...) }

// bare returns what is watched.
func (f *family) bare() (all []Interface) {
	for _, s := range f.watched {
		all = append(all, s.Breaker)
	}
	return all
}

// siblingsOf returns a Multiplex that owns a breaker, and an Any that watches it.
func siblingsOf(r *explore.Run) (owner, watcher *family) {
	owner = newFamily(r, 1, 0)
	watcher = newFamily(r, 0, 0)
	watcher.make, watcher.name, watcher.watched = watcher.any, "any.", owner.owned
	owner.others, watcher.others = []*family{watcher}, []*family{owner}
	owner.owned[0].trips++ // the Multiplex may close it
	owner.join()
	watcher.join()
	return owner, watcher
}

// inquiry is a Within and all that may end it.
type inquiry struct {
	*family
	ctx   *modelContext // or nil
	fired bool
}

// newInquiry returns one over a context of that kind: one that never ends, one that the thread
// "ctx.end" ends, or that of the breaker v, which is then the first of what is watched.
func newInquiry(r *explore.Run, kind string, watched int) *inquiry {
	q := &inquiry{family: newFamily(r, 0, watched)}
	ctx := context.Background()
	children := q.bare()
	switch kind {
	case "background":
	case "context":
		q.ctx = &modelContext{Context: context.Background(), r: r, done: make(chan struct{})}
		r.Name("ctx", q.ctx)
		ctx = q.ctx
	case "view":
		q.view = explored(r, "v", New())
		q.watched = append([]*subject{q.view}, q.watched...)
		ctx = ToContext(q.view.Breaker)
	}
	q.make = func(...Interface) *Breaker {
		b := Within(ctx, far, children...)
		if q.ctx != nil {
			q.ctx.poll = b.source.poll
		}
		return b
	}
	q.more = func() (causes []error) {
		if q.ctx != nil && q.ctx.over.Load() != 0 {
			causes = append(causes, context.Canceled)
		}
		if q.fired {
			causes = append(causes, errExpired)
		}
		return causes
	}
	q.look = (*subject).glance
	q.does = map[string]func(){"fire": q.fire}
	if q.ctx != nil {
		q.does["ctx.end"] = q.ctx.end
	}
	r.AtEnd(q.end)
	return q
}

// end checks what isn't so of every family.
func (q *inquiry) end() {
	m := q.parent
	if m.Err() == nil {
		if a := *alarmOf(m.Breaker); a == nil || a.breaker != m.Breaker {
			q.r.Failf("the request is open, and has no timer")
		}
		return
	}
	if *alarmOf(m.Breaker) != nil {
		q.r.Failf("promise 10: the timer is left")
	}
	if q.ctx != nil && q.ctx.registration.Load() == 1 {
		q.r.Failf("promise 10: the registration with the context is left")
	}
	want := context.Canceled
	if m.Cause() == errExpired {
		want = context.DeadlineExceeded
	}
	if err := ToContext(m.Breaker).Err(); err != want {
		q.r.Failf("promise 13: the cause is %v, and Err of its context %v", m.Cause(), err)
	}
	if !errors.Is(m.Err(), Interrupted) {
		q.r.Failf("promise 5: Err is %v", m.Err())
	}
}

// fire has the timer go off, if it runs. While the request is being made, it is found by what it
// has registered first.
func (q *inquiry) fire() {
	q.r.Label("fire")
	b := q.parent
	if b == nil {
		first := q.watched[0].registry.First()
		if first == nil || first.Node == nil {
			return
		}
		b = &subject{Breaker: &first.Node.Breaker}
	}
	// See timerSubject: the timer isn't behind the seam.
	touch(&b.state)
	if a := *alarmOf(b.Breaker); a != nil && a.timer.Stop() {
		q.fired = true
		a.fire()
	}
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
