package breaker

import (
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// BreakByChannel returns a breaker that trips when the channel is closed, or a value comes out of it. A nil channel
// never trips it.
//
// It costs one allocation. While nobody waits for it, Err asks the channel; the first Done, OnTrip or Multiplex starts
// a goroutine, one for each distinct channel, however many breakers share it, which ends with
// the last of them. A value is received once: it trips the breakers that wait at the time, or the
// one that asks first. To reach everyone, close the channel.
func BreakByChannel(signal <-chan struct{}) *Breaker {
	if signal == nil {
		return New()
	}
	b := &channelBreaker{signal: signal}
	b.over(b.array[:])
	b.state = wordOf(kindChannel, flagHeld|flagPoll)
	b.poll()
	if live.On() {
		b.enlist()
	}
	return &b.Breaker
}

// channelBreaker listens to a raw channel, by way of a watch.
type channelBreaker struct {
	node
	signal <-chan struct{}
	// polling is 1 while someone asks the channel.
	polling atomic.Uint32
	array   [1]link
}

// poll trips the breaker if there is something to receive. One at a time does, so that the breaker takes no more than
// one value; the others wait for it, as they would for the channel's own lock. For the same reason nobody polls once somebody waits, and
// a goroutine receives: who attaches clears flagPoll and then awaits the poll, who polls says so and then looks at flagPoll.
// So there are no callbacks yet when a poll trips the breaker, and nobody waits for them here.
func (b *channelBreaker) poll() {
	if !b.polling.CompareAndSwap(0, 1) {
		b.awaitPoll()
		return
	}
	if b.state.Load()&(phase|flagPoll) == flagPoll {
		select {
		case <-b.signal:
			b.trip(errChannel, 0)
		default:
		}
	}
	b.polling.Store(0)
}

func (b *channelBreaker) awaitPoll() { atomic.AwaitZero(&b.polling) }

// attach joins those who wait for the channel.
func (b *channelBreaker) attach() {
	b.awaitPoll()
	if b.state.Load()&phase != open {
		return
	}
	atomic.Writes(&b.array[0].source)
	b.array[0].source = &channels.join(keyOf(b.signal), b.watched).Breaker
	b.listen(&b.array[0])
}

// channels has a watch for each channel that someone waits for.
var channels hub

// watched starts the goroutine that waits for the channel.
func (b *channelBreaker) watched(w *watch) {
	signal := b.signal
	quit, out := make(chan struct{}), make(chan struct{})
	w.stop = func() {
		close(quit)
		// Until it is out, the goroutine may take a value that comes after this, which then trips nobody.
		<-out
	}
	go func() {
		select {
		case <-signal:
			close(out) // before the trip, in which the last one may call stop
			w.fire(errChannel)
		case <-quit:
			close(out)
		}
	}()
}
