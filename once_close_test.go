package breaker_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Done makes its channel when it is first asked: it must be the same one in whatever order it is
// asked and tripped.

func TestDone_IsAlwaysTheSame(t *testing.T) {
	for name, construct := range sources {
		t.Run(name+", asked before the trip", func(t *testing.T) {
			br := construct()
			done := br.Done()
			require.NotNil(t, done)
			assert.False(t, isShut(done))
			assert.True(t, done == br.Done())
			assert.True(t, done == breaker.NopCloser(br).Done())
			assert.True(t, done == breaker.ToContext(br).Done())
			br.Trip(errA)
			assert.True(t, isShut(done))
			assert.True(t, done == br.Done())
		})
		t.Run(name+", asked during the trip", func(t *testing.T) {
			br := construct()
			var done <-chan struct{}
			br.OnTrip(func() {
				done = br.Done()
				assert.True(t, isShut(done))
				assert.True(t, done == br.Done())
			})
			br.Trip(errA)
			require.NotNil(t, done)
			assert.True(t, done == br.Done())
		})
		t.Run(name+", asked after the trip", func(t *testing.T) {
			br := construct()
			br.Trip(errA)
			done := br.Done()
			require.NotNil(t, done)
			assert.True(t, isShut(done))
			assert.True(t, done == br.Done())
			br.Close()
			assert.True(t, done == br.Done())
		})
	}
}

func TestDone_IsNotSharedByBreakers(t *testing.T) {
	for name, construct := range map[string]func() *breaker.Breaker{
		"closed":  func() *breaker.Breaker { br := breaker.New(); br.Close(); return br },
		"nothing": func() *breaker.Breaker { return breaker.Multiplex() },
		"expired": func() *breaker.Breaker { return breaker.BreakByTimeout(0) },
	} {
		one, two := construct(), construct()
		assert.False(t, one.Done() == two.Done(), "%s: who waits on the one takes a lock that the other's waiters take", name)
	}
}

func TestDone_WakesEveryone(t *testing.T) {
	br := breaker.New()
	var waiting, woken sync.WaitGroup
	for range 100 {
		waiting.Add(1)
		woken.Go(func() {
			done := br.Done()
			waiting.Done()
			<-done
		})
	}
	waiting.Wait()
	assert.NoError(t, br.Err())
	br.Trip(errA)
	woken.Wait()
}

// promise 1, promise 2: first calls of Done against each other and against the trip. All get the
// same channel, and that is closed; if it were closed twice, it would panic.
func TestDone_FirstCallsAgainstTrip(t *testing.T) {
	for name, construct := range map[string]func() *breaker.Breaker{
		"New": breaker.New,
		"with a callback": func() *breaker.Breaker {
			br := breaker.New()
			br.OnTrip(func() {})
			return br
		},
		"Multiplex":      func() *breaker.Breaker { return breaker.Multiplex(breaker.New()) },
		"BreakByChannel": func() *breaker.Breaker { return breaker.BreakByChannel(make(chan struct{})) },
	} {
		for trip, tripBy := range map[string]func(br *breaker.Breaker){
			"Close": (*breaker.Breaker).Close, // a plain close may skip a phase
			"Trip":  func(br *breaker.Breaker) { br.Trip(errA) },
		} {
			for askers := 1; askers <= 3; askers++ {
				t.Run(name+", "+trip+", askers: "+strconv.Itoa(askers), func(t *testing.T) {
					var (
						br           *breaker.Breaker
						got          = make([]<-chan struct{}, askers)
						shut         = make([]bool, askers)
						before, late int
						players      = []func(){func() { tripBy(br) }}
					)
					for i := range askers {
						players = append(players, func() {
							got[i] = br.Done()
							shut[i] = isShut(got[i])
						})
					}
					first := true
					more := moreTrials(2_000, func() bool { return before > 0 && late > 0 })
					compete(func() bool {
						if !first {
							done := br.Done()
							for i := range got {
								require.True(t, got[i] == done, "two channels")
								if shut[i] {
									late++
								} else {
									before++
								}
							}
							require.True(t, isShut(done), "Done is open after the trip")
							require.Error(t, br.Err())
						}
						first = false
						if !more() {
							return false
						}
						br = construct()
						return true
					}, players...)
					assert.NotZero(t, before, "Done never came before the trip")
					assert.NotZero(t, late, "Done never came after the trip")
				})
			}
		}
	}
}

// promise 3: a loser that finds no channel makes one to wait for. It has to be the one that Done
// returns.
func TestDone_IsTheOneThatLosersWaitedFor(t *testing.T) {
	var (
		br       *breaker.Breaker
		one, two <-chan struct{}
		first    = true
		more     = moreTrials(10_000, func() bool { return true })
	)
	compete(func() bool {
		if !first {
			require.True(t, one == two, "two channels")
			require.True(t, one == br.Done(), "two channels")
		}
		first = false
		if !more() {
			return false
		}
		br = breaker.New()
		return true
	},
		func() { br.Trip(errA); one = br.Done() },
		func() { br.Close(); two = br.Done() })
}
