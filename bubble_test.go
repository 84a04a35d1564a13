package breaker_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/testkit"
)

// Nothing made inside a bubble is used outside of it, or the other way round: the runtime kills the
// process for it, or the bubble never ends.

// again returns the command that starts the test binary in a process of its own, with that added to
// the environment. It is killed when the patience is over, and ends by itself if the calling
// process doesn't live to do that.
func again(t *testing.T, variable string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, "-test.timeout="+(2*patience).String())
	// The race detector sleeps a second at the end of a process, by default.
	cmd.Env = append(os.Environ(), variable, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=10")
	return cmd
}

// alone starts the calling test again in a process of its own, where nothing has happened before,
// and reports whether this is that process. It also keeps what the runtime kills from taking the
// other tests along.
func alone(t *testing.T) bool {
	t.Helper()
	const variable = "BREAKER_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	cmd := again(t, variable+"="+t.Name())
	cmd.Args = append(cmd.Args, "-test.v", "-test.run=^"+t.Name()+"$", "-test.cpu="+strconv.Itoa(runtime.GOMAXPROCS(0)))
	output, err := cmd.CombinedOutput()
	if len(output) > 2000 {
		output = append(output[:2000], "…"...)
	}
	require.NoError(t, err, "%s", output)
	require.True(t, bytes.Contains(output, []byte("--- PASS: "+t.Name()+" ")), "%s", output)
	return false
}

// useEverything makes a breaker of every kind, has it waited for and tripped, and leaves some open.
func useEverything(t *testing.T) {
	t.Helper()
	const many = 20 // more than one processor keeps to itself
	var all []*breaker.Breaker
	add := func(br *breaker.Breaker) *breaker.Breaker {
		all = append(all, br)
		return br
	}
	signal := make(chan struct{})
	for range many {
		add(breaker.New())
		add(breaker.BreakByChannel(signal))
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		add(breaker.BreakByContext(ctx, cancel))
		add(breaker.BreakByDeadline(time.Now().Add(time.Hour)))
		add(breaker.BreakByTimeout(time.Hour))
		add(breaker.BreakByTimeout(0))
		add(breaker.BreakBySignal(os.Interrupt))
		add(breaker.Multiplex(
			breaker.BreakByTimeout(time.Hour),
			breaker.BreakBySignal(os.Interrupt),
			breaker.BreakByChannel(signal),
			breaker.NopCloser(all[0]),
			breaker.BreakByContext(breaker.ToContext(breaker.New()), nil),
		))
	}
	for _, br := range all {
		br.Done()
		br.OnTrip(func() {})
		ctx, cancel := context.WithTimeout(breaker.ToContext(br), time.Hour)
		defer cancel()
		_, cancel = context.WithCancel(context.WithValue(ctx, keyA{}, "a"))
		defer cancel()
		_ = ctx.Err()
	}
	closeAll(all)
	for _, br := range all {
		require.ErrorIs(t, br.Err(), breaker.Interrupted)
		require.True(t, isShut(br.Done()))
	}
	breaker.BreakByTimeout(time.Hour) // nobody closes it: the timer is garbage
	breaker.BreakByDeadline(time.Now().Add(time.Hour))
}

// Bubbles in a row, next to each other, and real code before, between and after them.
func TestBubble_BesideRealCode(t *testing.T) {
	// promise 16
	requireGoroutines(t, 0)
	useEverything(t)
	for range 3 {
		synctest.Test(t, useEverything)
		useEverything(t)
	}
	requireGoroutines(t, 0)

	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { synctest.Test(t, useEverything) })
		group.Go(func() {
			for range 3 {
				useEverything(t)
			}
		})
	}
	group.Wait()
	requireGoroutines(t, 0)
}

// The same in a process in which a bubble is the first to do anything.
func TestBubble_ComesFirst(t *testing.T) {
	// promise 16
	if alone(t) {
		synctest.Test(t, useEverything)
		useEverything(t)
		synctest.Test(t, useEverything)
		requireGoroutines(t, 0)
	}
}

func TestBubble_ComesSecond(t *testing.T) {
	// promise 16
	if alone(t) {
		useEverything(t)
		synctest.Test(t, useEverything)
		useEverything(t)
		requireGoroutines(t, 0)
	}
}

// In a bubble, timers that were stopped outside would run by the wrong clock, and those of another
// bubble by none.
func TestBubble_StoppedTimersStayOnTheirSide(t *testing.T) {
	// promise 16
	const many = 100
	stopMany := func() {
		all := make([]*breaker.Breaker, many)
		for i := range all {
			all[i] = breaker.BreakByTimeout(time.Hour)
			if i%2 == 0 {
				all[i] = breaker.BreakByDeadline(time.Now().Add(time.Hour))
			}
		}
		closeAll(all)
	}
	fire := func(t *testing.T) {
		start := time.Now()
		for i := range many {
			br := breaker.BreakByTimeout(time.Minute)
			if i%2 == 0 {
				br = breaker.BreakByDeadline(time.Now().Add(time.Minute))
			}
			<-br.Done()
			require.Equal(t, time.Duration(i+1)*time.Minute, time.Since(start))
		}
	}
	for range 3 {
		stopMany()
		synctest.Test(t, func(t *testing.T) {
			fire(t)
			stopMany()
			fire(t)
		})
	}
	stopMany()
}

