package breaker

import (
	"math"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/live"
)

// Idle is a breaker that times out when it hasn't been touched for a while. Use it for idle
// connections, for streams that must make progress, and for watchdogs. The cause of such a timeout
// matches context.DeadlineExceeded.
//
// Make it with BreakByIdle: a zero value never times out. All methods may be called concurrently.
type Idle struct {
	Breaker

	// timer is written by the constructor. It goes off when the breaker is due, or earlier. If it
	// is earlier, the timer is armed again for the time that is left.
	timer *time.Timer
	// timeout is written by Reset.
	timeout atomic.Int64
	// due is when the breaker trips, counted from bubble.Start, or expired. Touch, Reset and the
	// timer move it by compare-and-swap. So if a touch races with the timer, one of them wins, and
	// both know which.
	due atomic.Int64
	// last is what due was before it expired: Deadline returns it after the trip. It is read only
	// after due was found expired.
	last atomic.Int64
}

// expired is the value of due once the timeout has passed.
const expired = math.MinInt64

// BreakByIdle returns a breaker that trips when it hasn't been touched for the timeout. With a
// timeout of zero or less it is tripped on return.
//
// It costs two allocations and a timer, and no goroutine. Close it when the work is done.
func BreakByIdle(timeout time.Duration) *Idle {
	flags := uint32(0)
	if bubble.Inside() {
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
	// The timer can't go off before the field has it.
	i.timer = time.AfterFunc(math.MaxInt64, i.expire)
	i.timer.Reset(timeout)
	if live.On() {
		i.enlist()
	}
	return i
}

// dueAfter returns when the timeout will have passed, counted from bubble.Start. Fake time in a
// bubble is far from that, but the distance is the same at each call.
func dueAfter(timeout time.Duration) int64 {
	now := time.Since(bubble.Start)
	if at := now + timeout; at >= now && at <= farthest {
		return int64(at)
	}
	return int64(farthest) // promise 15
}

// Touch restarts the timeout. It returns true if the breaker is open: then the timeout has to pass
// once more before it trips the breaker. It returns false iff the breaker has tripped, and then
// Done is closed.
//
// It reads the clock and does one compare-and-swap. It never resets a timer, unless the timeout has
// been shortened.
func (i *Idle) Touch() bool {
	timeout := i.timeout.Load()
	return i.touch(timeout)
}

// Reset restarts with another timeout, which later calls of Touch use as well. It returns what
// Touch returns. A timeout of zero or less trips the breaker.
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

// touch makes the breaker due one timeout from now.
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

// arm sets the timer to when the breaker is due. Other goroutines may arm it too, or move due, so
// arm looks at due once more afterwards.
func (i *Idle) arm() {
	for {
		due := i.due.Load()
		if due == expired {
			return
		}
		i.timer.Reset(max(time.Duration(due)-time.Since(bubble.Start), 0))
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
		if time.Duration(due) > time.Since(bubble.Start) {
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

// deadline returns the current deadline, or the last one after a timeout.
func (i *Idle) deadline() (time.Time, bool) {
	due := i.due.Load()
	if due == expired {
		due = i.last.Load()
	}
	if i.state.Load()&flagBubble != 0 {
		return time.Now().Add(time.Duration(due) - time.Since(bubble.Start)), true
	}
	return timeAt(time.Duration(due), 0), true
}
