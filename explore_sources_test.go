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

// sourceOps are tried against each source.
var sourceOps = [][]op{
	{"TripA"}, {"Close"}, {"Done"}, {"Err"}, {"Cause"}, {"State"}, {"OnTrip"}, {"OnTrip", "stop"}, {"Done", "Close"}, {"Done", "Err"}, {"Close", "Done"},
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

// pollOps are operations on a breaker that leave nobody waiting.
var pollOps = []op{"TripA", "Close", "Err", "Cause", "State"}

// polled returns the programs in which a channel is only asked, by one thread.
func polled() (programs []program) {
	for _, send := range []bool{false, true} {
		for _, o := range pollOps {
			programs = append(programs, against(channelName(send), func(r *explore.Run) (*subject, func()) {
				return channelSubject(r, send)
			}, []op{o}, []op{o, "Err"})...)
		}
	}
	return programs
}

// polledAfterTheEnd returns the programs in which one thread ends the channel and then asks, while
// another one may be asking (promise 19).
func polledAfterTheEnd() (programs []program) {
	for _, send := range []bool{false, true} {
		programs = append(programs, program{channelName(send) + "Err, then Err", func(r *explore.Run) {
			s, end := channelSubject(r, send)
			r.Go(func() {
				end()
				r.Label("Err")
				if s.Err() == nil {
					r.Failf("promise 19: the channel has ended, and Err is nil")
				}
			})
			r.Go(func() { s.do([]op{"Err"}) })
		}})
	}
	return programs
}

// polledByTwo returns those with two.
func polledByTwo() (programs []program) {
	for _, send := range []bool{false, true} {
		for i, one := range pollOps {
			for _, other := range pollOps[i:] {
				programs = append(programs, program{channelName(send) + threadsOf([]string{string(one), string(other)}), func(r *explore.Run) {
					s, end := channelSubject(r, send)
					r.Go(end)
					r.Go(func() { s.do([]op{one}) })
					r.Go(func() { s.do([]op{other}) })
				}})
			}
		}
	}
	return programs
}

func channelName(send bool) string {
	if send {
		return "channel, sent on vs "
	}
	return "channel, closed vs "
}

// watchedChannels returns the programs in which a channel is waited for, in vain: what would hear
// of it is a real goroutine.
func watchedChannels() (programs []program) {
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("silent channel, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, _ := channelSubject(r, false)
			return s, func() { s.do([]op{o}) }
		}, []op{"TripA"}, []op{"Close"}, []op{"Done"}, []op{"Err"}, []op{"OnTrip"}, []op{"OnTrip", "stop"})...)
	}
	return programs
}

func sources() (programs []program) {
	programs = append(programs, against("context, ends vs ", func(r *explore.Run) (*subject, func()) {
		s, ctx := contextSubject(r)
		return s, ctx.end
	}, sourceOps...)...)
	programs = append(programs, against("watched context, ends vs ", func(r *explore.Run) (*subject, func()) {
		s, ctx := contextSubject(r)
		s.done1()
		return s, ctx.end
	}, sourceOps...)...)
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("context, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, _ := contextSubject(r)
			return s, func() { s.do([]op{o}) }
		}, sourceOps...)...)
	}
	for _, o := range []op{"TripB", "Close", "OnTrip"} {
		programs = append(programs, against("view, "+string(o)+" behind vs ", func(r *explore.Run) (*subject, func()) {
			s, behind := viewSubject(r)
			return s, func() { behind.do([]op{o}) }
		}, sourceOps...)...)
		programs = append(programs, against("watched view, "+string(o)+" behind vs ", func(r *explore.Run) (*subject, func()) {
			s, behind := viewSubject(r)
			s.done1()
			return s, func() { behind.do([]op{o}) }
		}, sourceOps...)...)
	}
	programs = append(programs, against("timeout, fires vs ", func(r *explore.Run) (*subject, func()) {
		return timerSubject(r, BreakByTimeout(far))
	}, sourceOps...)...)
	programs = append(programs, against("deadline, fires vs ", func(r *explore.Run) (*subject, func()) {
		return timerSubject(r, BreakByDeadline(time.Now().Add(far)))
	}, sourceOps...)...)
	// Without a look at anything else in between, which would make too many schedules of it.
	programs = append(programs, program{"view, Trip behind, Cause vs Done", func(r *explore.Run) {
		s, behind := viewSubject(r)
		behind.trips++
		r.Go(func() { r.Label("Done"); s.Done() })
		r.Go(func() {
			r.Label("Trip behind, Cause")
			if behind.Trip(errB) {
				behind.wins = append(behind.wins, errB)
			}
			if cause := s.Cause(); cause != nil {
				s.causes = append(s.causes, cause)
			}
		})
	}}, program{"timeout in a Multiplex, Deadline vs Close", func(r *explore.Run) {
		m := explored(r, "m", Multiplex(BreakByTimeout(far), New()))
		r.Go(func() {
			r.Label("Deadline")
			if _, ok := m.Deadline(); !ok {
				r.Failf("promise 14: there is no deadline")
			}
		})
		r.Go(func() { m.do([]op{"Close"}) })
	}}, program{"context in a Multiplex, Value vs Close", func(r *explore.Run) {
		m := explored(r, "m", Multiplex(BreakByContext(context.WithValue(context.Background(), far, far), nil), New()))
		r.Go(func() {
			r.Label("Value")
			if ToContext(m.Breaker).Value(far) != far {
				r.Failf("promise 13: the value is gone")
			}
		})
		r.Go(func() { m.do([]op{"Close"}) })
	}}, program{"timeout in a Multiplex, fires vs made", func(r *explore.Run) {
		s, fire := timerSubject(r, BreakByTimeout(far))
		s.trips++ // the Multiplex may close it
		r.Go(func() {
			r.Label("make")
			m := explored(r, "m", Multiplex(s.Breaker, New()))
			m.do([]op{"Err", "Close"})
		})
		r.Go(fire)
	}}, program{"timeout in a Multiplex, fires vs the other child trips", func(r *explore.Run) {
		s, fire := timerSubject(r, BreakByTimeout(far))
		s.trips++ // the Multiplex may close it
		p := explored(r, "p", New())
		explored(r, "m", Multiplex(s.Breaker, p.Breaker))
		r.Go(func() { p.do([]op{"TripA"}) })
		r.Go(fire)
	}}, program{"context that has ended in a Multiplex, the other child trips vs Cause", func(r *explore.Run) {
		s, ctx := contextSubject(r)
		s.trips++ // the Multiplex closes it, and so finds out
		p := New()
		Multiplex(s.Breaker, p)
		ctx.over.Store(1)
		r.Go(func() {
			r.Label("Trip of the other child")
			p.Trip(errB)
		})
		r.Go(func() {
			r.Label("Cause")
			if cause := s.Cause(); cause != context.Canceled {
				r.Failf("promise 19: the context has ended, and Cause is %v", cause)
			}
		})
	}}, program{"context in a Multiplex, ends vs made", func(r *explore.Run) {
		s, ctx := contextSubject(r)
		s.trips++ // the Multiplex may close it
		r.Go(func() {
			r.Label("make")
			m := explored(r, "m", Multiplex(s.Breaker, New()))
			m.do([]op{"Err", "Close"})
		})
		r.Go(ctx.end)
	}})
	return programs
}

