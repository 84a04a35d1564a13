package breaker_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// ending is a way for a breaker to end, and what is promised of its errors.
type ending struct {
	name  string
	end   func(t *testing.T) *breaker.Breaker
	cause error // the very one, if it isn't made by the package
	is    []error
	isNot []error
	ours  bool // made by the package
	ctx   error
	// ownErr is what Err matches besides Interrupted; if it is nil, Err is Interrupted itself.
	ownErr error
}

// deadContext has ended with an error that package context doesn't know.
type deadContext struct {
	context.Context
	err error
}

func (c deadContext) Err() error          { return c.err }
func (deadContext) Done() <-chan struct{} { return shut }

var (
	shut = func() <-chan struct{} {
		c := make(chan struct{})
		close(c)
		return c
	}()
	errForeign = errors.New("an error of a foreign context")
)

var endings = []ending{
	{
		name:  "Close",
		end:   func(*testing.T) *breaker.Breaker { return breaker.New() },
		cause: breaker.ErrClosed, ours: true, ctx: context.Canceled,
		isNot: []error{context.DeadlineExceeded},
	}, {
		name: "Trip(err)",
		end: func(t *testing.T) *breaker.Breaker {
			br := breaker.New()
			assert.True(t, br.Trip(errA))
			return br
		},
		cause: errA, ctx: context.Canceled,
		isNot: []error{breaker.Interrupted, breaker.ErrClosed, context.Canceled, context.DeadlineExceeded},
	}, {
		name: "Trip(nil)",
		end: func(t *testing.T) *breaker.Breaker {
			br := breaker.New()
			assert.True(t, br.Trip(nil))
			return br
		},
		cause: breaker.Interrupted, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	}, {
		name: "timeout",
		end: func(*testing.T) *breaker.Breaker {
			br := breaker.BreakByTimeout(time.Second)
			<-br.Done()
			return br
		},
		ours: true, is: []error{context.DeadlineExceeded}, ctx: context.DeadlineExceeded,
		isNot: []error{breaker.ErrClosed, context.Canceled},
	}, {
		name: "timeout of nothing",
		end:  func(*testing.T) *breaker.Breaker { return breaker.BreakByTimeout(0) },
		ours: true, is: []error{context.DeadlineExceeded}, ctx: context.DeadlineExceeded,
		isNot: []error{breaker.ErrClosed, context.Canceled},
	}, {
		name: "deadline",
		end: func(*testing.T) *breaker.Breaker {
			br := breaker.BreakByDeadline(time.Now().Add(time.Second))
			<-br.Done()
			return br
		},
		ours: true, is: []error{context.DeadlineExceeded}, ctx: context.DeadlineExceeded,
		isNot: []error{breaker.ErrClosed, context.Canceled},
	}, {
		name: "deadline in the past",
		end:  func(*testing.T) *breaker.Breaker { return breaker.BreakByDeadline(time.Now().Add(-1)) },
		ours: true, is: []error{context.DeadlineExceeded}, ctx: context.DeadlineExceeded,
		isNot: []error{breaker.ErrClosed, context.Canceled},
	}, {
		name: "channel, asked",
		end: func(t *testing.T) *breaker.Breaker {
			signal := make(chan struct{})
			br := breaker.BreakByChannel(signal)
			close(signal)
			assert.Error(t, br.Err())
			return br
		},
		ours: true, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	}, {
		name: "channel, waited for",
		end: func(*testing.T) *breaker.Breaker {
			signal := make(chan struct{}, 1)
			br := breaker.BreakByChannel(signal)
			done := br.Done()
			signal <- struct{}{}
			<-done
			return br
		},
		ours: true, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	}, {
		name: "nothing to wait for: Multiplex",
		end:  func(*testing.T) *breaker.Breaker { return breaker.Multiplex() },
		ours: true, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	}, {
		name: "nothing to wait for: BreakBySignal",
		end:  func(*testing.T) *breaker.Breaker { return breaker.BreakBySignal() },
		ours: true, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	}, {
		name: "context canceled",
		end: func(t *testing.T) *breaker.Breaker {
			ctx, cancel := context.WithCancel(context.Background())
			br := breaker.BreakByContext(ctx, nil)
			cancel()
			assert.Error(t, br.Err())
			return br
		},
		cause: context.Canceled, ctx: context.Canceled, ownErr: context.Canceled,
	}, {
		name: "context canceled with a cause",
		end: func(*testing.T) *breaker.Breaker {
			ctx, cancel := context.WithCancelCause(context.Background())
			br := breaker.BreakByContext(ctx, nil)
			cancel(errA)
			<-br.Done()
			return br
		},
		cause: errA, ctx: context.Canceled, ownErr: context.Canceled,
	}, {
		name: "context expired",
		end: func(*testing.T) *breaker.Breaker {
			br := breaker.BreakByContext(context.WithTimeout(context.Background(), time.Second))
			<-br.Done()
			return br
		},
		cause: context.DeadlineExceeded, ctx: context.DeadlineExceeded, ownErr: context.DeadlineExceeded,
	}, {
		name: "context expired with a cause",
		end: func(*testing.T) *breaker.Breaker {
			br := breaker.BreakByContext(context.WithTimeoutCause(context.Background(), time.Second, errA))
			<-br.Done()
			return br
		},
		cause: errA, ctx: context.DeadlineExceeded, ownErr: context.DeadlineExceeded,
	}, {
		name: "context of someone else",
		end: func(*testing.T) *breaker.Breaker {
			return breaker.BreakByContext(deadContext{context.Background(), errForeign}, nil)
		},
		cause: errForeign, ctx: context.Canceled, ownErr: errForeign,
	}, {
		name: "context, closed with it",
		end: func(*testing.T) *breaker.Breaker {
			br := breaker.BreakByContext(context.WithCancel(context.Background()))
			br.Close()
			return br
		},
		cause: breaker.ErrClosed, ours: true, ctx: context.Canceled, ownErr: context.Canceled,
	}, {
		name: "context, closed without it",
		end: func(t *testing.T) *breaker.Breaker {
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			br := breaker.BreakByContext(ctx, nil)
			br.Close()
			return br
		},
		cause: breaker.ErrClosed, ours: true, ctx: context.Canceled,
	}, {
		name: "view of an expired one",
		end: func(*testing.T) *breaker.Breaker {
			return breaker.BreakByContext(breaker.ToContext(breaker.BreakByTimeout(0)), nil)
		},
		ours: true, is: []error{context.DeadlineExceeded}, ctx: context.DeadlineExceeded, ownErr: context.DeadlineExceeded,
	}, {
		name: "view of one that was tripped",
		end: func(*testing.T) *breaker.Breaker {
			behind := breaker.New()
			br := breaker.BreakByContext(breaker.ToContext(behind), nil)
			behind.Trip(errA)
			return br
		},
		cause: errA, ctx: context.Canceled, ownErr: context.Canceled,
	}, {
		name: "Trip with a signal",
		end: func(t *testing.T) *breaker.Breaker {
			br := breaker.New()
			assert.True(t, br.Trip(breaker.SignalError{Signal: os.Interrupt}))
			return br
		},
		ours: true, ctx: context.Canceled,
		isNot: []error{breaker.ErrClosed, context.DeadlineExceeded},
	},
}

