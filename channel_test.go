package breaker_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

func TestChannel_NilNeverTrips(t *testing.T) {
	// promise 15
	requireGoroutines(t, 0)
	br := breaker.BreakByChannel(nil)
	testkit.RequireOpen(t, br)
	br.OnTrip(func() {})
	outer := breaker.Multiplex(br)
	testkit.RequireOpen(t, outer)
	require.Zero(t, testkit.Goroutines(testkit.Library)) // promise 11
	_, ok := outer.Deadline()
	require.False(t, ok)

	outer.Close()
	require.Equal(t, breaker.ErrClosed, testkit.RequireTripped(t, br))
}

// ends are the two things that a channel can do.
var ends = []struct {
	name string
	end  func(chan struct{})
}{
	{"close", func(signal chan struct{}) { close(signal) }},
	{"value", func(signal chan struct{}) { signal <- struct{}{} }},
}

func requireChannelCause(t *testing.T, br *breaker.Breaker) {
	t.Helper()
	cause := testkit.RequireTripped(t, br)
	require.ErrorIs(t, cause, breaker.Interrupted)
	require.ErrorIs(t, cause, context.Canceled)
	require.ErrorIs(t, cause, breaker.ToContext(br).Err())
	require.NotErrorIs(t, cause, context.DeadlineExceeded)
	require.NotErrorIs(t, cause, breaker.ErrClosed)
	require.NotEmpty(t, cause.Error())
	require.Equal(t, breaker.Interrupted, br.Err())
}

func TestChannel_TripsWhatWaits(t *testing.T) {
	for _, how := range ends {
		for name, wait := range map[string]func(*breaker.Breaker) <-chan struct{}{
			"Done": (*breaker.Breaker).Done,
			"OnTrip": func(br *breaker.Breaker) <-chan struct{} {
				called := make(chan struct{})
				br.OnTrip(func() { close(called) })
				return called
			},
			"Multiplex": func(br *breaker.Breaker) <-chan struct{} {
				return breaker.Multiplex(breaker.NopCloser(br), breaker.New()).Done()
			},
			"ToContext": func(br *breaker.Breaker) <-chan struct{} { return breaker.ToContext(br).Done() },
			"a context derived": func(br *breaker.Breaker) <-chan struct{} {
				ctx, cancel := context.WithCancel(breaker.ToContext(br))
				br.OnTrip(cancel)
				return ctx.Done()
			},
		} {
			t.Run(how.name+" "+name, func(t *testing.T) {
				requireGoroutines(t, 0)
				signal := make(chan struct{}, 1)
				br := breaker.BreakByChannel(signal)
				require.Zero(t, testkit.Goroutines(testkit.Library))
				done := wait(br)
				requireGoroutines(t, 1)
				how.end(signal)
				await(t, "the trip", done)
				requireChannelCause(t, br)
				requireGoroutines(t, 0)
			})
		}
	}
}

func TestChannel_EndedBefore(t *testing.T) {
	// The constructor looks: with something to receive the breaker is tripped on return.
	for _, how := range ends {
		t.Run(how.name, func(t *testing.T) {
			requireGoroutines(t, 0)
			signal := make(chan struct{}, 1)
			how.end(signal)
			br := breaker.BreakByChannel(signal)
			requireChannelCause(t, br)
			require.Equal(t, breaker.Closed, br.State())
			require.Zero(t, len(signal))
			require.Zero(t, testkit.Goroutines(testkit.Library))
			br.Close()
			requireChannelCause(t, br)
		})
	}
}

func TestChannel_PolledWithoutAGoroutine(t *testing.T) {
	// promise 2, the poll part; promise 11
	for _, how := range ends {
		for name, tripped := range map[string]func(*breaker.Breaker) bool{
			"Err":            func(br *breaker.Breaker) bool { return br.Err() != nil },
			"Cause":          func(br *breaker.Breaker) bool { return br.Cause() != nil },
			"State":          func(br *breaker.Breaker) bool { return br.State() != breaker.Open },
			"NopCloser":      func(br *breaker.Breaker) bool { return breaker.NopCloser(br).Err() != nil },
			"ToContext":      func(br *breaker.Breaker) bool { return breaker.ToContext(br).Err() != nil },
			"context.Cause":  func(br *breaker.Breaker) bool { return context.Cause(breaker.ToContext(br)) != nil },
			"BreakByContext": func(br *breaker.Breaker) bool { return breaker.BreakByContext(breaker.ToContext(br), nil).Err() != nil },
		} {
			t.Run(how.name+" "+name, func(t *testing.T) {
				requireGoroutines(t, 0)
				signal := make(chan struct{}, 1)
				br := breaker.BreakByChannel(signal)
				for range 10 {
					require.False(t, tripped(br))
				}
				how.end(signal)
				require.True(t, tripped(br), "what the channel did has to be seen at once")
				requireChannelCause(t, br)
				require.Zero(t, testkit.Goroutines(testkit.Library))
			})
		}
	}
}

