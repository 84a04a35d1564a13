//go:build breaker_explore

package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/explore"
)

// against returns programs in which each of the operations on a breaker meets something else: what
// the setup returns besides.
func against(name string, setup func(r *explore.Run) (*subject, func()), operations ...[]op) (programs []program) {
	for _, ops := range operations {
		programs = append(programs, program{name + chain(ops), func(r *explore.Run) {
			s, other := setup(r)
			r.Go(func() { s.do(ops) })
			r.Go(other)
		}})
	}
	return programs
}

// modelContext is a context that a thread ends. Package context can't register with it but by
// AfterFunc.
//
// What is registered would run on a goroutine of package context's own, which the explorer doesn't
// know. So it isn't called, and a thread of the program's does what it leads to: it calls the
// breaker's poll.
type modelContext struct {
	context.Context
	r    *explore.Run
	poll func()
	done chan struct{} // never closed: nobody but package context waits for it
	over atomic.Uint32
	// registration is 0 before AfterFunc, 1 while registered, 2 when that has ended or been
	// stopped.
	registration atomic.Uint32
}

func (c *modelContext) Done() <-chan struct{} { return c.done }

func (c *modelContext) Err() error {
	if c.over.Load() != 0 {
		return context.Canceled
	}
	return nil
}

func (c *modelContext) AfterFunc(func()) func() bool {
	c.registration.Store(1)
	if c.over.Load() != 0 && c.registration.CompareAndSwap(1, 2) {
		c.r.Go(c.poll)
	}
	return func() bool { return c.registration.CompareAndSwap(1, 2) }
}

// end ends the context.
func (c *modelContext) end() {
	c.r.Label("end of ctx")
	c.over.Store(1)
	if c.registration.CompareAndSwap(1, 2) {
		c.poll()
	}
}

// contextSubject returns a breaker over a context, and checks at the end that it is rid of that.
func contextSubject(r *explore.Run) (*subject, *modelContext) {
	ctx := &modelContext{Context: context.Background(), r: r, done: make(chan struct{})}
	r.Name("ctx", ctx)
	canceled := 0
	b := BreakByContext(ctx, func() { canceled++ })
	ctx.poll = b.source.poll
	s := explored(r, "b", b)
	r.AtEnd(func() {
		err := s.Err()
		if over := ctx.over.Load() != 0; over && err == nil {
			r.Failf("the context has ended, and Err is nil")
		} else if !over && s.trips == 0 && err != nil {
			r.Failf("nothing has tripped the breaker, and Err is %v", err)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			r.Failf("promise 5: Err is %v", err)
		}
		if s.trips == 0 && s.Cause() != context.Canceled {
			r.Failf("promise 4: Cause is %v", s.Cause())
		}
		if canceled != 1 {
			r.Failf("cancel was called %d times", canceled)
		}
		if ctx.registration.Load() == 1 {
			r.Failf("promise 10: the registration with the context is left")
		}
	})
	return s, ctx
}

// viewSubject returns a breaker over the context view of another.
func viewSubject(r *explore.Run) (s, behind *subject) {
	behind = explored(r, "behind", New())
	canceled := 0
	s = explored(r, "b", BreakByContext(ToContext(behind.Breaker), func() { canceled++ }))
	r.AtEnd(func() {
		err := s.Err()
		if behind.Err() != nil && err == nil {
			r.Failf("promise 13: the breaker behind the context has tripped, and Err is nil")
		}
		if err == nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			r.Failf("promise 5: Err is %v", err)
		}
		if canceled != 1 {
			r.Failf("cancel was called %d times", canceled)
		}
		if s.trips == 0 && s.Cause() != behind.Cause() {
			r.Failf("promise 4: Cause is %v, and of the breaker behind the context %v", s.Cause(), behind.Cause())
		}
		mustHold(r, behind.Breaker, behind.unfinished())
	})
	return s, behind
}

// timerSubject returns a breaker with a timer, and what the timer's goroutine does when it goes
// off.
func timerSubject(r *explore.Run, b *Breaker) (s *subject, fire func()) {
	s = explored(r, "b", b)
	at := alarmOf(b)
	a := *at
	r.AtEnd(func() {
		if s.Err() != nil && s.trips == 0 && !errors.Is(s.Cause(), context.DeadlineExceeded) {
			r.Failf("promise 4: Cause is %v", s.Cause())
		}
		r.AtEnd(func() {
			r.AtEnd(func() {
				if *at != nil {
					r.Failf("promise 10: the timer is left")
				}
			})
		})
	})
	return s, func() {
		r.Label("fire")
		// Whether it goes off is decided in the timer, between it and Stop, which isn't behind the
		// seam. Stop is called in a step that begins with a load of the state.
		touch(&b.state)
		if a.breaker == b && a.timer.Stop() {
			a.fire()
		}
	}
}

// alarmOf returns where a breaker with a timer keeps it.
func alarmOf(b *Breaker) **alarm {
	switch source := b.source.(type) {
	case *timeoutBreaker:
		return &source.alarm
	case *deadlineBreaker:
		return &source.alarm
	case *request:
		return &source.alarm
	case *request1:
		return &source.alarm
	case *request2:
		return &source.alarm
	default:
		panic("no timer")
	}
}

// far is when the timers would go off by themselves.
const far = 10 * time.Hour

// channelSubject returns a breaker over a channel that nobody watches, and what closes the channel,
// or sends on it.
func channelSubject(r *explore.Run, send bool) (s *subject, end func()) {
	signal := make(chan struct{}, 2)
	b := BreakByChannel(signal)
	s = explored(r, "b", b)
	over := false
	r.AtEnd(func() {
		if over && s.Err() == nil {
			r.Failf("the channel is closed, and Err is nil")
		}
		if s.Err() != nil && s.trips == 0 && s.Cause() != errChannel {
			r.Failf("promise 4: Cause is %v", s.Cause())
		}
		if over && send && len(signal) == 0 {
			r.Failf("promise 2: both values were taken")
		}
	})
	return s, func() {
		r.Label("end of the channel")
		// The channel isn't behind the seam. It is asked in a step that begins with a load of the
		// state.
		touch(&b.state)
		over = true
		if send {
			signal <- struct{}{}
			signal <- struct{}{}
		} else {
			close(signal)
		}
	}
}

func channelName(send bool) string {
	if send {
		return "channel, sent on vs "
	}
	return "channel, closed vs "
}
