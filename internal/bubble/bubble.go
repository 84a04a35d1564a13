// Package bubble tells code inside of a testing/synctest bubble from code outside of any.
//
// Inside of a bubble time is fake, and channels, timers and goroutines belong to the bubble: to use
// one from the other side is fatal. So what package breaker shares between breakers, it shares on
// one side only (promise 16).
//
//	now, inside := bubble.Clock()  // before a timer is used again
//	key := bubble.Key(signal)      // before a goroutine is shared
//	bubble.Outside(f)              // for what must belong to no bubble
//
// Clock, Inside and, outside of a bubble, Key cost a reading of the monotonic clock, and don't
// allocate. What they do inside of a bubble may be slow, as Outside is anywhere: only tests run
// there. All may be called concurrently.
//
// Nothing public says any of this, so the package relies on three things that the runtime happens
// to do: in a bubble time.Now has no monotonic reading, a stack trace names its goroutine's bubble,
// and cleanups run outside of all bubbles. docs/relies-on.md says what happens without them.
package bubble

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"time"

	seam "github.com/kamilsk/breaker/internal/atomic"
)

// Start is the zero of the monotonic times that breakers keep. It lies outside of all bubbles.
// Nobody writes it.
var Start = time.Now()

// Clock returns the time since Start, and whether the caller runs in a bubble.
//
// In a bubble time.Now has no monotonic reading: that is the one public sign. But time.Now reads
// two clocks, and costs twice what time.Since does, which reads only the monotonic one. So Clock
// asks time.Now only if more than about 0.1 ms have passed since the last time it did. (In a
// bubble, time.Since gives the time from Start to the bubble's own date. It would be taken for real
// if it fell into the same 0.1 ms.)
func Clock() (now time.Duration, inside bool) {
	now = time.Since(Start)
	tick := uint32(now >> 17)
	if now >= 0 && tick == realTick.Load() {
		return now, false
	}
	if wall := time.Now(); wall == wall.Round(0) {
		return wall.Sub(Start), true
	}
	realTick.Store(tick)
	return now, false
}

// realTick is when the time was last known to be real, in units of 131 µs.
var realTick seam.Hint

// Inside reports whether the caller runs in a bubble.
func Inside() bool {
	_, inside := Clock()
	return inside
}

// key tells apart what is shared over one channel in different bubbles, or in none.
type key struct {
	signal <-chan struct{}
	bubble string
}

// Key returns a key for what is shared over the channel: the same one for all callers in a bubble,
// and for all callers in none. Outside of a bubble it is the channel itself.
func Key(signal <-chan struct{}) any {
	if !Inside() {
		return signal
	}
	return key{signal, name()}
}

// name returns what a stack trace says of the caller's bubble: "… [running, synctest bubble 7]:".
func name() string {
	var buf [128]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	_, trace, _ = bytes.Cut(trace, []byte("["))
	state, _, _ := bytes.Cut(trace, []byte("]"))
	return string(state)
}

// Outside runs f outside of the caller's bubble, and returns when f has. It collects garbage until
// then, which is slow. Locks that a cleanup may want must not be held: f waits for its turn among
// the cleanups, and so would the lock's owner.
//
// A goroutine belongs to the bubble of the goroutine that started it. Only those that the runtime
// starts belong to none, and they run the cleanups of collected objects.
func Outside(f func()) {
	var done atomic.Bool
	collected := new([64]byte)
	runtime.AddCleanup(collected, func(f func()) {
		f()
		done.Store(true)
	}, f)
	for !done.Load() {
		runtime.GC()
		runtime.Gosched()
	}
}