func TestChannel_PollsMany(t *testing.T) {
	// promise 11: none while a breaker is only polled.
	requireGoroutines(t, 0)
	before := testkit.AllGoroutines()
	for range 1000 {
		signal := make(chan struct{})
		one, two := breaker.BreakByChannel(signal), breaker.BreakByChannel(signal)
		require.NoError(t, one.Err())
		require.NoError(t, two.Err())
		one.Close()
		require.NoError(t, two.Err())
		close(signal)
		require.Error(t, two.Err())
		require.Equal(t, breaker.ErrClosed, one.Cause())
	}
	testkit.AwaitAtMost(t, before)
	require.Zero(t, testkit.Goroutines(testkit.Library))
}

// A sender that blocks on a channel without a buffer meets whoever polls.
func TestChannel_PollTakesFromABlockedSender(t *testing.T) {
	signal, sent := make(chan struct{}), make(chan struct{})
	br := breaker.BreakByChannel(signal)
	go func() {
		signal <- struct{}{}
		close(sent)
	}()
	testkit.Await(t, "the poll takes the value", func() bool { return br.Err() != nil })
	await(t, "the value is sent", sent)
	requireChannelCause(t, br)
}

func TestChannel_ValueTripsAllThatWait(t *testing.T) {
	requireGoroutines(t, 0)
	signal := make(chan struct{})
	all := waiting(100, signal)
	all = append(all, breaker.Multiplex(breaker.BreakByChannel(signal)))
	requireGoroutines(t, 1)
	signal <- struct{}{}
	for _, br := range all {
		await(t, "a trip of everyone", br.Done())
		requireChannelCause(t, br)
	}
	requireGoroutines(t, 0)

	// One value is one arrival: who comes later waits for the next.
	polled, late := breaker.BreakByChannel(signal), waiting(10, signal)
	testkit.RequireOpen(t, polled)
	for _, br := range late {
		testkit.RequireOpen(t, br)
	}
	requireGoroutines(t, 1)
	signal <- struct{}{}
	for _, br := range late {
		await(t, "a trip by the second value", br.Done())
	}
	await(t, "a trip of the one that had been polled", polled.Done())
	requireGoroutines(t, 0)
}

// One value reaches one of those that poll, and exactly one.
func TestChannel_ValueTripsOneOfThePollers(t *testing.T) {
	for range 100 {
		signal := make(chan struct{}, 1)
		var all [8]*breaker.Breaker
		for i := range all {
			all[i] = breaker.BreakByChannel(signal)
		}
		signal <- struct{}{}
		var group sync.WaitGroup
		for _, br := range all {
			group.Go(func() { _ = br.Err() })
		}
		group.Wait()
		tripped := 0
		for _, br := range all {
			if br.Err() != nil {
				tripped++
			}
		}
		require.Equal(t, 1, tripped)
	}
}

// Breakers made after a value has tripped others are open, however early they come.
func TestChannel_ValueNeverTripsALaterBreaker(t *testing.T) {
	requireGoroutines(t, 0)
	signal := make(chan struct{})
	for range 2000 {
		first := waiting(1, signal)[0]
		var late *breaker.Breaker
		made := make(chan struct{})
		first.OnTrip(func() {
			late = waiting(1, signal)[0] // at the earliest moment after the trip
			close(made)
		})
		signal <- struct{}{}
		await(t, "the first trip", made)
		another := waiting(1, signal)[0]
		require.NoError(t, late.Err())
		require.NoError(t, another.Err())
		late.Close()
		another.Close()
		require.Equal(t, breaker.ErrClosed, late.Cause())
		require.Equal(t, breaker.ErrClosed, another.Cause())
	}
	requireGoroutines(t, 0)
}

