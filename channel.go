package breaker

import (
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/hub"
	"github.com/kamilsk/breaker/internal/live"
)

// BreakByChannel returns a breaker that trips when the channel is closed, or a value comes out of
// it. A nil channel never trips it.
//
// It costs one allocation. While no goroutine waits for it, Err asks the channel. The first Done,
// OnTrip or Multiplex starts a goroutine: one for each distinct channel, which ends with the last
// breaker that shares it. A value is received once: it trips the breakers that wait at the time, or
// the one that asks first. To trip all of them, close the channel.
func BreakByChannel(signal <-chan struct{}) *Breaker {
	if signal == nil {
		return New()
	}
	b := &channelBreaker{signal: signal}
	b.setSource(b, b.array[:])
	b.state = wordOf(kindChannel, flagHeld|flagPoll|flagLazy|flagAsk)
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
	// polling is 1 while a goroutine asks the channel.
	polling atomic.Uint32
	array   [1]link
}

func (b *channelBreaker) links() []link { return b.array[:] }

// poll trips the breaker if there is something to receive, as long as nobody waits. One goroutine
// asks at a time, so the breaker takes at most one value. The others wait for the answer, as they
// would for the channel's own lock, but not for the trip. Then they ask, too, because that answer
// may be from before their call (promise 19). Dekker: attach clears flagPoll, then awaits the poll;
// poll sets polling, then reads flagPoll.
func (b *channelBreaker) poll() {
	for !b.polling.CompareAndSwap(0, 1) {
		b.awaitPoll()
	}
	s, won := b.state.Load(), false
	if s&(phase|flagPoll) == flagPoll && atomic.Received(b.signal) {
		s, won = b.claim(s, 0, false)
	}
	b.polling.Store(0)
	switch {
	case won:
		b.finish(s, errChannel)
	case s&phase == claimed:
		b.awaitDone() // it may be what ended the channel that is about to close Done
	}
}

// ask is poll for Close and Trip. It asks also if a watch's goroutine receives for all breakers
// over the channel, but hasn't got to it. What ask receives then trips all of them.
func (b *channelBreaker) ask() {
	s := b.state.Load()
	if s&flagPoll != 0 {
		b.poll()
		s = b.state.Load()
	}
	if s&(phase|flagPoll) != open || !atomic.Received(b.signal) {
		return
	}
	if w, found := channels.Find(bubble.Key(b.signal)); found {
		w.fire(errChannel)
		w.leave()
	}
	b.trip(b.state.Load(), errChannel, 0)
}

func (b *channelBreaker) awaitPoll() { atomic.AwaitZero(&b.polling) }

// attach joins the watch for the channel.
func (b *channelBreaker) attach() (clear uint32) {
	b.move(flagPoll, 0)
	b.awaitPoll()
	if b.state.Load()&phase != open {
		return 0
	}
	w, _ := channels.Join(bubble.Key(b.signal), b.watched)
	b.array[0].source.Set(&w.Breaker)
	b.listen(&b.array[0])
	return 0
}

// A watch is one goroutine that waits for one thing outside, a signal or a channel, on behalf of
// all breakers over it (promise 11). It is itself a breaker, which trips when that thing happens.
// Those breakers are nodes that listen to it. Each joins the watch, and leaves it once it has
// tripped.
//
// A watch is for one arrival only: a breaker made after it gets a watch of its own, so no arrival
// trips a breaker made later (promise 12). While the old watch and the new one overlap, both catch
// the signal, so there is no gap. The new one catches only what arrives after it was made.
type watch struct {
	Breaker
	hub.Entry

	in *watches
	// stop ends the goroutine, if it hasn't fired. Written before the watch is shared.
	stop atomic.Plain[func()]
	// renew asks for delivery again. Only for signals. Written before the watch is shared.
	renew func()
}

// watches finds the watch for a key.
type watches = hub.Map[*watch]

// channels has the watch for each channel that a breaker waits for.
var channels watches

func newWatch(in *watches) *watch {
	w := &watch{in: in}
	w.source = w
	w.state = wordOf(kindPlain, flagHeld)
	return w
}

// fire trips the watch, and all that listen to it. The next breaker gets another watch.
func (w *watch) fire(cause error) {
	w.in.Remove(w)
	w.trip(w.state.Load(), cause, 0)
}

// leave is called by a breaker that has tripped, and was the watch's. The last one ends the watch.
func (w *watch) leave() {
	if w.in.Leave(w) {
		w.stop.Get()()
	}
}

// watched returns a watch for the channel, and starts the goroutine that waits.
func (b *channelBreaker) watched() *watch {
	w := newWatch(&channels)
	signal := b.signal
	quit, out := make(chan struct{}), make(chan struct{})
	w.stop.Set(func() {
		close(quit)
		// Until it is out, the goroutine may take a later value, which then trips nothing.
		<-out
	})
	go func() {
		select {
		case <-signal:
			close(out) // before the trip, in which the last one may call stop
			w.fire(errChannel)
		case <-quit:
			close(out)
		}
	}()
	return w
}
