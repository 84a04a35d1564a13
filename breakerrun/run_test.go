package breakerrun_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerrun"
)

// outcomes returns what the error says of each part, as "part outcome", in its order.
func outcomes(err error) (all []string) {
	var errs breakerrun.Errors
	if errors.As(err, &errs) {
		for _, part := range errs {
			all = append(all, part.Part+" "+part.Outcome.String())
		}
	}
	return all
}

// Each stage begins when the one before has ended, however the parts were given.
func TestRun_Order(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := breaker.New()
		var j journal
		slow := func(name string, d time.Duration) func(stop, cut breaker.Interface) error {
			return func(stop, cut breaker.Interface) error {
				<-stop.Done()
				j.add(name + " drains")
				<-breaker.BreakByTimeout(d).Done()
				j.add(name + " done")
				return nil
			}
		}
		ended := run(breakerrun.New(), stop,
			breakerrun.Server("admin", slow("admin", 0), breakerrun.WithStage(breakerrun.Admin)),
			breakerrun.Worker("late", slow("late", time.Second), breakerrun.WithStage(breakerrun.Work+1)),
			breakerrun.Worker("worker", slow("worker", time.Second)),
			breakerrun.Server("public", slow("public", 2*time.Second)),
			breakerrun.Server("other", slow("other", time.Second)),
			breakerrun.Readiness("ready", func(on bool) { j.add(fmt.Sprint("ready ", on)) }, 3*time.Second),
		)
		synctest.Wait()
		assert.Equal(t, []string{"ready true"}, j.all())
		began := time.Now()
		stop.Close()
		assert.NoError(t, <-ended)
		// 3 + 2 + 1 + 1: the two servers drain together.
		assert.Equal(t, 7*time.Second, time.Since(began))
		all := j.all()
		require.Len(t, all, 12)
		assert.Equal(t, "ready false", all[1])
		assert.ElementsMatch(t, []string{"public drains", "other drains"}, all[2:4])
		assert.Equal(t, []string{
			"other done", "public done", "worker drains", "worker done", "late drains", "late done", "admin drains", "admin done",
		}, all[4:])
	})
}

// In a tight loop with real time, and the race detector where it is on: nobody drains before its
// turn.
func TestRun_OrderHolds(t *testing.T) {
	for range 1000 {
		stop := breaker.New()
		var j journal
		ended := run(breakerrun.New(), stop,
			breakerrun.Worker("b", j.steady("b")),
			breakerrun.Worker("c", j.steady("c"), breakerrun.WithStage(breakerrun.Admin)),
			breakerrun.Server("a", j.steady("a")),
		)
		stop.Close()
		require.NoError(t, receive(t, ended))
		require.Equal(t, []string{"a", "b", "c"}, j.all())
	}
}

func TestRun_Ends(t *testing.T) {
	t.Run("when all parts are done", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		began := time.Now()
		set := make(chan bool, 2)
		done := func(_, _ breaker.Interface) error { return nil }
		assert.NoError(t, breakerrun.Run(stop, breakerrun.Worker("one", done), breakerrun.Server("two", done),
			breakerrun.Readiness("ready", func(on bool) { set <- on }, time.Hour)))
		assert.Less(t, time.Since(began), patience) // there is nothing to wait for
		assert.NoError(t, stop.Err())
	})
	t.Run("without parts", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		assert.NoError(t, breakerrun.Run(stop))
	})
	t.Run("when it had been stopped before", func(t *testing.T) {
		stop := breaker.New()
		stop.Close()
		var j journal
		assert.NoError(t, breakerrun.Run(stop, breakerrun.Worker("one", j.steady("one")),
			breakerrun.Readiness("ready", func(on bool) { j.add(fmt.Sprint(on)) }, 0)))
		assert.Contains(t, j.all(), "one")    // it ran: a server has a listener to close
		assert.NotContains(t, j.all(), "yes") // and was never ready for long
	})
	t.Run("when a part wants it", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		var cause error
		assert.NoError(t, breakerrun.Run(stop,
			breakerrun.Worker("main", func(_, _ breaker.Interface) error { return fmt.Errorf("done: %w", breakerrun.StopAll) }),
			breakerrun.Server("other", func(stop, _ breaker.Interface) error {
				<-stop.Done()
				cause = stop.Cause()
				return nil
			})))
		assert.Equal(t, breakerrun.StopAll, cause)
		assert.ErrorIs(t, cause, breaker.Interrupted)
		assert.ErrorIs(t, cause, context.Canceled)
	})
	t.Run("but not when one part is done", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop := breaker.New()
			ended := run(breakerrun.New(), stop,
				breakerrun.Worker("once", func(_, _ breaker.Interface) error { return nil }),
				breakerrun.Worker("other", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil }))
			synctest.Wait()
			assert.Empty(t, ended)
			stop.Close()
			assert.NoError(t, <-ended)
		})
	})
}

