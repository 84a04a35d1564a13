package breaker

import "github.com/kamilsk/breaker/internal/atomic"

// AwaitClosed blocks until the state is Closed: the breaker has tripped, its callbacks have
// returned, and its sources are released. When stop has returned false, use it to wait until the
// callback has returned:
//
//	if !stop() {
//		br.AwaitClosed()
//	}
//
// You may call it concurrently. But called from a callback of the breaker itself, or of what trips
// it, it never returns. Once the breaker is closed it is one load; before, it costs a channel.
func (b *Breaker) AwaitClosed() {
	b.checkCopy()
	if b.state.Load()&phase == closed {
		return
	}
	wait(b.Done())
	if b.state.Load()&phase == closed {
		return
	}
	c := make(chan struct{})
	awaiting.add(b, c)
	if b.move(0, flagAwaited)&phase == closed {
		b.wakeAwaiting() // nobody else does
	}
	wait(c)
}

// wakeAwaiting wakes the goroutines in AwaitClosed of b.
func (b *Breaker) wakeAwaiting() {
	for _, c := range awaiting.take(b) {
		atomic.Close(c)
	}
}

// awaiting has a channel for each goroutine in AwaitClosed. There are few of them: a word in each
// breaker would cost more.
var awaiting waiters

type waiters struct {
	mu atomic.Mutex
	of map[*Breaker][]chan struct{}
}

func (w *waiters) add(b *Breaker, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = make(map[*Breaker][]chan struct{})
	}
	w.of[b] = append(w.of[b], c)
}

func (w *waiters) take(b *Breaker) []chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.of[b]
	delete(w.of, b)
	return all
}
