package breaker_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

func TestState_String(t *testing.T) {
	assert.Equal(t, "open", breaker.Open.String())
	assert.Equal(t, "tripped", breaker.Tripped.String())
	assert.Equal(t, "closed", breaker.Closed.String())
	assert.Contains(t, panicText(t, func() { _ = breaker.State(3).String() }), "State 3")
}

func TestState_OnlyGrows(t *testing.T) {
	for range trials(2_000) {
		br := breaker.Multiplex(breaker.New())
		// The callback makes the state between last long enough to be seen.
		for range rand.IntN(4) {
			br.OnTrip(runtime.Gosched)
		}
		if rand.IntN(2) == 0 {
			br.Done()
		}
		go br.Trip(errA)
		for last := breaker.Open; last != breaker.Closed; runtime.Gosched() {
			state := br.State()
			require.GreaterOrEqual(t, state, last)
			last = state
		}
	}
}

// promise 1: whoever races to trip a breaker, exactly one wins, and all agree on who it was.
// promise 3: when any of them returns, Done is closed.
// promise 4: the cause is the winner's, and everyone sees the same.
func TestTrip_OneWinnerOfMany(t *testing.T) {
	const (
		trippers = 4
		closers  = 2
		parents  = 2
	)
	wins := make(map[string]int)
	more := moreTrials(3_000, func() bool {
		return wins["Trip"] > 0 && wins["Close"] > 0 && wins["parent"] > 0 && wins["timer"] > 0
	})
	for trial := 0; more(); trial++ {
		sources := [parents]*breaker.Breaker{breaker.New(), breaker.New()}
		// Before, among or after, however slow the machine is.
		timeout := breaker.BreakByTimeout(time.Duration(rand.IntN(20_000)) << rand.IntN(8))
		br := breaker.Multiplex(breaker.NopCloser(sources[0]), breaker.NopCloser(sources[1]), timeout)
		if trial%2 == 0 {
			br.Done()
		}
		var (
			begin  = make(chan struct{})
			all    sync.WaitGroup
			won    [trippers]bool
			causes [trippers + closers + parents]error
			seen   [trippers + closers + parents]error

			players []func()
		)
		release := func(i int, trip func()) {
			players = append(players, func() {
				<-begin
				trip()
				switch {
				case i >= trippers+closers: // a parent returns with its own Done closed
					seen[i] = nil
				case br.Err() == nil || !isShut(br.Done()):
					seen[i] = errors.New("Done was open on return")
				default:
					seen[i] = br.Cause()
				}
			})
		}
		for i := range trippers {
			causes[i] = errors.New("Trip " + strconv.Itoa(i))
			release(i, func() { won[i] = br.Trip(causes[i]) })
		}
		for i := trippers; i < trippers+closers; i++ {
			causes[i] = breaker.ErrClosed
			release(i, br.Close)
		}
		for i, source := range sources {
			at := trippers + closers + i
			causes[at] = errors.New("parent " + strconv.Itoa(i))
			release(at, func() { source.Trip(causes[at]) })
		}
		// Who starts last, or first, is likely to win.
		rand.Shuffle(len(players), func(i, j int) { players[i], players[j] = players[j], players[i] })
		for _, play := range players {
			all.Go(play)
		}
		close(begin)
		all.Wait()

		cause := br.Cause()
		require.Error(t, cause)
		for _, s := range seen[:trippers+closers] {
			require.True(t, s == cause, "someone saw %v, and the cause is %v", s, cause)
		}
		winners := 0
		for i := range won {
			if won[i] {
				winners++
				require.True(t, cause == causes[i], "Trip returned true, but the cause is %v", cause)
			} else {
				require.False(t, cause == causes[i], "Trip returned false, but the cause is its")
			}
		}
		require.LessOrEqual(t, winners, 1)
		switch {
		case winners == 1:
			wins["Trip"]++
		case cause == breaker.ErrClosed:
			wins["Close"]++
		case cause == timeout.Cause():
			wins["timer"]++
		default:
			require.Contains(t, cause.Error(), "parent ")
			wins["parent"]++
		}
		awaitThat(t, func() bool { return br.State() == breaker.Closed }, "the end of the trip")
		for _, source := range sources {
			require.Zero(t, registrations(source))
		}
	}
	t.Log("who won:", wins)
	assert.NotZero(t, wins["Trip"])
	assert.NotZero(t, wins["Close"])
	assert.NotZero(t, wins["parent"])
	assert.NotZero(t, wins["timer"])
}