// What a part is told.
func TestRun_Causes(t *testing.T) {
	process := breaker.New()
	process.Trip(errBoom)
	var cause, canceled error
	var closed bool
	assert.NoError(t, breakerrun.Run(process, breakerrun.Worker("w", func(stop, cut breaker.Interface) error {
		<-stop.Done()
		cause, canceled = stop.Cause(), breaker.ToContext(stop).Err()
		stop.Close()
		cut.Close() // lent: it does nothing
		closed = cut.Err() != nil
		return stop.Err()
	})))
	assert.Equal(t, errBoom, cause)
	assert.Equal(t, context.Canceled, canceled)
	assert.False(t, closed)
}

// The first part that fails stops the others, stage by stage, and one error names it.
func TestRun_Failure(t *testing.T) {
	timeout := fmt.Errorf("dial: %w", context.DeadlineExceeded)
	stop := breaker.New()
	defer stop.Close()
	var j journal
	var cause, ctxErr error
	err := breakerrun.Run(stop,
		breakerrun.Worker("importer", func(_, _ breaker.Interface) error { return timeout }),
		breakerrun.Server("public", j.steady("public")),
		breakerrun.Server("admin", func(stop, _ breaker.Interface) error {
			<-stop.Done()
			j.add("admin")
			cause, ctxErr = stop.Cause(), breaker.ToContext(stop).Err()
			return nil
		}, breakerrun.WithStage(breakerrun.Admin)),
	)
	assert.EqualError(t, err, "breakerrun: importer: failed: dial: context deadline exceeded")
	assert.ErrorIs(t, err, timeout)
	assert.Equal(t, []string{"public", "admin"}, j.all())
	assert.NoError(t, stop.Err())

	var part *breakerrun.PartError
	require.ErrorAs(t, cause, &part)
	assert.Equal(t, "importer", part.Part)
	assert.ErrorContains(t, cause, "importer: failed: dial")
	assert.ErrorIs(t, cause, breaker.Interrupted)
	assert.ErrorIs(t, cause, context.Canceled)
	assert.Equal(t, context.Canceled, ctxErr) // it is the importer whose time was over
}

// Whatever fails while the others drain is said, too, in the order in which it happened.
func TestRun_Failures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := breaker.New()
		ended := run(breakerrun.New(), stop,
			breakerrun.Worker("second", func(stop, _ breaker.Interface) error { <-stop.Done(); return io.ErrUnexpectedEOF }),
			breakerrun.Server("first", func(stop, _ breaker.Interface) error { <-stop.Done(); return errBoom }))
		stop.Close()
		err := <-ended
		assert.EqualError(t, err, "breakerrun: first: failed: boom; second: failed: unexpected EOF")
		assert.ErrorIs(t, err, errBoom)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotErrorIs(t, err, io.EOF)
	})
}

