//go:build breaker_explore

package breaker

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/explore"
)

// Idle: everything that moves the time, against the alarm and against each other. A program runs in
// a bubble, where time stands still: that it has passed is part of how the program begins. At its
// end the clock goes on, and shows whether the timer is armed for when the breaker is due: what is
// armed too late is found by that, and nothing else shows it.

const (
	idleTimeout = 2 * time.Hour
	shorter     = time.Hour
)

// idler is an Idle, and what its threads saw.
type idler struct {
	*subject
	i *Idle
	// touched says that a Touch or Reset returned true.
	touched bool
	began   time.Time
	// over says that its time had passed at the beginning: the timer has gone off. Alarmed says
	// that a thread has done what follows from that.
	over, alarmed bool
}

// newIdler returns one that was touched last so long ago.
func newIdler(r *explore.Run, ago time.Duration) *idler {
	d := &idler{over: ago >= idleTimeout}
	i := BreakByIdle(idleTimeout)
	// The alarm is called by a thread. What the timer's own goroutine does, it does after the end.
	if d.over {
		i.timer.Stop()
	}
	time.Sleep(ago)
	d.i, d.subject, d.began = i, explored(r, "idle", &i.Breaker), time.Now()
	r.Name("due", &i.due)
	r.Name("timeout", &i.timeout)
	r.AtEnd(d.end)
	return d
}

// moved checks what Touch and Reset say.
func (d *idler) moved(ok bool) {
	if ok {
		d.touched = true
	} else if d.Err() == nil {
		d.r.Failf("promise 3: it says that it has tripped, and Err is nil")
	}
}

// do runs operations that only an Idle has, or that all have.
func (d *idler) do(ops ...op) {
	for _, o := range ops {
		d.r.Label(string(o))
		switch o {
		case "Touch":
			d.moved(d.i.Touch())
		case "arm": // what a Reset does after it has moved due, and the alarm has come in between
			d.i.arm()
		case "alarm's trip":
			d.alarmed = true
			d.i.trip(d.i.state.Load(), errExpired, flagExpired)
		case "shorter":
			d.moved(d.i.Reset(shorter))
		case "longer":
			d.moved(d.i.Reset(2 * idleTimeout))
		case "none":
			d.trips++
			if d.i.Reset(0) {
				d.r.Failf("Reset(0) returned true")
			}
			if d.Err() == nil {
				d.r.Failf("promise 3: Reset(0) returned, and Err is nil")
			}
		case "alarm":
			d.alarmed = true
			d.i.expire()
		case "Deadline":
			if at, ok := d.i.Deadline(); !ok || at.Before(d.began.Add(-idleTimeout)) || at.After(d.began.Add(2*idleTimeout)) {
				d.r.Failf("promise 14: Deadline is %v, %v, and it is %v", at, ok, d.began)
			}
		default:
			d.subject.do([]op{o})
		}
	}
}

func (d *idler) end() {
	switch {
	case !d.over || d.alarmed:
	case d.i.due.Load() == expired:
		d.i.trip(d.i.state.Load(), errExpired, flagExpired)
	default:
		d.i.expire()
	}
	if d.Err() != nil {
		switch due := d.i.due.Load(); {
		case d.trips == 0 && !errors.Is(d.Cause(), context.DeadlineExceeded):
			d.r.Failf("promise 4: Cause is %v", d.Cause())
		case d.trips == 0 && !d.over:
			d.r.Failf("it has tripped, and its time hasn't passed")
		case d.trips == 0 && d.touched:
			d.r.Failf("Touch returned true, and the time hasn't passed since, and it has tripped")
		case d.trips == 0 && due != expired:
			d.r.Failf("the alarm has tripped it, and it is due at %v", time.Duration(due))
		}
		if d.i.timer.Stop() {
			d.r.Failf("promise 10: the timer is left")
		}
		return
	}
	due := time.Duration(d.i.due.Load())
	if due == expired {
		d.r.Failf("its time has passed, and it is open")
		return
	}
	left := due - time.Since(bubble.Start)
	if timeout := time.Duration(d.i.timeout.Load()); d.touched && left != timeout {
		d.r.Failf("it was touched just now, and %v of %v are left", left, timeout)
	}
	if left <= 0 {
		d.r.Failf("its time has passed, and it is open after the alarm")
		return
	}
	time.Sleep(left - 1)
	synctest.Wait()
	if d.Err() != nil {
		d.r.Failf("it has tripped before its time")
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	if d.Err() == nil {
		d.r.Failf("the timer is armed too late, or not at all")
	}
	d.trips++
}
