package breaker

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"time"

	seam "github.com/kamilsk/breaker/internal/atomic"
)

// Inside a testing/synctest bubble time is fake, and channels, timers and goroutines belong to the
// bubble: to use one from the other side is fatal. So the two sides share nothing (promise 16). In
// a bubble the code here may be slow: only tests run there.

// clock returns the time since start, and whether the caller runs in a bubble.
//
// In a bubble time.Now has no monotonic reading: that is the one public sign. But time.Now reads
// two clocks, and costs twice what time.Since does, which reads only the monotonic one. So clock
// asks time.Now only if more than about 0.1 ms have passed since the last time it did. (In a
// bubble, time.Since gives the time from start to the bubble's own date. It would be taken for real
// if it fell into the same 0.1 ms.)
func clock() (now time.Duration, bubble bool) {
	now = time.Since(start)
	tick := uint32(now >> 17)
	if now >= 0 && tick == realTick.Load() {
		return now, false
	}
	if wall := time.Now(); wall == wall.Round(0) {
		return wall.Sub(start), true
	}
	realTick.Store(tick)
	return now, false
}

// realTick is when the time was last known to be real, in units of 131 µs.
var realTick seam.Hint

func inBubble() bool {
	_, bubble := clock()
	return bubble
}

// bubbleKey tells apart watches for one channel that are made in different bubbles, or in none.
type bubbleKey struct {
	signal <-chan struct{}
	bubble string
}

// keyOf returns the key of a channel in the hub.
func keyOf(signal <-chan struct{}) any {
	if !inBubble() {
		return signal
	}
	return bubbleKey{signal, bubbleName()}
}

// bubbleName returns what a stack trace says of the caller's bubble: "… [running, synctest bubble
// 7]:".
func bubbleName() string {
	var buf [128]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	_, trace, _ = bytes.Cut(trace, []byte("["))
	state, _, _ := bytes.Cut(trace, []byte("]"))
	return string(state)
}

// outside runs f outside of the caller's bubble, and returns when f has. A goroutine belongs to the
// bubble of the goroutine that started it. Only those that the runtime starts belong to none, and
// they run the cleanups of collected objects.
func outside(f func()) {
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