// Of a worker, an error that says no more than that it was stopped is none. Of a server it is.
func TestRun_Interrupted(t *testing.T) {
	for name, of := range map[string]func(stop breaker.Interface) error{
		"Err":           func(stop breaker.Interface) error { return stop.Err() },
		"Cause":         func(stop breaker.Interface) error { return stop.Cause() },
		"context":       func(stop breaker.Interface) error { return breaker.ToContext(stop).Err() },
		"wrapped":       func(stop breaker.Interface) error { return fmt.Errorf("poll: %w", stop.Err()) },
		"another cause": func(stop breaker.Interface) error { return context.Cause(breaker.ToContext(stop)) },
	} {
		t.Run(name, func(t *testing.T) {
			stop := breaker.New()
			stop.Trip(errBoom)
			f := func(stop, _ breaker.Interface) error { <-stop.Done(); return of(stop) }
			assert.NoError(t, breakerrun.Run(stop, breakerrun.Worker("w", f)))
			assert.Equal(t, []string{"s failed"}, outcomes(breakerrun.Run(stop, breakerrun.Server("s", f))))
		})
	}
	t.Run("before it was stopped", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		err := breakerrun.Run(stop, breakerrun.Worker("w", func(_, _ breaker.Interface) error { return context.Canceled }))
		assert.Equal(t, []string{"w failed"}, outcomes(err))
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("a worker stopped because another failed", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		err := breakerrun.Run(stop,
			breakerrun.Worker("w", func(stop, _ breaker.Interface) error { <-stop.Done(); return stop.Cause() }),
			breakerrun.Worker("x", func(_, _ breaker.Interface) error { return errBoom }))
		assert.Equal(t, []string{"x failed"}, outcomes(err))
	})
}

// The limits: of the whole, of a part, and of the cut.
func TestRun_Cuts(t *testing.T) {
	obedient := func(stop, cut breaker.Interface) error { <-cut.Done(); return nil }
	honest := func(stop, cut breaker.Interface) error { <-cut.Done(); return cut.Cause() }
	never := make(chan struct{})
	const moment = 50 * time.Millisecond // for what has no time to show that it needs none
	tests := map[string]struct {
		runner *breakerrun.Runner
		parts  func() []breakerrun.Part
		takes  time.Duration
		want   []string
	}{
		"the grace period of the whole": {
			runner: breakerrun.New(breakerrun.WithGrace(5 * time.Second)),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{breakerrun.Worker("a", obedient), breakerrun.Worker("b", honest, breakerrun.WithStage(1000))}
			},
			takes: 5*time.Second + moment, // b is cut as soon as it is stopped
			want:  []string{"a cut", "b cut"},
		},
		"by default": {
			runner: breakerrun.New(),
			parts:  func() []breakerrun.Part { return []breakerrun.Part{breakerrun.Worker("a", honest)} },
			takes:  20 * time.Second,
			want:   []string{"a cut"},
		},
		"the limit of a part": {
			runner: breakerrun.New(),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{
					breakerrun.Worker("a", obedient, breakerrun.WithLimit(time.Second)),
					breakerrun.Worker("b", obedient, breakerrun.WithLimit(2*time.Second)),
					breakerrun.Worker("c", obedient, breakerrun.WithLimit(0), breakerrun.WithStage(1000)),
				}
			},
			takes: 2*time.Second + moment,
			want:  []string{"a cut", "b cut", "c cut"},
		},
		"the limit of a part doesn't extend the whole": {
			runner: breakerrun.New(breakerrun.WithGrace(time.Second)),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{breakerrun.Worker("a", obedient, breakerrun.WithLimit(time.Hour))}
			},
			takes: time.Second,
			want:  []string{"a cut"},
		},
		"no grace at all": {
			runner: breakerrun.New(breakerrun.WithGrace(0)),
			parts:  func() []breakerrun.Part { return []breakerrun.Part{breakerrun.Worker("a", honest)} },
			takes:  moment,
			want:   []string{"a cut"},
		},
		"a server knows what was cut": {
			runner: breakerrun.New(breakerrun.WithGrace(time.Second)),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{breakerrun.Server("idle", obedient), breakerrun.Server("busy", honest)}
			},
			takes: time.Second,
			want:  []string{"busy cut"},
		},
		"the delay of readiness": {
			runner: breakerrun.New(breakerrun.WithGrace(time.Second)),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{
					breakerrun.Readiness("ready", func(bool) {}, time.Hour),
					breakerrun.Server("s", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil }),
				}
			},
			takes: time.Second, // cut short, and that is no loss
		},
		"a part that ignores its breakers": {
			runner: breakerrun.New(breakerrun.WithGrace(time.Second), breakerrun.WithCutTimeout(3*time.Second)),
			parts: func() []breakerrun.Part {
				return []breakerrun.Part{
					breakerrun.Server("deaf", deaf(never)), breakerrun.Worker("deaf, too", deaf(never)),
					breakerrun.Worker("innocent", func(stop, _ breaker.Interface) error { <-stop.Done(); return stop.Err() },
						breakerrun.WithStage(1000)),
				}
			},
			// The grace period, and a cut timeout for each of the deaf stages.
			takes: 7 * time.Second,
			// The last one had no time, and needed none.
			want: []string{"deaf abandoned", "deaf, too abandoned"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			never = make(chan struct{})
			synctest.Test(t, func(t *testing.T) {
				stop := breaker.New()
				never = make(chan struct{})
				ended := run(tt.runner, stop, tt.parts()...)
				synctest.Wait()
				began := time.Now()
				stop.Close()
				err := <-ended
				assert.Equal(t, tt.takes, time.Since(began))
				// Those of one stage end in any order.
				assert.ElementsMatch(t, tt.want, outcomes(err))
				if len(tt.want) > 0 {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.ErrorIs(t, err, breaker.Interrupted)
				} else {
					assert.NoError(t, err)
				}
				close(never)
			})
		})
	}
}