// promise 4: the cause of each source, and what it matches.
// promise 5: Err is Interrupted, or matches it.
func TestErrors_OfEverySource(t *testing.T) {
	for _, ending := range endings {
		t.Run(ending.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				br := ending.end(t)
				ending.check(t, br)
				br.Close()
				ending.check(t, br)
			})
		})
	}
}

// seenByContext returns what context.Cause of a view says if the breaker's cause is that one
// (promise 22).
func seenByContext(cause error) error {
	switch {
	case cause == breaker.ErrClosed:
		return context.Canceled
	case cause != nil && cause.Error() == "breaker: timed out":
		return context.DeadlineExceeded
	default:
		return cause
	}
}

func (e ending) check(t *testing.T, br *breaker.Breaker) {
	t.Helper()
	if br.Err() == nil {
		br.Close() // the one that only Close ends
	}
	cause := br.Cause()
	require.Error(t, cause)
	if e.cause != nil {
		assert.True(t, cause == e.cause, "the cause is %v", cause)
	}
	for _, is := range e.is {
		assert.ErrorIs(t, cause, is)
	}
	for _, isNot := range e.isNot {
		assert.NotErrorIs(t, cause, isNot)
	}
	assert.Equal(t, e.ctx, breaker.ToContext(br).Err())
	if e.ours {
		assert.ErrorIs(t, cause, breaker.Interrupted)
		assert.ErrorIs(t, cause, breaker.ToContext(br).Err())
		assert.NotEmpty(t, cause.Error())
	}
	assert.True(t, context.Cause(breaker.ToContext(br)) == seenByContext(cause))

	err := br.Err()
	assert.ErrorIs(t, err, breaker.Interrupted)
	if e.ownErr == nil {
		assert.True(t, err == breaker.Interrupted, "Err is %v", err)
	} else {
		assert.ErrorIs(t, err, e.ownErr)
		assert.Contains(t, err.Error(), breaker.Interrupted.Error())
		assert.Contains(t, err.Error(), e.ownErr.Error())
	}
	assert.True(t, br.Err() == err, "two errors")
	assert.True(t, breaker.NopCloser(br).Err() == err)
}

