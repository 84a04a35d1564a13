// Package naive is a breaker with a goroutine for each source, the way one writes it first. It is
// the baseline of the comparison, written as well as the design allows: no goroutine outlives its
// breaker, and none polls.
package naive

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"time"
)

// A Breaker is interrupted by its source, or closed by its owner.
type Breaker struct {
	once sync.Once
	done chan struct{}
}

// New returns a breaker without a source. Only this one needs no goroutine.
func New() *Breaker { return &Breaker{done: make(chan struct{})} }

// Done is closed when the breaker is interrupted.
func (b *Breaker) Done() <-chan struct{} { return b.done }

// Close interrupts the breaker. Its goroutines end soon afterwards.
func (b *Breaker) Close() { b.once.Do(func() { close(b.done) }) }

// Timeout returns a breaker that is interrupted when the timeout has passed.
func Timeout(timeout time.Duration) *Breaker {
	b, timer := New(), time.NewTimer(timeout)
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C:
			b.Close()
		case <-b.done:
		}
	}()
	return b
}

// Context returns a breaker that is interrupted when the context ends.
func Context(ctx context.Context) *Breaker {
	b := New()
	go func() {
		select {
		case <-ctx.Done():
			b.Close()
		case <-b.done:
		}
	}()
	return b
}

// Signal returns a breaker that is interrupted by a signal.
func Signal(signals ...os.Signal) *Breaker {
	b, arrived := New(), make(chan os.Signal, 1)
	signal.Notify(arrived, signals...)
	go func() {
		defer signal.Stop(arrived)
		select {
		case <-arrived:
			b.Close()
		case <-b.done:
		}
	}()
	return b
}

// Merge returns a breaker that is interrupted with the first of the given ones, and then closes
// those it owns. The others it only watches.
func Merge(watched []*Breaker, owned ...*Breaker) *Breaker {
	b := New()
	for _, source := range watched {
		go b.follow(source, false)
	}
	for _, source := range owned {
		go b.follow(source, true)
	}
	return b
}

func (b *Breaker) follow(source *Breaker, owned bool) {
	select {
	case <-source.done:
		b.Close()
	case <-b.done:
		if owned {
			source.Close()
		}
	}
}
