//go:build breaker_explore

package breaker

import (
	"context"
	"errors"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/stdcontext"
)

// derived is a context derived from a breaker's view, as package context does it: it registers
// while it holds the child's mutex, and what it registers locks that.
type derived struct {
	s       *subject
	mu      atomic.Mutex
	stop    func() bool
	ran     int
	stopped int
}

func derive(s *subject) *derived {
	d := &derived{s: s}
	s.r.Name("child", d)
	view := ToContext(s.Breaker).(interface{ AfterFunc(func()) func() bool })
	s.r.Label("derive")
	d.mu.Lock()
	d.stop = view.AfterFunc(d.cancel)
	d.mu.Unlock()
	s.r.AtEnd(func() {
		s.r.AtEnd(func() {
			s.r.AtEnd(func() {
				if d.ran+d.stopped != 1 {
					s.r.Failf("promise 13: a derived context was ended %d times, and taken off %d times", d.ran, d.stopped)
				}
			})
		})
	})
	return d
}

func (d *derived) cancel() {
	if ToContext(d.s.Breaker).Err() == nil {
		d.s.r.Failf("promise 13: a derived context was ended with Err nil, which makes package context panic")
	}
	d.s.mustBeDone("promise 13: a derived context was ended")
	d.mu.Lock()
	d.ran++
	d.mu.Unlock()
}

func (d *derived) takeOff() {
	d.s.r.Label("take off")
	if d.stop() {
		d.stopped++
	}
}

// throughRelay is what package context finds when it derives from a context with values over a view
// whose breaker was open then.
type throughRelay struct {
	context.Context
	relay *stdcontext.Relay
}

func (c throughRelay) Value(key any) any { return c.relay.Context().Value(key) }

// AfterFunc stands for the goroutine of package context's that waits for Done where the relay has
// been ended meanwhile.
func (c throughRelay) AfterFunc(f func()) func() bool {
	return c.Context.(interface{ AfterFunc(func()) func() bool }).AfterFunc(f)
}

// relayed asks for the relay, and derives from it as package context does.
func relayed(s *subject) {
	s.r.Label("relay")
	r := s.relayTo()
	if r == nil {
		if s.state.Load()&phase == open {
			s.r.Failf("there is no relay, and the breaker is open")
		}
		return
	}
	if done := r.Context().Done(); s.Err() == nil && done != s.done1() {
		s.r.Failf("promise 13: the relay has another Done, so package context won't use it")
	}
	parent := throughRelay{ToContext(s.Breaker), r}
	if cause := context.Cause(parent); cause == context.Canceled && s.Cause() != ErrClosed {
		s.r.Failf("promise 13: Cause is %v, and context.Cause is %v", s.Cause(), cause)
	}
	child, cancel := context.WithCancel(parent)
	s.r.AtEnd(func() {
		defer cancel()
		switch tripped := s.Err() != nil; {
		case tripped != (child.Err() != nil):
			s.r.Failf("promise 13: Err is %v, and that of a derived context %v", s.Err(), child.Err())
		// Promise 22.
		case tripped && context.Cause(child) != s.Cause() && (s.Cause() != ErrClosed || context.Cause(child) != context.Canceled):
			s.r.Failf("promise 13: Cause is %v, and that of a derived context %v", s.Cause(), context.Cause(child))
		}
	})
}

// seeView looks at the view's Err, then at its Done and Cause.
func seeView(s *subject) {
	s.r.Label("view.Err")
	view := ToContext(s.Breaker)
	if err := view.Err(); err != nil {
		if err != context.Canceled {
			s.r.Failf("promise 13: Err is %v", err)
		}
		if cause := context.Cause(view); cause == nil || errors.Is(cause, context.DeadlineExceeded) {
			s.r.Failf("promise 13: Cause is %v", cause)
		}
		s.mustBeDone("promise 13: Err of the view isn't nil")
	}
}

// viewThreads are what threads do with a view.
var viewThreads = map[string]func(s *subject){
	"derive":          func(s *subject) { derive(s) },
	"derive.take off": func(s *subject) { derive(s).takeOff() },
	"relay":           relayed,
	"view.Err":        seeView,
}
