package breaker

import (
	"testing"

	"github.com/kamilsk/breaker/internal/bubble"
)

// promise 2: who has decided to ask the channel, and comes too late, leaves it to the goroutine
// that receives by now: the breaker would take two values.
func TestPoll_LeavesWhatIsWatched(t *testing.T) {
	b := BreakByChannel(make(chan struct{}))
	defer b.Close()
	b.Done()
	c := b.source.(*channelBreaker)
	signal := make(chan struct{}, 1)
	signal <- struct{}{}
	c.signal = signal // the goroutine has the other one
	c.poll()
	if len(signal) != 1 || b.Err() != nil {
		t.Error("it has received")
	}
}

// promise 19: who finds a channel ended, on which others wait, tells them, and leaves the watch
// again. A value reaches them all, too.
func TestAsk_TellsTheOthers(t *testing.T) {
	signal := make(chan struct{}, 1)
	stopped := 0
	// As if its goroutine hadn't come to it.
	w, _ := channels.Join(bubble.Key(signal), func() *watch {
		w := newWatch(&channels)
		w.stop.Set(func() { stopped++ })
		return w
	})
	one, other := BreakByChannel(signal), BreakByChannel(signal)
	one.Done()
	other.Done()
	signal <- struct{}{}
	one.Close()
	if one.Cause() != errChannel || other.Cause() != errChannel {
		t.Errorf("the causes are %v and %v", one.Cause(), other.Cause())
	}
	w.leave()
	if stopped != 1 {
		t.Errorf("the watch was stopped %d times", stopped)
	}
}
