package breaker

import (
	"math"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// Idle is a breaker with a timeout that moves: it trips when it hasn't been touched for that long.
// It is for idle connections, for streams that must make progress, and for watchdogs. Its cause
// then matches context.DeadlineExceeded.
//
// Make it with BreakByIdle; a zero value never times out by itself. All methods may be called
// concurrently.
type Idle struct {
	Breaker

	// timer is written by the constructor. It goes off at the time at which the breaker was due
	// when it was armed, or earlier; then it is armed again for what is left.
	timer *time.Timer
	// timeout is written by Reset.
	timeout atomic.Int64
	// due is when the breaker trips, counted from start, or expired. Touch, Reset and the timer
	// move it, by compare-and-swap: so either a touch comes in time, or the timer does, and both
	// know.
	due atomic.Int64
	// last is what due was before it expired, because Deadline outlives the trip. Only what has
	// found due expired reads it.
	last atomic.Int64
}

// expired is what due becomes when the time has passed.
const expired = math.MinInt64

// BreakByIdle returns a breaker that trips when it hasn't been touched for so long. With a timeout
// of zero or less it is tripped on return.
//
// It costs two allocations and a timer, and no goroutine. Close it when the work is done.
func BreakByIdle(timeout time.Duration) *Idle {
	flags := uint32(0)
	if inBubble() {
		flags = flagBubble
	}
	i := new(Idle)
	i.source = i
	i.timeout.Store(int64(timeout))
	if timeout <= 0 {
		i.due.Store(expired)
		i.state = wordOf(kindIdle, closed|flagExpired|flags)
		i.cause.Set(errExpired)
		return i
	}
	i.due.Store(dueAfter(timeout))
	i.state = wordOf(kindIdle, flagHeld|flagLookUp|flags)
	// It is stored before it can go off.
	i.timer = time.AfterFunc(math.MaxInt64, i.expire)
	i.timer.Reset(timeout)
	if live.On() {
		i.enlist()
	}
	return i
}

// dueAfter returns when the timeout will have passed. Inside of a bubble it counts from another
// start than outside, but always from the same.
func dueAfter(timeout time.Duration) int64 {
	now := time.Since(start)
	if at := now + timeout; at >= now && at <= farthest {
		return int64(at)
	}
	return int64(farthest) // promise 15
}

// Touch begins the time anew, and reports whether it did: false iff the breaker has tripped, and
// then Done is closed. If it returns true, the timeout doesn't trip the breaker before it has
// passed once more. No timer is touched: it costs reading the clock, and a compare-and-swap.
func (i *Idle) Touch() bool {
	timeout := i.timeout.Load()
	return i.touch(timeout)
}

// Reset begins the time anew, with another timeout, and reports whether it did, as Touch does. A
// timeout of zero or less trips the breaker.
func (i *Idle) Reset(timeout time.Duration) bool {
	i.checkCopy()
	if i.source == nil {
		return i.Err() == nil
	}
	if timeout <= 0 {
		i.trip(i.state.Load(), errExpired, flagExpired)
		return false
	}
	i.timeout.Store(int64(timeout))
	return i.touch(int64(timeout))
}

// touch makes the breaker due when the timeout will have passed from now on.
func (i *Idle) touch(timeout int64) bool {
	if !i.isOriginal() || i.source == nil {
		i.checkCopy()
		return i.Err() == nil
	}
	for {
		if i.state.Load()&phase != open {
			i.awaitDone()
			return false
		}
		due := i.due.Load()
		if due == expired { // the timer is about to trip it
			i.trip(i.state.Load(), errExpired, flagExpired)
			return false
		}
		next := dueAfter(time.Duration(timeout))
		if next == due || i.due.CompareAndSwap(due, next) {
			if next < due {
				i.arm()
			}
			now := i.timeout.Load()
			if now == timeout {
				return true
			}
			timeout = now // a Reset came between: it may have moved due before we did
		}
	}
}

// arm has the timer go off when the breaker is due. Others may be doing the same, or moving due:
// the last to arm the timer looks at due after that.
func (i *Idle) arm() {
	for {
		due := i.due.Load()
		if due == expired {
			return
		}
		i.timer.Reset(max(time.Duration(due)-time.Since(start), 0))
		if i.state.Load()&phase != open {
			i.timer.Stop() // Dekker: the winner may have stopped it before
			return
		}
		if i.due.Load() >= due {
			return
		}
	}
}

// expire runs in the timer's own goroutine.
func (i *Idle) expire() {
	for {
		due := i.due.Load()
		if due == expired {
			return
		}
		if time.Duration(due) > time.Since(start) {
			i.arm()
			return
		}
		i.last.Store(due)
		if i.due.CompareAndSwap(due, expired) {
			i.trip(i.state.Load(), errExpired, flagExpired)
			return
		}
	}
}

func (i *Idle) release() { i.timer.Stop() }

// deadline is the current one, or the last.
func (i *Idle) deadline() (time.Time, bool) {
	due := i.due.Load()
	if due == expired {
		due = i.last.Load()
	}
	if i.state.Load()&flagBubble != 0 {
		return time.Now().Add(time.Duration(due) - time.Since(start)), true
	}
	return timeAt(time.Duration(due), 0), true
}