// A closed breaker takes nothing out of the channel: the value belongs to the next one.
func TestChannel_ClosedBreakerTakesNoValue(t *testing.T) {
	// promise 10: nothing of it goes on after Close.
	requireGoroutines(t, 0)
	for range 2000 {
		signal := make(chan struct{}, 1)
		closed := waiting(1, signal)[0]
		closed.Close()
		signal <- struct{}{}
		runtime.Gosched() // lets what is left of it run
		require.Error(t, breaker.BreakByChannel(signal).Err(), "the value is gone")
	}
	requireGoroutines(t, 0)
}

func TestChannel_LeftByAMultiplex(t *testing.T) {
	// promise 10, promise 11: what trips by one source drops the others at once.
	requireGoroutines(t, 0)
	one, two := make(chan struct{}), make(chan struct{})
	shared := breaker.BreakByChannel(two)
	br := breaker.Multiplex(breaker.BreakByChannel(one), breaker.NopCloser(shared), breaker.BreakByTimeout(time.Hour))
	requireGoroutines(t, 2)
	close(one)
	await(t, "the trip", br.Done())
	requireChannelCause(t, br)
	requireGoroutines(t, 1) // the shared one is still being waited for
	testkit.RequireOpen(t, shared)
	shared.Close()
	requireGoroutines(t, 0)
}

func TestChannel_LeftByATrip(t *testing.T) {
	// promise 10
	requireGoroutines(t, 0)
	signal := make(chan struct{}, 1)
	br := breaker.BreakByChannel(signal)
	br.Done()
	requireGoroutines(t, 1)
	cause := assert.AnError
	require.True(t, br.Trip(cause))
	requireGoroutines(t, 0)
	require.Equal(t, cause, testkit.RequireTripped(t, br))

	signal <- struct{}{}
	require.Len(t, signal, 1, "nobody is left who would receive")
	require.Equal(t, cause, br.Cause())
}

// The channel ends while it is closed, polled and waited for at the same time: one trip, one cause.
func TestChannel_EndsAgainstEverything(t *testing.T) {
	// promise 1, promise 2, promise 3
	requireGoroutines(t, 0)
	var byChannel, byClose int
	for i := 0; i < 2000 || byChannel == 0 || byClose == 0; i++ {
		require.Less(t, i, 200_000, "an outcome never came: by channel %d, by close %d", byChannel, byClose)
		signal := make(chan struct{})
		br := breaker.BreakByChannel(signal)
		steps := []func(){
			func() { close(signal) },
			func() { br.Close(); assert.True(t, isShut(br.Done())) },
			func() { <-br.Done(); assert.ErrorIs(t, br.Err(), breaker.Interrupted) },
			func() {
				if br.Err() != nil {
					assert.True(t, isShut(br.Done()))
				}
			},
		}
		atOnce(i, steps...)
		if br.Cause() == breaker.ErrClosed {
			byClose++
		} else {
			requireChannelCause(t, br)
			byChannel++
		}
	}
	requireGoroutines(t, 0)
}

// Several goroutines ask one breaker: it trips by one value, so the others stay in the channel.
func TestChannel_BreakerTakesOneValue(t *testing.T) {
	// promise 2, the poll part
	for range 5000 {
		const values = 8
		signal := make(chan struct{}, values)
		br := breaker.BreakByChannel(signal)
		for range values {
			signal <- struct{}{}
		}
		var group sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			group.Go(func() {
				<-start
				_ = br.Err() // who comes while another one trips the breaker may still find it open
			})
		}
		close(start)
		group.Wait()
		requireChannelCause(t, br)
		require.Len(t, signal, values-1)
	}
}

// promise 8: a callback that blocks, or ends its goroutine, while a poll has tripped a channel's
// breaker, hangs nobody.
func TestChannel_PollDoesntHoldOthers(t *testing.T) {
	signal := make(chan struct{})
	br := breaker.BreakByChannel(signal)
	release, begun := make(chan struct{}), make(chan struct{})
	outer := breaker.BreakByContext(breaker.ToContext(br), func() {
		close(begun)
		<-release
	})
	close(signal)
	go outer.Err()
	<-begun
	assert.Error(t, br.Err())
	<-br.Done()
	close(release)
	outer.AwaitClosed()
}
