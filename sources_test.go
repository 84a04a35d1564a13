package breaker_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// Each scenario here runs over every source. What only one of them does is in the file of its name.

// origin is what breakers are made from. Breakers made from one origin share their source.
type origin struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	foreign *foreignContext
	signal  chan struct{}
	parent  *breaker.Breaker
}

func newOrigin() *origin {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &origin{ctx, cancel, newForeignContext(), make(chan struct{}, 1), breaker.New()}
}

// source is a way to make a breaker, and what is promised of each breaker that is made so.
type source struct {
	name   string
	prints string // what String calls it
	make   func(*origin) *breaker.Breaker

	// end has the source trip the breaker. It is nil where only Trip and Close do. Where time trips
	// it, it needs the fake time of a bubble.
	end   func(*origin)
	cause error // matches the cause after end
	err   error // what Err matches then, besides Interrupted; if nil, Err is Interrupted itself
	timed bool  // its deadline is in an hour

	watcher bool // it takes a goroutine while it is waited on
	sent    bool // what ends it comes from the system, some time after end
}

// On Unix the tests send the signal to themselves.
var (
	harmless os.Signal = os.Interrupt
	raise    func(*origin)
)

// passHour ends what trips by itself in an hour.
func passHour(*origin) { time.Sleep(time.Hour) }

func (o *origin) tripParent() { o.parent.Trip(errA) }

// everySource returns the table of sources.
func everySource() []source {
	inAnHour := func() time.Time { return time.Now().Add(time.Hour) }
	return []source{{
		name: "New", prints: "breaker",
		make: func(*origin) *breaker.Breaker { return breaker.New() },
	}, {
		name: "BreakByTimeout", prints: "breaker by timeout",
		make: func(*origin) *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) },
		end:  passHour, cause: context.DeadlineExceeded, timed: true,
	}, {
		name: "BreakByTimeoutCause", prints: "breaker by timeout",
		make: func(*origin) *breaker.Breaker { return breaker.BreakByTimeoutCause(time.Hour, errA) },
		end:  passHour, cause: errA, timed: true,
	}, {
		name: "BreakByDeadline", prints: "breaker by deadline",
		make: func(*origin) *breaker.Breaker { return breaker.BreakByDeadline(inAnHour()) },
		end:  passHour, cause: context.DeadlineExceeded, timed: true,
	}, {
		name: "BreakByDeadlineCause", prints: "breaker by deadline",
		make: func(*origin) *breaker.Breaker { return breaker.BreakByDeadlineCause(inAnHour(), errA) },
		end:  passHour, cause: errA, timed: true,
	}, {
		name: "BreakByIdle", prints: "breaker by idle",
		make: func(*origin) *breaker.Breaker { return &breaker.BreakByIdle(time.Hour).Breaker },
		end:  passHour, cause: context.DeadlineExceeded, timed: true,
	}, {
		name: "BreakByContext", prints: "breaker by context",
		make: func(o *origin) *breaker.Breaker { return breaker.BreakByContext(o.ctx, nil) },
		end:  func(o *origin) { o.cancel(errA) }, cause: errA, err: context.Canceled,
	}, {
		name: "BreakByContext with its cancel", prints: "breaker by context",
		make: func(*origin) *breaker.Breaker {
			return breaker.BreakByContext(context.WithTimeout(context.Background(), time.Hour))
		},
		end: passHour, cause: context.DeadlineExceeded, err: context.DeadlineExceeded, timed: true,
	}, {
		name: "BreakByContext of a foreign one", prints: "breaker by context",
		make: func(o *origin) *breaker.Breaker { return breaker.BreakByContext(o.foreign, nil) },
		end:  func(o *origin) { o.foreign.end(errForeign) }, cause: errForeign, err: errForeign,
	}, {
		name: "BreakByContext of a view", prints: "breaker by context",
		make: func(o *origin) *breaker.Breaker {
			return breaker.BreakByContext(breaker.ToContext(o.parent), nil)
		},
		end: (*origin).tripParent, cause: errA, err: context.Canceled,
	}, {
		name: "BreakByChannel, closed", prints: "breaker by channel",
		make: func(o *origin) *breaker.Breaker { return breaker.BreakByChannel(o.signal) },
		end:  func(o *origin) { close(o.signal) }, cause: breaker.Interrupted, watcher: true,
	}, {
		name: "BreakByChannel, received from", prints: "breaker by channel",
		make: func(o *origin) *breaker.Breaker { return breaker.BreakByChannel(o.signal) },
		end:  func(o *origin) { o.signal <- struct{}{} }, cause: breaker.Interrupted, watcher: true,
	}, {
		name: "BreakBySignal", prints: "breaker by signal",
		make: func(*origin) *breaker.Breaker { return breaker.BreakBySignal(harmless) },
		end:  raise, cause: breaker.SignalError{Signal: harmless}, watcher: true, sent: true,
	}, {
		name: "Multiplex", prints: "breaker by multiplex",
		make: func(o *origin) *breaker.Breaker {
			return breaker.Multiplex(breaker.New(), breaker.NopCloser(o.parent))
		},
		end: (*origin).tripParent, cause: errA,
	}, {
		name: "Multiplex of a timeout", prints: "breaker by multiplex",
		make: func(o *origin) *breaker.Breaker {
			return breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.NopCloser(o.parent))
		},
		end: passHour, cause: context.DeadlineExceeded, timed: true,
	}, {
		name: "Any", prints: "breaker by multiplex",
		make: func(o *origin) *breaker.Breaker { return breaker.Any(breaker.New(), o.parent) },
		end:  (*origin).tripParent, cause: errA,
	}, {
		name: "Within", prints: "breaker within",
		make: func(o *origin) *breaker.Breaker { return breaker.Within(o.ctx, time.Hour, o.parent) },
		end:  (*origin).tripParent, cause: errA, timed: true,
	}}
}

