package breaker

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
	b.links = b.array[:]
	b.state = wordOf(kindChannel, flagHeld|flagPoll)
	b.poll()
	return &b.Breaker
}

// channelBreaker listens to a raw channel, by way of a watch.
type channelBreaker struct {
	node
	signal <-chan struct{}
	array  [1]link
}

// poll trips the breaker if there is something to receive.
func (b *channelBreaker) poll() {
	select {
	case <-b.signal:
		b.trip(errChannel, 0)
	default:
	}
}

// attach joins those who wait for the channel.
func (b *channelBreaker) attach() {
	b.links[0].source = &channels.join(keyOf(b.signal), b.watched).Breaker
	b.listen(&b.links[0])
}

// channels has a watch for each channel that someone waits for.
var channels hub

// watched starts the goroutine that waits for the channel.
func (b *channelBreaker) watched(w *watch) {
	signal := b.signal
	quit := make(chan struct{})
	w.stop = func() { close(quit) }
	go func() {
		select {
		case <-signal:
			w.fire(errChannel)
		case <-quit:
		}
	}()
}