// A bubble may have any date: tests sleep until the day that they are about.
func TestBubble_AtTheRealTime(t *testing.T) {
	// promise 16
	if !alone(t) {
		return
	}
	useEverything(t)
	now := time.Now()
	for _, at := range []time.Time{now.Add(-time.Hour), now.Add(time.Minute), now.Add(time.Hour), now.Add(1000 * time.Hour)} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(at.Sub(time.Now().Round(0)))
			useEverything(t)
			start := time.Now()
			<-breaker.BreakByTimeout(time.Minute).Done()
			require.Equal(t, time.Minute, time.Since(start))
		})
		useEverything(t)
	}
}

// One channel, made outside, is watched on both sides, each by its own goroutine.
func TestBubble_SharesAChannelWithRealCode(t *testing.T) {
	// promise 16
	requireGoroutines(t, 0)
	signal := make(chan struct{})
	outside := waiting(3, signal)
	requireGoroutines(t, 1)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			inside := waiting(3, signal)
			requireGoroutines(t, 2)
			closeAll(inside)
			requireGoroutines(t, 1)
		})
	}
	for _, br := range outside {
		testkit.RequireOpen(t, br)
	}
	synctest.Test(t, func(t *testing.T) {
		inside := waiting(3, signal)
		close(signal)
		for _, br := range inside {
			<-br.Done()
			requireChannelCause(t, br)
		}
	})
	for _, br := range outside {
		await(t, "the trip outside", br.Done())
		requireChannelCause(t, br)
	}
	requireGoroutines(t, 0)
}

// Two bubbles that run at the same time share a channel made outside.
func TestBubble_SharesAChannelWithAnother(t *testing.T) {
	// promise 16
	requireGoroutines(t, 0)
	signal := make(chan struct{})
	var group sync.WaitGroup
	var ready atomic.Int32
	const bubbles = 2
	for range bubbles {
		group.Go(func() {
			synctest.Test(t, func(t *testing.T) {
				inside := waiting(5, signal)
				ready.Add(1)
				for _, br := range inside {
					<-br.Done()
					assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
				}
			})
		})
	}
	testkit.Await(t, "all bubbles wait", func() bool { return ready.Load() == bubbles })
	requireGoroutines(t, bubbles)
	close(signal)
	group.Wait()
	requireGoroutines(t, 0)
}

// A channel of the bubble's own is watched by a goroutine of the bubble, which blocks durably: time
// goes on, and the bubble ends when the last breaker is closed.
func TestBubble_HasItsOwnChannel(t *testing.T) {
	// promise 11, promise 16
	requireGoroutines(t, 0)
	synctest.Test(t, func(t *testing.T) {
		signal := make(chan struct{})
		all := append(waiting(10, signal), breaker.Multiplex(breaker.BreakByChannel(signal), breaker.BreakByTimeout(time.Hour)))
		synctest.Wait()
		requireGoroutines(t, 1)
		start := time.Now()
		time.Sleep(time.Minute)
		require.Equal(t, time.Minute, time.Since(start))
		for _, br := range all {
			testkit.RequireOpen(t, br)
		}
		signal <- struct{}{}
		synctest.Wait()
		for _, br := range all {
			requireChannelCause(t, br)
		}
		late := waiting(3, signal)
		synctest.Wait()
		for _, br := range late {
			testkit.RequireOpen(t, br)
		}
		closeAll(late)
	})
	requireGoroutines(t, 0)
}

// Time passes in a bubble while a breaker waits for a signal: its goroutine is outside.
func TestBubble_IsNotHeldUpBySignals(t *testing.T) {
	// promise 11, promise 16
	requireGoroutines(t, 0)
	outside := breaker.BreakBySignal(os.Interrupt)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			br := breaker.Multiplex(
				breaker.BreakByTimeout(time.Minute),
				breaker.BreakBySignal(os.Interrupt, os.Kill),
				breaker.BreakBySignal(os.Kill),
			)
			require.NoError(t, br.Err())
			requireGoroutines(t, 2)
			<-br.Done()
			require.Equal(t, time.Minute, time.Since(start))
			require.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
			requireGoroutines(t, 1)

			br = breaker.BreakBySignal(os.Kill) // the first and the last for it are both inside
			synctest.Wait()
			testkit.RequireOpen(t, br)
			br.Close()
		})
		requireGoroutines(t, 1)
		testkit.RequireOpen(t, outside)
	}
	outside.Close()
	requireGoroutines(t, 0)
}