// sources ranges over the names of the table, and functions that make an open breaker.
func sources(yield func(string, func() *breaker.Breaker) bool) {
	for _, s := range everySource() {
		if !yield(s.name, func() *breaker.Breaker { return s.make(newOrigin()) }) {
			return
		}
	}
}

// promise 2, promise 14, promise 23: each is open, and knows its deadline from the beginning.
func TestSources_BeginOpen(t *testing.T) {
	for _, s := range everySource() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := time.Now().Add(time.Hour)
				br := s.make(newOrigin())
				for range 2 {
					assertOpen(t, br)
					at, timed := br.Deadline()
					assert.Equal(t, s.timed, timed)
					if timed {
						assert.True(t, at.Equal(want), "the deadline is %v", at)
					}
				}
				br.Close()
			})
		})
	}
}

// promise 4, promise 5, promise 6, promise 10: each trips by its source, says so, runs its
// callbacks once, and then holds nothing.
func TestSources_Trip(t *testing.T) {
	for _, s := range everySource() {
		for _, waited := range []bool{false, true} {
			if s.end == nil {
				continue
			}
			t.Run(s.name+waitedText(waited), func(t *testing.T) {
				requireGoroutines(t, 0)
				synctest.Test(t, func(t *testing.T) {
					o := newOrigin()
					br, calls := s.make(o), 0
					if waited {
						br.OnTrip(func() { calls++ })
					}
					outer := breaker.Any(br)
					require.NoError(t, br.Err())
					s.end(o)
					if s.sent {
						testkit.Await(t, "the signal arrives", func() bool { return br.Err() != nil })
					}
					synctest.Wait()
					for _, br := range []*breaker.Breaker{br, outer} {
						require.ErrorIs(t, br.Cause(), s.cause)
						assertClosed(t, br, br.Cause())
					}
					assert.True(t, br.Cause() == outer.Cause())
					if s.err == nil {
						assert.True(t, br.Err() == breaker.Interrupted)
					} else {
						assert.ErrorIs(t, br.Err(), s.err)
					}
					assert.True(t, outer.Err() == breaker.Interrupted)
					if waited {
						assert.Equal(t, 1, calls)
					}
					assert.Zero(t, registrations(o.parent))
					assert.Zero(t, o.foreign.registered())
				})
				requireGoroutines(t, 0)
			})
		}
	}
}

func waitedText(waited bool) string {
	if waited {
		return ", waited for"
	}
	return ""
}