// promise 4: a Multiplex has the cause of the child that tripped it, itself. promise 5: its Err is
// Interrupted, whatever the child's is.
func TestErrors_ThroughMultiplex(t *testing.T) {
	for _, ending := range endings {
		for levels := 1; levels <= 3; levels++ {
			t.Run(ending.name+", levels: "+strconv.Itoa(levels), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					child := ending.end(t)
					br := breaker.Multiplex(breaker.New(), child)
					for range levels - 1 {
						br = breaker.Multiplex(br)
					}
					child.Close()
					assert.True(t, br.Cause() == child.Cause(), "%v instead of %v", br.Cause(), child.Cause())
					through := ending
					through.ownErr = nil
					through.check(t, br)
				})
			})
		}
	}
}

// promise 4: the causes made by the package tell the ways apart.
func TestErrors_HaveTextsOfTheirOwn(t *testing.T) {
	texts := make(map[string]string)
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"Close", "timeout", "channel, asked", "nothing to wait for: Multiplex", "Trip with a signal", "Trip(nil)"} {
			for _, ending := range endings {
				if ending.name == name {
					br := ending.end(t)
					br.Close()
					texts[br.Cause().Error()] = name
				}
			}
		}
	})
	assert.Len(t, texts, 6, "%v", texts)
	assert.Equal(t, "operation interrupted", breaker.Interrupted.Error())
}

// A timeout is a timeout for those that ask in the way of package net.
func TestErrors_OfATimeoutIsATimeout(t *testing.T) {
	type temporary interface{ Temporary() bool }
	for _, br := range []*breaker.Breaker{
		breaker.BreakByTimeout(0), breaker.BreakByDeadline(time.Now()), &breaker.BreakByIdle(0).Breaker,
		breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0)),
	} {
		cause := br.Cause()
		assert.True(t, os.IsTimeout(cause))
		var timeout net.Error
		require.ErrorAs(t, cause, &timeout)
		assert.True(t, timeout.Timeout())
		require.Implements(t, (*temporary)(nil), cause)
		assert.Equal(t, context.DeadlineExceeded.(temporary).Temporary(), cause.(temporary).Temporary())
	}

	assert.False(t, os.IsTimeout(breaker.ErrClosed))
	assert.False(t, os.IsTimeout(breaker.Multiplex().Cause()))
}

// promise 4: errors.As finds the signal that arrived.
func TestErrors_SignalError(t *testing.T) {
	err := error(breaker.SignalError{Signal: os.Interrupt})
	assert.ErrorIs(t, err, breaker.Interrupted)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, breaker.ErrClosed)
	assert.ErrorIs(t, errors.Join(errA, err), breaker.SignalError{Signal: os.Interrupt})
	assert.NotErrorIs(t, err, breaker.SignalError{Signal: os.Kill})
	var found breaker.SignalError
	require.ErrorAs(t, errors.Join(errA, err), &found)
	assert.Equal(t, os.Interrupt, found.Signal)
	assert.Contains(t, err.Error(), os.Interrupt.String())
	assert.NotEmpty(t, breaker.SignalError{}.Error())
}

// promise 4: callers that look for either error find it, wrapped or not.
func TestErrors_ErrClosed(t *testing.T) {
	assert.ErrorIs(t, breaker.ErrClosed, breaker.Interrupted)
	assert.ErrorIs(t, breaker.ErrClosed, context.Canceled)
	assert.ErrorIs(t, breaker.ErrClosed, breaker.ErrClosed)
	assert.NotErrorIs(t, breaker.ErrClosed, context.DeadlineExceeded)
	assert.NotErrorIs(t, breaker.Interrupted, breaker.ErrClosed)
}

// promise 4: the cause never changes, whatever comes after it.
func TestCause_NeverChanges(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	parent := breaker.New()
	br := breaker.Multiplex(breaker.NopCloser(parent), breaker.BreakByContext(ctx, nil), breaker.BreakByTimeout(time.Hour))
	parent.Trip(errA)
	for range 2 {
		assertClosed(t, br, errA)
		cancel(errB)
		br.Trip(errB)
		br.Close()
	}
}
