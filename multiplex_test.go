package breaker_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

var errTest = errors.New("cause")

// Promises 4 and 9: it trips with the one that tripped it, and closes all of them, wherever that one stands.
func TestMultiplex_TripsWithAnyOfItsBreakers(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 9} {
		for first := range size {
			all := make([]*breaker.Breaker, size)
			given := make([]breaker.Interface, size)
			for i := range all {
				all[i] = breaker.New()
				given[i] = all[i]
			}
			br := breaker.Multiplex(given...)
			assertOpen(t, br)

			require.True(t, all[first].Trip(errTest))
			assertClosed(t, br, errTest)
			for i, one := range all {
				if i == first {
					assertClosed(t, one, errTest)
				} else {
					assertClosed(t, one, breaker.ErrClosed)
				}
			}
		}
	}
}

// Promise 9.
func TestMultiplex_ClosesWhatItOwns(t *testing.T) {
	for name, end := range map[string]func(*breaker.Breaker) error{
		"close": func(br *breaker.Breaker) error { br.Close(); return breaker.ErrClosed },
		"trip":  func(br *breaker.Breaker) error { br.Trip(errTest); return errTest },
	} {
		t.Run(name, func(t *testing.T) {
			one, two, shared := breaker.New(), breaker.BreakByTimeout(time.Hour), breaker.New()
			br := breaker.Multiplex(one, two, breaker.NopCloser(shared))
			cause := end(br)
			assertClosed(t, br, cause)
			assertClosed(t, one, breaker.ErrClosed)
			assertClosed(t, two, breaker.ErrClosed)
			assertOpen(t, shared)
			assert.Zero(t, registrations(shared))
		})
	}
}

// Promise 9: it is tripped on return.
func TestMultiplex_OfOneThatHasTripped(t *testing.T) {
	for at := range 3 {
		all := [3]*breaker.Breaker{breaker.New(), breaker.New(), breaker.New()}
		all[at].Trip(errTest)
		br := breaker.Multiplex(all[0], breaker.NopCloser(all[1]), all[2])
		assertClosed(t, br, errTest)
		if at != 0 {
			assertClosed(t, all[0], breaker.ErrClosed)
		}
		if at != 1 {
			assertOpen(t, all[1])
			assert.Zero(t, registrations(all[1]))
		}
		if at != 2 {
			assertClosed(t, all[2], breaker.ErrClosed)
		}
	}
}

func TestMultiplex_OfNothing(t *testing.T) {
	br := breaker.Multiplex()
	require.Error(t, br.Cause())
	assertClosed(t, br, br.Cause())
}

func TestMultiplex_OfTheSameTwice(t *testing.T) {
	one := breaker.New()
	br := breaker.Multiplex(one, one, breaker.NopCloser(one))
	one.Trip(errTest)
	assertClosed(t, br, errTest)
	assertClosed(t, one, errTest)
}

// Promise 9, D6: the slice is neither written to nor kept.
func TestMultiplex_LeavesTheSliceAlone(t *testing.T) {
	all := []breaker.Interface{breaker.New(), breaker.New(), breaker.New()}
	third := all[2]
	br := breaker.Multiplex(all[:2]...)
	assert.Same(t, third, all[2])

	second := all[1]
	all[1] = third
	br.Close()
	assert.Error(t, second.Err())
	assert.NoError(t, third.Err())
}

// embedding closes more than the breaker in it.
type embedding struct {
	*breaker.Breaker
	closed atomic.Int32
}

func (e *embedding) Close() {
	e.closed.Add(1)
	e.Breaker.Close()
}

type embeddingValue struct{ breaker.Breaker }

type embeddingInterface struct{ breaker.Interface }

// Promise 9, for types of the user's.
func TestMultiplex_ClosesWhatEmbedsABreakerByItsOwnClose(t *testing.T) {
	custom, value, inner, shared := &embedding{Breaker: breaker.New()}, new(embeddingValue), breaker.New(), breaker.New()
	br := breaker.Multiplex(custom, value, embeddingInterface{inner}, embeddingInterface{breaker.NopCloser(shared)})
	br.Trip(errTest)
	assert.EqualValues(t, 1, custom.closed.Load())
	assert.Error(t, value.Err())
	assert.Error(t, inner.Err())
	assert.NoError(t, shared.Err())

	custom = &embedding{Breaker: breaker.New()}
	br = breaker.Multiplex(breaker.NopCloser(custom), new(embeddingValue))
	br.Close()
	assert.Zero(t, custom.closed.Load())
	assert.NoError(t, custom.Err())

	tripped := new(embeddingValue)
	tripped.Trip(errTest)
	custom = &embedding{Breaker: breaker.New()}
	assertClosed(t, breaker.Multiplex(tripped, custom), errTest)
	assert.EqualValues(t, 1, custom.closed.Load())
}