func TestRun_CutByBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cut := breaker.New(), breaker.New()
		// A callback of others that blocks delays nothing.
		release := make(chan struct{})
		stop.OnTrip(func() { <-release })
		ended := run(breakerrun.New(breakerrun.WithCut(cut)), stop,
			breakerrun.Worker("a", func(_, cut breaker.Interface) error { <-cut.Done(); return cut.Cause() }),
			breakerrun.Server("b", func(stop, _ breaker.Interface) error {
				<-stop.Done()
				stop.OnTrip(func() {}) // late
				return nil
			}))
		synctest.Wait()
		began := time.Now()
		go stop.Close()
		synctest.Wait()
		cut.Trip(errBoom)
		err := <-ended
		assert.Zero(t, time.Since(began))
		assert.EqualError(t, err, "breakerrun: a: cut (boom): boom")
		var part *breakerrun.PartError
		require.ErrorAs(t, err, &part)
		assert.Equal(t, errBoom, part.Cause)
		close(release)
	})
}

// A callback of a part on its own stop that blocks costs that part its life, not the others theirs.
func TestRun_BlockedCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, release := breaker.New(), make(chan struct{})
		ended := run(breakerrun.New(), stop,
			breakerrun.Server("a", func(stop, _ breaker.Interface) error {
				stop.OnTrip(func() { <-release })
				<-stop.Done()
				return nil
			}),
			breakerrun.Worker("b", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil }))
		synctest.Wait()
		stop.Close()
		synctest.Wait()
		close(release)
		assert.NoError(t, <-ended)
	})
}

