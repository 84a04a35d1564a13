package breaker

import "testing"

// promise 2: who has decided to ask the channel, and comes too late, leaves it to the goroutine that receives by now: the breaker
// would take two values.
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
