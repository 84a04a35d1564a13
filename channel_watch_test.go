package breaker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// The hub lets breakers share a goroutine. It can't be seen from outside, so these tests count
// goroutines, and reach it by channels, whose arrivals a test decides on. What signals add is in
// signal_unix_test.go.

// patience is a safety net that makes a hanging test fail; nothing is measured by it.
const patience = 30 * time.Second

// await waits for a channel to be closed. Not for bubbles: there a plain receive reports a
// deadlock.
func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	net := time.NewTimer(patience)
	defer net.Stop()
	select {
	case <-done:
	case <-net.C:
		require.FailNow(t, "it never came to: "+what)
	}
}

// waiting returns n breakers over a channel, all of them being waited for.
func waiting(n int, signal <-chan struct{}) []*breaker.Breaker {
	all := make([]*breaker.Breaker, n)
	for i := range all {
		all[i] = breaker.BreakByChannel(signal)
		all[i].Done()
	}
	return all
}

func closeAll(all []*breaker.Breaker) {
	for _, br := range all {
		br.Close()
	}
}

func TestHub_SharesAGoroutine(t *testing.T) {
	// promise 11: one for each distinct channel with someone waiting, however many breakers share
	// it.
	requireGoroutines(t, 0)
	one, two := make(chan struct{}), make(chan struct{})
	first := waiting(1000, one)
	requireGoroutines(t, 1)
	second := waiting(10, two)
	requireGoroutines(t, 2)

	closeAll(first[1:])
	requireGoroutines(t, 2) // it lives as long as anyone waits
	first[0].Close()
	requireGoroutines(t, 1)
	for _, br := range second {
		testkit.RequireOpen(t, br)
	}
	closeAll(second)
	requireGoroutines(t, 0)
}

func TestHub_StartsAgainAfterTheLast(t *testing.T) {
	// promise 10, promise 11
	requireGoroutines(t, 0)
	signal := make(chan struct{})
	for range 100 {
		br := breaker.BreakByChannel(signal)
		br.Done()
		br.Close()
	}
	requireGoroutines(t, 0)
	last := waiting(3, signal)
	requireGoroutines(t, 1)
	close(signal)
	for _, br := range last {
		await(t, "a trip by a channel that was given up before", br.Done())
	}
	requireGoroutines(t, 0)
}

// The last one leaves while another one joins: who joins must never be left with a goroutine that
// ends.
func TestHub_JoinAgainstTheLastLeave(t *testing.T) {
	requireGoroutines(t, 0)
	const rounds = 3000
	for i := range rounds {
		signal := make(chan struct{})
		leaving := waiting(1, signal)[0]
		var joined *breaker.Breaker
		var group sync.WaitGroup
		start := make(chan struct{})
		leave := func() { <-start; leaving.Close() }
		join := func() { <-start; joined = waiting(1, signal)[0] }
		if i%2 == 0 {
			leave, join = join, leave
		}
		group.Go(leave)
		group.Go(join)
		close(start)
		group.Wait()
		testkit.RequireOpen(t, joined)
		close(signal)
		await(t, "a trip of the one that joined", joined.Done())
	}
	requireGoroutines(t, 0)
}

// One arrives while another one joins: the arrival may reach him or not, but he never misses the
// next.
func TestHub_JoinAgainstAnArrival(t *testing.T) {
	requireGoroutines(t, 0)
	const rounds = 3000
	for i := range rounds {
		signal := make(chan struct{}, 1)
		first := waiting(1, signal)[0]
		var second *breaker.Breaker
		var group sync.WaitGroup
		start := make(chan struct{})
		arrive := func() { <-start; signal <- struct{}{} }
		join := func() { <-start; second = waiting(1, signal)[0] }
		if i%2 == 0 {
			arrive, join = join, arrive
		}
		group.Go(arrive)
		group.Go(join)
		close(start)
		group.Wait()
		close(signal)
		await(t, "the first trip", first.Done())
		await(t, "the second trip", second.Done())
	}
	requireGoroutines(t, 0)
}

func TestHub_UnderChurn(t *testing.T) {
	// promise 10: however they come and go, those that stay hear of the end, and nothing is left.
	requireGoroutines(t, 0)
	signals := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	const workers, rounds = 4, 2000
	stayed := make([][]*breaker.Breaker, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range rounds {
				br := breaker.BreakByChannel(signals[(i+w)%len(signals)])
				switch i % 4 {
				case 0:
					br.Done()
				case 1:
					br.OnTrip(func() {})
				case 2:
					br = breaker.Multiplex(br, breaker.New())
				}
				if i%100 == 0 {
					stayed[w] = append(stayed[w], br)
				} else {
					br.Close()
				}
			}
		})
	}
	group.Wait()
	for _, signal := range signals {
		close(signal)
	}
	for _, all := range stayed {
		for _, br := range all {
			await(t, "a trip of one that stayed", br.Done())
			assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
		}
	}
	requireGoroutines(t, 0)
}