// promise 2, promise 9: a source that has ended since the constructor has tripped its breaker for
// the first that waits, in each way there is to wait.
func TestSources_EndedSinceTheConstructor(t *testing.T) {
	for _, s := range everySource() {
		if s.end == nil || s.sent {
			continue
		}
		for name, tripped := range waits {
			t.Run(s.name+", by "+name, func(t *testing.T) {
				requireGoroutines(t, 0)
				synctest.Test(t, func(t *testing.T) {
					o := newOrigin()
					br := s.make(o)
					s.end(o)
					if s.timed {
						synctest.Wait()
					}
					require.True(t, tripped(br))
					require.ErrorIs(t, br.Cause(), s.cause)
					require.Zero(t, testkit.Goroutines(testkit.Library))
				})
			})
		}
	}
}

// waits are the ways to wait for a breaker. Each reports whether there was nothing to wait for.
var waits = map[string]func(*breaker.Breaker) bool{
	"Done":      func(br *breaker.Breaker) bool { return isShut(br.Done()) },
	"NopCloser": func(br *breaker.Breaker) bool { return isShut(breaker.NopCloser(br).Done()) },
	"ToContext": func(br *breaker.Breaker) bool { return isShut(breaker.ToContext(br).Done()) },
	"BreakByContext": func(br *breaker.Breaker) bool {
		return isShut(breaker.BreakByContext(breaker.ToContext(br), nil).Done())
	},
	"Multiplex": func(br *breaker.Breaker) bool {
		return breaker.Multiplex(breaker.New(), br, breaker.New()).State() == breaker.Closed
	},
	"OnTrip": func(br *breaker.Breaker) (ran bool) {
		br.OnTrip(func() { ran = true })
		return ran
	},
	"AfterFunc": func(br *breaker.Breaker) bool {
		ctx, cancel := context.WithCancel(breaker.ToContext(br))
		defer cancel()
		return isShut(ctx.Done())
	},
}

// promise 3, promise 10: when Trip or Close returns, Done is closed and nothing is held. In
// between, callbacks find the breaker tripped.
func TestSources_CloseSynchronously(t *testing.T) {
	for _, s := range everySource() {
		for _, waited := range []bool{false, true} {
			for _, trip := range []bool{false, true} {
				t.Run(s.name+waitedText(waited), func(t *testing.T) {
					o := newOrigin()
					br, cause, calls := s.make(o), breaker.ErrClosed, 0
					assert.NoError(t, br.Err())
					if waited {
						assert.False(t, isShut(br.Done()))
						br.OnTrip(func() {
							calls++
							assert.Equal(t, breaker.Tripped, br.State())
							assert.ErrorIs(t, br.Err(), breaker.Interrupted)
							assert.True(t, isShut(br.Done()))
							assert.True(t, br.IsReleased())
						})
					}
					assert.False(t, br.IsReleased())
					if trip {
						cause = errA
						assert.True(t, br.Trip(cause))
					}
					br.Close()
					assertClosed(t, br, cause)
					assert.True(t, br.IsReleased())
					assert.Equal(t, waited, calls == 1)
					assert.Zero(t, registrations(o.parent))
					assert.Zero(t, o.foreign.registered())
					requireGoroutines(t, 0)
				})
			}
		}
	}
}

// promise 10: a source that goes on, and others wait for, holds neither a closed breaker nor its
// callbacks.
func TestSources_ReleaseWhenClosed(t *testing.T) {
	for _, s := range everySource() {
		t.Run(s.name, func(t *testing.T) {
			o := newOrigin()
			stays := s.make(o)
			stays.Done()
			br, seen := s.make(o), new([1 << 10]byte)
			br.OnTrip(func() { seen[0]++ })
			whole, callback := weak.Make(br), weak.Make(seen)
			br.Close()
			testkit.Await(t, "the callback is collected", func() bool {
				runtime.GC()
				return callback.Value() == nil
			})
			runtime.KeepAlive(br)
			testkit.Await(t, "the breaker is collected", func() bool {
				// The runtime keeps timers that have been stopped, and what they call, as
				// long as they are fewer than a quarter of a P's timers.
				for range 100 {
					time.AfterFunc(time.Hour, func() {}).Stop()
				}
				runtime.GC()
				return whole.Value() == nil
			})
			assertOpen(t, stays)
			stays.Close()
			requireGoroutines(t, 0)
			runtime.KeepAlive(o)
		})
	}
}