// promise 3 along the links: who has returned from a trip or a close has tripped what it trips in
// turn, also if someone else is just tripping that.
func TestTrip_ReturnsWithEverythingItTripsDone(t *testing.T) {
	for name, construct := range map[string]func() (trip func(), other *breaker.Breaker){
		"a parent's Trip, its child": func() (func(), *breaker.Breaker) {
			parent := breaker.New()
			return func() { parent.Trip(errParent) }, breaker.Multiplex(breaker.NopCloser(parent))
		},
		"a parent's Close, its child": func() (func(), *breaker.Breaker) {
			parent := breaker.New()
			return parent.Close, breaker.Multiplex(breaker.NopCloser(parent))
		},
		"an owner's Trip, what it owns": func() (func(), *breaker.Breaker) {
			owned := breaker.New()
			owner := breaker.Multiplex(owned)
			return func() { owner.Trip(errParent) }, owned
		},
		"an owner's Close, what it owns": func() (func(), *breaker.Breaker) {
			owned := breaker.New()
			return breaker.Multiplex(owned).Close, owned
		},
	} {
		t.Run(name, func(t *testing.T) {
			var (
				trip  func()
				other *breaker.Breaker
				wrong string
				wins  [2]int
			)
			more := moreTrials(20_000, func() bool { return wins[0] > 0 && wins[1] > 0 })
			compete(func() bool {
				require.Empty(t, wrong)
				if !more() {
					return false
				}
				trip, other = construct()
				other.Done()
				return true
			},
				func() {
					if trip(); other.Err() == nil {
						wrong = "it has returned, and the other is open"
					}
					if other.Cause() != errA {
						wins[0]++
					}
				},
				func() {
					if other.Trip(errA) {
						wins[1]++
					}
				})
			assert.NotZero(t, wins[0], "it was never first")
			assert.NotZero(t, wins[1], "the other was never first")
		})
	}
}

// promise 3, where it is hard: the loser is back while the winner is still at it.
func TestTrip_LosersReturnWithDoneClosed(t *testing.T) {
	losing := map[string]func(br *breaker.Breaker) bool{
		"Trip":  func(br *breaker.Breaker) bool { return !br.Trip(errB) },
		"Close": func(br *breaker.Breaker) bool { br.Close(); return br.Cause() == errA },
	}
	for name, lose := range losing {
		for _, asked := range []bool{false, true} {
			t.Run(name+", Done asked before: "+strconv.FormatBool(asked), func(t *testing.T) {
				var (
					br           *breaker.Breaker
					wrong        string
					wins, losses int
				)
				more := moreTrials(20_000, func() bool { return wins > 0 && losses > 0 })
				compete(func() bool {
					require.Empty(t, wrong)
					if !more() {
						return false
					}
					br = breaker.New()
					if asked {
						br.Done()
					}
					return true
				},
					func() { br.Trip(errA) },
					func() {
						lost := lose(br)
						switch {
						case br.Err() == nil:
							wrong = "Err is nil on return"
						case !isShut(br.Done()):
							wrong = "Done is open on return"
						case br.Cause() == nil:
							wrong = "Cause is nil on return"
						}
						if lost {
							losses++
						} else {
							wins++
						}
					})
				assert.NotZero(t, losses, "it never lost")
				assert.NotZero(t, wins, "it always lost")
			})
		}
	}
}