func TestRun_Panics(t *testing.T) {
	surface := func(stop breaker.Interface, parts ...breakerrun.Part) (p *breakerrun.PanicError) {
		defer func() {
			v, ok := recover().(*breakerrun.PanicError)
			if ok {
				p = v
			}
		}()
		_ = breakerrun.Run(stop, parts...)
		return nil
	}
	t.Run("of a worker", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		var j journal
		p := surface(stop,
			breakerrun.Worker("bad", func(_, _ breaker.Interface) error { panic(errBoom) }),
			breakerrun.Server("public", j.steady("public")),
			breakerrun.Worker("other", func(stop, _ breaker.Interface) error { <-stop.Done(); return io.ErrUnexpectedEOF }))
		require.NotNil(t, p)
		assert.Equal(t, "bad", p.Part)
		assert.Equal(t, errBoom, p.Value)
		assert.ErrorIs(t, p, errBoom)
		assert.Contains(t, string(p.Stack), "TestRun_Panics")
		assert.ErrorContains(t, p, "bad panicked: boom")
		assert.Equal(t, []string{"other failed"}, outcomes(p.Others))
		assert.ErrorContains(t, p, "other: failed: unexpected EOF")
		assert.Equal(t, []string{"public"}, j.all()) // shut down before
	})
	t.Run("with nil, and while draining", func(t *testing.T) {
		stop := breaker.New()
		stop.Close()
		p := surface(stop, breakerrun.Worker("bad", func(stop, _ breaker.Interface) error {
			<-stop.Done()
			panic(nil) //nolint:govet // it happens
		}))
		require.NotNil(t, p)
		assert.IsType(t, (*runtime.PanicNilError)(nil), p.Value)
	})
	t.Run("of two", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		f := func(_, _ breaker.Interface) error { panic("x") }
		p := surface(stop, breakerrun.Worker("a", f), breakerrun.Worker("b", f))
		require.NotNil(t, p)
		require.Len(t, p.Others, 1)
		var other *breakerrun.PanicError
		require.ErrorAs(t, p.Others, &other)
		assert.NotEqual(t, p.Part, other.Part)
	})
	for name, part := range map[string]breakerrun.Part{
		"of serve": breakerrun.Graceful("bad", func() error { panic("x") },
			func(context.Context) error { return nil }, func() error { return nil }),
		"of readiness": breakerrun.Readiness("bad", func(bool) { panic("x") }, 0),
		"of a callback": breakerrun.Worker("bad", func(stop, _ breaker.Interface) error {
			stop.OnTrip(func() { panic("x") })
			return nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			stop := breaker.New()
			defer stop.Close()
			p := surface(stop, part, breakerrun.Worker("other", func(stop, _ breaker.Interface) error {
				if name == "of a callback" {
					return nil
				}
				<-stop.Done()
				return nil
			}))
			require.NotNil(t, p)
			assert.Equal(t, "bad", p.Part)
			assert.Equal(t, "x", p.Value)
			assert.Empty(t, p.Others)
		})
	}
	t.Run("of drain and cut", func(t *testing.T) {
		stop := breaker.New()
		stop.Close()
		served := make(chan struct{})
		p := surface(stop, breakerrun.Graceful("bad", func() error { <-served; return nil },
			func(ctx context.Context) error { <-ctx.Done(); close(served); return nil },
			func() error { panic("cut") }, breakerrun.WithLimit(0)))
		require.NotNil(t, p)
		assert.Equal(t, "cut", p.Value)
	})
	t.Run("runtime.Goexit", func(t *testing.T) {
		stop := breaker.New()
		defer stop.Close()
		err := breakerrun.Run(stop,
			breakerrun.Worker("gone", func(_, _ breaker.Interface) error { runtime.Goexit(); return nil }),
			breakerrun.Worker("other", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil }))
		assert.Equal(t, []string{"gone failed"}, outcomes(err))
		assert.ErrorIs(t, err, breakerrun.ErrGoexit)
	})
}

// A Run is a part of another one.
func TestRun_Nested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := breaker.New()
		inner := func(stop, cut breaker.Interface) error {
			return breakerrun.New(breakerrun.WithCut(cut), breakerrun.WithSignals(), breakerrun.WithGrace(time.Hour)).Run(stop,
				breakerrun.Worker("job", func(_, cut breaker.Interface) error { <-cut.Done(); return nil }))
		}
		ended := run(breakerrun.New(), stop, breakerrun.Server("shop", inner))
		synctest.Wait()
		stop.Close()
		err := <-ended
		assert.Equal(t, []string{"shop cut"}, outcomes(err))
		assert.ErrorContains(t, err, "job: cut")
	})
}

