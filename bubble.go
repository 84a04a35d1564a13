package breaker

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"time"
)

// Inside a testing/synctest bubble time is fake, and channels, timers and goroutines belong to the bubble: to use
// one from the other side is fatal. So nothing is shared between the two (promise 16). All of this
// runs in tests only, and is as slow as it likes.

// inBubble reports whether the caller runs in a bubble. That time has no monotonic reading there is the one public
// sign of it; as long as the clock is plausible, half of it is enough to look at.
func inBubble() bool {
	if d := time.Since(start); d >= 0 && d < plausible {
		return false
	}
	now := time.Now()
	return now == now.Round(0)
}

// bubbleKey tells watches for one channel apart that are made in different bubbles, or in none.
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

// bubbleName returns what a stack trace says of the caller's bubble: "… [running, synctest bubble 7]:".
func bubbleName() string {
	var buf [128]byte
	trace := buf[:runtime.Stack(buf[:], false)]
	_, trace, _ = bytes.Cut(trace, []byte("["))
	state, _, _ := bytes.Cut(trace, []byte("]"))
	return string(state)
}

// outside runs f outside of the caller's bubble, and returns when it has. A goroutine belongs to the bubble of the one
// that started it; only those that the runtime starts belong to none, and they run the cleanups of what was collected.
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