// promise 11: no goroutine while a breaker is only polled, and none that is waited on either, but
// for signals and channels.
func TestSources_NeedNoGoroutine(t *testing.T) {
	for _, s := range everySource() {
		if s.sent {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			requireGoroutines(t, 0)
			before, o := testkit.AllGoroutines(), newOrigin()
			all := make([]*breaker.Breaker, 1000)
			for i := range all {
				all[i] = s.make(o)
				require.NoError(t, all[i].Err())
			}
			require.Zero(t, testkit.Goroutines(testkit.Library))
			if !s.watcher {
				for _, br := range all {
					br.Done()
					br.OnTrip(func() {})
				}
				testkit.AwaitAtMost(t, before)
				require.Zero(t, testkit.Goroutines(testkit.Library))
			}
			closeAll(all)
		})
	}
}

// promise 6: late is not too late, also where the source came first.
func TestSources_RunLateCallbacks(t *testing.T) {
	for _, s := range everySource() {
		if s.end == nil || s.sent {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOrigin()
				br, ran := s.make(o), 0
				s.end(o)
				synctest.Wait()
				stop := br.OnTrip(func() {
					ran = goroutineID()
					assert.True(t, isShut(br.Done()))
					assert.ErrorIs(t, br.Cause(), s.cause)
				})
				assert.Equal(t, goroutineID(), ran)
				assert.False(t, stop(), "it has run")
			})
		})
	}
}

// promise 8: a callback that panics keeps neither the others from running nor anything held.
func TestSources_SurvivePanics(t *testing.T) {
	for _, s := range everySource() {
		for way, end := range map[string]func(*breaker.Breaker){
			"Close": (*breaker.Breaker).Close,
			"Trip":  func(br *breaker.Breaker) { br.Trip(breaker.ErrClosed) },
		} {
			t.Run(s.name+", "+way, func(t *testing.T) {
				o := newOrigin()
				br, calls := s.make(o), 0
				for i := range 9 {
					br.OnTrip(func() {
						if calls++; i%3 == 1 {
							panic(errB)
						}
					})
				}
				assert.Equal(t, errB, catch(func() { end(br) }))
				assert.Equal(t, 9, calls)
				assertClosed(t, br, breaker.ErrClosed)
				assert.Zero(t, registrations(o.parent))
				assert.Zero(t, o.foreign.registered())
				requireGoroutines(t, 0)
			})
		}
	}
}

// promise 27: each says what it is, in which state, until when and why.
func TestSources_Print(t *testing.T) {
	for _, s := range everySource() {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where time begins with the year 2000
				at := ""
				if s.timed {
					at = ", deadline " + time.Now().Add(time.Hour).Format(time.RFC3339Nano)
				}
				for cause, trip := range map[error]func(*breaker.Breaker){
					errA:              func(br *breaker.Breaker) { br.Trip(errA) },
					breaker.ErrClosed: (*breaker.Breaker).Close,
				} {
					br := s.make(newOrigin())
					assert.Equal(t, s.prints+": open"+at, br.String())
					trip(br)
					assert.Equal(t, s.prints+": closed"+at+", cause: "+cause.Error(), br.String())
				}
			})
		})
	}
}

// promise 20: a copy of what a constructor made panics at its first use, whichever that is, and the
// original lives.
func TestSources_PanicWhenCopied(t *testing.T) {
	all := append(everySource(), source{
		name: "tripped",
		make: func(*origin) *breaker.Breaker { return breaker.BreakByTimeout(0) },
	})
	for _, s := range all {
		for name, use := range uses {
			for _, waited := range []bool{false, true} {
				original := s.make(newOrigin())
				if waited {
					original.Done()
				}
				neighbours := struct {
					before [8]uint64
					breaker.Breaker
					after [8]uint64
				}{}
				copyBreaker(&neighbours.Breaker, original)
				text, _ := catch(func() { use(&neighbours.Breaker) }).(string)
				assert.Contains(t, text, "copied by value", "%s of %s", name, s.name)
				assert.Zero(t, neighbours.before)
				assert.Zero(t, neighbours.after)
				original.Close()
				assert.Error(t, original.Err())
			}
		}
	}
}