func TestMultiplex_OfMultiplexes(t *testing.T) {
	leaf, shared := breaker.New(), breaker.New()
	inner := breaker.Multiplex(leaf, breaker.NopCloser(shared))
	outer := breaker.Multiplex(inner, breaker.BreakByTimeout(time.Hour))
	shared.Trip(errTest)
	assertClosed(t, outer, errTest)
	assertClosed(t, inner, errTest)
	assertClosed(t, leaf, breaker.ErrClosed)

	leaf = breaker.New()
	inner = breaker.Multiplex(leaf)
	outer = breaker.Multiplex(inner)
	outer.Close()
	assertClosed(t, inner, breaker.ErrClosed)
	assertClosed(t, leaf, breaker.ErrClosed)
}

// D7: one that two multiplexes share is told by NopCloser, and survives both.
func TestNopCloser_SharesABreaker(t *testing.T) {
	shared := breaker.New()
	one := breaker.Multiplex(breaker.NopCloser(shared), breaker.New())
	two := breaker.Multiplex(breaker.NopCloser(breaker.NopCloser(shared)), breaker.New())
	one.Close()
	assertOpen(t, shared)
	assertOpen(t, two)
	shared.Trip(errTest)
	assertClosed(t, two, errTest)
	assertClosed(t, one, breaker.ErrClosed)
}

func TestNopCloser_IsTheBreakerButForClose(t *testing.T) {
	br := breaker.New()
	view := breaker.NopCloser(br)
	view.Close()
	assertOpen(t, br)
	assert.Equal(t, br.Done(), view.Done())
	br.Close()
	assert.Equal(t, br.Err(), view.Err())
}

// Promise 10: a trip by one source leaves all the others, though Close is never called.
func TestMultiplex_LeavesAllOthersAtATrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		process := breaker.New()
		for range 100 {
			br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Second))
			br.Done()
		}
		require.Equal(t, 100, registrations(process))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Zero(t, registrations(process))
	})
}

// Promise 10: who keeps a breaker that is closed keeps none of those that it was joined with.
func TestMultiplex_IsNotPinnedByWhatItLeft(t *testing.T) {
	one := breaker.New()
	collected := make(chan struct{})
	func() {
		sibling := breaker.New()
		runtime.AddCleanup(sibling, func(struct{}) { close(collected) }, struct{}{})
		breaker.Multiplex(one, sibling).Close()
	}()
	awaitGone(t, func() bool { return isShut(collected) }, "the sibling")
	runtime.KeepAlive(one)
}

// A closed Multiplex doesn't pin what it listened to, but for what Deadline and Value look at.
func TestMultiplex_DoesNotPinWhatItLeft(t *testing.T) {
	collected := make(chan struct{})
	br := func() *breaker.Breaker {
		source := breaker.New()
		runtime.AddCleanup(source, func(struct{}) { close(collected) }, struct{}{})
		return breaker.Multiplex(source, breaker.New())
	}()
	br.Close()
	awaitGone(t, func() bool { return isShut(collected) }, "the source")
	runtime.KeepAlive(br)
}

// Promise 9: construction against the trip of what it is made of.
func TestMultiplex_ConstructionAgainstTrip(t *testing.T) {
	for range scaled(20_000) {
		one, two, owned := breaker.New(), breaker.New(), breaker.New()
		var br *breaker.Breaker
		var wg sync.WaitGroup
		wg.Go(func() { one.Trip(errTest) })
		wg.Go(func() { br = breaker.Multiplex(breaker.NopCloser(two), breaker.NopCloser(one), owned) })
		wg.Wait()
		if br.State() != breaker.Closed || br.Cause() != errTest || owned.State() != breaker.Closed ||
			registrations(two) != 0 || registrations(owned) != 0 {
			require.FailNow(t, "something is left", "%v, %v, %v, %d", br.State(), br.Cause(), owned.State(), registrations(two))
		}
	}
}

// Promises 1 and 10: two parents trip one child at once.
func TestMultiplex_TrippedByTwoAtOnce(t *testing.T) {
	causes := [2]error{errors.New("one"), errors.New("two")}
	for range scaled(20_000) {
		one, two := breaker.New(), breaker.New()
		br := breaker.Multiplex(breaker.NopCloser(one), breaker.NopCloser(two))
		var called atomic.Int32
		br.OnTrip(func() { called.Add(1) })
		var wg sync.WaitGroup
		wg.Go(func() { one.Trip(causes[0]) })
		wg.Go(func() { two.Trip(causes[1]) })
		wg.Wait()
		if br.State() != breaker.Closed || called.Load() != 1 || br.Cause() != causes[0] && br.Cause() != causes[1] {
			require.FailNow(t, "not once", "%v, %d, %v", br.State(), called.Load(), br.Cause())
		}
	}
}

// D11, promise 17: many breakers, at linear cost and without reflect.Select's limit of 65,536.
func TestMultiplex_OfSeventyThousand(t *testing.T) {
	const size = 70_000
	all, given := make([]*breaker.Breaker, size), make([]breaker.Interface, size)
	for i := range all {
		all[i] = breaker.New()
		given[i] = all[i]
	}
	br := breaker.Multiplex(given...)
	all[size-1].Trip(errTest)
	assertClosed(t, br, errTest)
	for _, one := range all {
		if one.State() != breaker.Closed {
			require.FailNow(t, "one is left open")
		}
	}
}