// Run of one Runner, many times at once, ended by all there is.
func TestRun_Concurrently(t *testing.T) {
	r := breakerrun.New(breakerrun.WithGrace(time.Millisecond), breakerrun.WithCutTimeout(patience))
	for range 200 {
		stop := breaker.New()
		var all []<-chan error
		for range 5 {
			all = append(all, run(r, stop,
				breakerrun.Server("a", func(stop, cut breaker.Interface) error { <-stop.Done(); return errBoom }),
				breakerrun.Worker("b", func(stop, cut breaker.Interface) error { <-cut.Done(); return nil }),
				breakerrun.Server("c", func(stop, cut breaker.Interface) error { return nil }),
				breakerrun.Readiness("r", func(bool) {}, 0)))
		}
		stop.Close()
		for _, ended := range all {
			var errs breakerrun.Errors
			require.ErrorAs(t, receive(t, ended), &errs)
			require.Len(t, errs, 2)
			require.Equal(t, errBoom, errs[0].Err) // whether it was also cut is open
			require.Equal(t, breakerrun.Cut, errs[1].Outcome)
		}
	}
}

func TestRun_Refuses(t *testing.T) {
	stop := breaker.New()
	defer stop.Close()
	var none *breaker.Breaker
	work := func(_, _ breaker.Interface) error { return nil }
	serve, drain := func() error { return nil }, func(context.Context) error { return nil }
	for message, f := range map[string]func(){
		"breakerrun: Run: the breaker stop is nil":                 func() { _ = breakerrun.Run(nil) },
		"breakerrun: Run: part 1 is the zero Part":                 func() { _ = breakerrun.Run(stop, breakerrun.Worker("a", work), breakerrun.Part{}) },
		"breakerrun: New: option 0 is nil":                         func() { breakerrun.New(nil) },
		"breakerrun: WithGrace: the grace period is negative: -1s": func() { breakerrun.WithGrace(-time.Second) },
		"breakerrun: WithCutTimeout: the timeout is negative: -1s": func() { breakerrun.WithCutTimeout(-time.Second) },
		"breakerrun: WithSignalGap: the gap is negative: -1s":      func() { breakerrun.WithSignalGap(-time.Second) },
		"breakerrun: WithSignals: signal 0 is nil":                 func() { breakerrun.WithSignals(nil) },
		"breakerrun: WithCut: the breaker is nil":                  func() { breakerrun.WithCut(none) },
		"breakerrun: WithLimit: the limit is negative: -1s":        func() { breakerrun.WithLimit(-time.Second) },
		"breakerrun: Worker: the name is empty":                    func() { breakerrun.Worker("", work) },
		"breakerrun: Worker: run is nil":                           func() { breakerrun.Worker("a", nil) },
		"breakerrun: Worker: option 0 is nil":                      func() { breakerrun.Worker("a", work, nil) },
		"breakerrun: Server: serve is nil":                         func() { breakerrun.Server("a", nil) },
		"breakerrun: Graceful: serve is nil":                       func() { breakerrun.Graceful("a", nil, drain, serve) },
		"breakerrun: Graceful: drain is nil":                       func() { breakerrun.Graceful("a", serve, nil, serve) },
		"breakerrun: Graceful: cut is nil":                         func() { breakerrun.Graceful("a", serve, drain, nil) },
		"breakerrun: Readiness: set is nil":                        func() { breakerrun.Readiness("a", nil, 0) },
		"breakerrun: Readiness: the delay is negative: -1s":        func() { breakerrun.Readiness("a", func(bool) {}, -time.Second) },
	} {
		assert.PanicsWithValue(t, message, f)
	}
	assert.PanicsWithValue(t, "breakerrun: Run: the breaker stop is nil", func() { _ = breakerrun.Run(none) })
	assert.Equal(t, "Outcome(0)", breakerrun.Outcome(0).String())
}