// promise 2: on every observation Err is non-nil if and only if Done is closed. Each order of
// looking is judged where it decides: an error and then an open channel is wrong, a closed channel
// and then no error is wrong; the other two combinations say nothing.
func TestErr_IffDone(t *testing.T) {
	// What the trip has to do besides decides how long it takes.
	subjects := map[string]func() *breaker.Breaker{
		"New": breaker.New,
		"with a callback": func() *breaker.Breaker {
			br := breaker.New()
			br.OnTrip(func() {})
			return br
		},
		"Multiplex": func() *breaker.Breaker { return breaker.Multiplex(breaker.New()) },
	}
	for name, construct := range subjects {
		for _, asked := range []bool{false, true} {
			t.Run(name+", Done asked before: "+strconv.FormatBool(asked), func(t *testing.T) {
				var (
					br           *breaker.Breaker
					wrong        [3]string
					before, late int
				)
				more := moreTrials(5_000, func() bool { return before > 0 && late > 0 })
				compete(func() bool {
					for _, w := range wrong {
						require.Empty(t, w)
					}
					if !more() {
						return false
					}
					br = construct()
					if asked {
						br.Done()
					}
					return true
				},
					func() { br.Trip(errA) },
					func() { // Err, then Done
						if br.Err() == nil {
							before++
						}
						for br.Err() == nil {
							runtime.Gosched()
						}
						if !isShut(br.Done()) {
							wrong[0] = "Err, but Done is open"
						}
						if br.Cause() != errA {
							wrong[1] = "Err, but not the cause"
						}
					},
					func() { // Done, then Err
						if !isShut(br.Done()) {
							late++
						}
						<-br.Done()
						if br.Err() == nil || br.Cause() != errA {
							wrong[2] = "Done is closed, but Err or Cause is nil"
						}
					})
				assert.NotZero(t, before, "Err never came before the trip")
				assert.NotZero(t, late, "Done never came before the trip")
			})
		}
	}
}

// promise 2: the same for an observer that looks again and again while the trip passes.
func TestErr_IffDoneSpinning(t *testing.T) {
	const looks = 500 // then the trip has to come first
	var br *breaker.Breaker
	for name, look := range map[string]func() (tripped bool, wrong string){
		"Cause, Err, Done": func() (bool, string) {
			cause := br.Cause()
			err := br.Err()
			switch {
			case cause != nil && err == nil:
				return true, "Cause, but Err is nil"
			case err == nil:
				return false, ""
			case !isShut(br.Done()):
				return true, "Err, but Done is open"
			}
			return true, ""
		},
		"Done, Err, Cause": func() (bool, string) {
			switch {
			case !isShut(br.Done()):
				return false, ""
			case br.Err() == nil:
				return true, "Done is closed, but Err is nil"
			case br.Cause() == nil:
				return true, "Err, but Cause is nil"
			}
			return true, ""
		},
	} {
		for _, asked := range []bool{false, true} {
			t.Run(name+", Done asked before: "+strconv.FormatBool(asked), func(t *testing.T) {
				var (
					watched int // trials in which it saw the breaker open, then tripped
					wrong   string
					held    bool
				)
				more := moreTrials(10_000, func() bool { return watched > 0 || !parallel() })
				compete(func() bool {
					require.Empty(t, wrong)
					if !more() {
						return false
					}
					br = breaker.New()
					if asked {
						br.Done()
					}
					if held = !held; held {
						br.OnTrip(func() {})
					}
					return true
				},
					func() { br.Trip(errA) },
					func() {
						for i := range looks {
							var tripped bool
							if tripped, wrong = look(); tripped {
								if i > 0 {
									watched++
								}
								return
							}
						}
					})
				if parallel() {
					assert.NotZero(t, watched, "it never saw a trip pass")
				}
			})
		}
	}
}
