//go:build breaker_explore

package breaker

import (
	"context"
	"errors"

	"github.com/kamilsk/breaker/internal/explore"
)

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