// A breaker of the process is watched from a bubble, by a breaker that is the bubble's.
func TestBubble_UsesABreakerOfTheProcess(t *testing.T) {
	// promise 9, promise 16
	process := breaker.Multiplex(breaker.BreakBySignal(os.Interrupt), breaker.BreakByTimeout(time.Hour))
	defer process.Close()
	done := process.Done()
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			request := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Second))
			<-request.Done()
			require.Equal(t, time.Second, time.Since(start))
			require.NoError(t, process.Err())
		})
	}
	require.False(t, isShut(done))
}

// The first who wait for what can only be asked come at the same time.
func TestBubble_WaitsForASignal(t *testing.T) {
	// promise 11, promise 16, promise 17
	const first = 4
	for name, wait := range map[string]func(*breaker.Breaker){
		"Done":      func(br *breaker.Breaker) { br.Done() },
		"OnTrip":    func(br *breaker.Breaker) { br.OnTrip(func() {}) },
		"Multiplex": func(br *breaker.Breaker) { breaker.Multiplex(breaker.NopCloser(br), breaker.New()).Close() },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					source := breaker.BreakBySignal(os.Kill)
					br := breaker.BreakByContext(breaker.ToContext(breaker.BreakByContext(breaker.ToContext(source), nil)), nil)
					var all sync.WaitGroup
					begin := make(chan struct{})
					for range first {
						all.Go(func() {
							<-begin
							wait(br)
						})
					}
					close(begin)
					all.Wait()
					require.NoError(t, br.Err())
					source.Close()
					require.True(t, isShut(br.Done()), "closed, the source needn't be asked")
					require.Equal(t, breaker.ErrClosed, br.Cause())
				})
			}
		})
	}
	requireGoroutines(t, 0)
}

func TestBubble_HasEveryConstructor(t *testing.T) {
	// promise 16
	for name, test := range map[string]struct {
		make func() breaker.Interface
		trip func(breaker.Interface)
	}{
		"New": {
			make: func() breaker.Interface { return breaker.New() },
			trip: func(br breaker.Interface) { br.(*breaker.Breaker).Trip(nil) },
		},
		"BreakByChannel": {
			make: func() breaker.Interface {
				signal := make(chan struct{})
				time.AfterFunc(time.Minute, func() { close(signal) })
				return breaker.BreakByChannel(signal)
			},
		},
		"BreakByContext": {
			make: func() breaker.Interface {
				return breaker.BreakByContext(context.WithTimeout(context.Background(), time.Minute))
			},
		},
		"BreakByContext of a view": {
			make: func() breaker.Interface {
				return breaker.BreakByContext(breaker.ToContext(breaker.BreakByTimeout(time.Minute)), nil)
			},
		},
		"BreakByDeadline": {make: func() breaker.Interface { return breaker.BreakByDeadline(time.Now().Add(time.Minute)) }},
		"BreakByTimeout":  {make: func() breaker.Interface { return breaker.BreakByTimeout(time.Minute) }},
		"BreakBySignal": {
			make: func() breaker.Interface { return breaker.BreakBySignal(os.Interrupt) },
			trip: func(br breaker.Interface) { br.Close() },
		},
		"Multiplex": {
			make: func() breaker.Interface {
				return breaker.Multiplex(breaker.BreakByTimeout(time.Minute), breaker.BreakByTimeout(time.Hour),
					breaker.BreakBySignal(os.Interrupt), breaker.BreakByChannel(make(chan struct{})), breaker.New())
			},
		},
		"NopCloser": {make: func() breaker.Interface { return breaker.NopCloser(breaker.BreakByTimeout(time.Minute)) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				br := test.make()
				ctx := breaker.ToContext(br)
				derived, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				called := false
				context.AfterFunc(derived, func() { called = true })
				if test.trip != nil {
					time.AfterFunc(time.Minute, func() { test.trip(br) })
				}
				time.Sleep(time.Minute - 1)
				synctest.Wait()
				require.NoError(t, br.Err())
				require.False(t, isShut(br.Done()))
				require.NoError(t, ctx.Err())
				<-br.Done()
				<-derived.Done()
				require.Equal(t, time.Minute, time.Since(start))
				require.ErrorIs(t, br.Err(), breaker.Interrupted)
				require.Error(t, ctx.Err())
				synctest.Wait()
				require.True(t, called)
				br.Close()
			})
			requireGoroutines(t, 0)
		})
	}
}

// A bubble that was left with something open reports it, as it does for anything else: nothing
// hides outside.
func TestBubble_WithSomethingOpen(t *testing.T) {
	// promise 16
	synctest.Test(t, func(t *testing.T) {
		breaker.BreakByTimeout(time.Hour).Done()
		breaker.BreakByChannel(make(chan struct{})) // not waited for: nothing to end
		breaker.Multiplex(breaker.New(), breaker.BreakByDeadline(time.Now().Add(time.Hour)))
	})
	requireGoroutines(t, 0)
}