func sourceTriples() (programs []program) {
	// The third thread is the one that package context would start.
	for _, o := range []op{"Close", "Done", "OnTrip", "Err"} {
		programs = append(programs, against("context that has ended, "+string(o)+" vs ", func(r *explore.Run) (*subject, func()) {
			s, ctx := contextSubject(r)
			ctx.over.Store(1)
			return s, func() { s.do([]op{o}) }
		}, sourceOps...)...)
	}
	for _, p := range [][2][]op{
		{{"Done"}, {"Close"}}, {{"Done"}, {"Done"}}, {{"Err"}, {"Err"}}, {{"OnTrip"}, {"Close"}}, {{"Done"}, {"Err"}}, {{"OnTrip", "stop"}, {"TripA"}}, {{"Done"}, {"OnTrip"}},
	} {
		programs = append(programs, program{"context, ends vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, ctx := contextSubject(r)
			r.Go(ctx.end)
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}}, program{"view, TripB behind vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, behind := viewSubject(r)
			r.Go(func() { behind.do([]op{"TripB"}) })
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}}, program{"timeout, fires vs " + chain(p[0]) + " vs " + chain(p[1]), func(r *explore.Run) {
			s, fire := timerSubject(r, BreakByTimeout(far))
			r.Go(fire)
			r.Go(func() { s.do(p[0]) })
			r.Go(func() { s.do(p[1]) })
		}})
	}
	return programs
}

// promise 19 on every schedule: what has ended counts at once, whoever else has noticed, and is
// about to trip the breaker.
func ended() (programs []program) {
	for _, watched := range []bool{false, true} {
		name := "context, "
		if watched {
			name = "watched context, "
		}
		setup := func(r *explore.Run) (*subject, *modelContext) {
			s, ctx := contextSubject(r)
			if watched {
				s.done1()
			}
			r.Go(func() {
				r.Label("poll")
				ctx.poll() // as package context calls it
			})
			return s, ctx
		}
		programs = append(programs, program{name + "cancel, Err vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			r.Go(func() {
				r.Label("cancel, Err")
				ctx.over.Store(1)
				if s.Err() == nil {
					r.Failf("promise 19: the context has ended, and Err is nil")
				}
			})
		}}, program{name + "cancel, Close vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			r.Go(func() {
				r.Label("cancel, Close")
				ctx.over.Store(1)
				s.Close()
				if s.Cause() != context.Canceled {
					r.Failf("promise 19: the context has ended before Close, and Cause is %v", s.Cause())
				}
			})
		}}, program{name + "cancel, Close of its owner vs poll", func(r *explore.Run) {
			s, ctx := setup(r)
			s.trips++ // the owner closes it
			owner := Multiplex(s.Breaker)
			r.Go(func() {
				r.Label("cancel, Close of the owner")
				ctx.over.Store(1)
				owner.Close()
				if owner.Cause() != context.Canceled || s.Cause() != context.Canceled {
					r.Failf("promise 19: the context has ended before Close, and Cause is %v, and %v", owner.Cause(), s.Cause())
				}
			})
		}})
	}
	return programs
}
