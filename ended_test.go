package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// promise 19: what is closed with its owner has the cause of its context, if that had ended.
func TestEnded_CountsWhenTheOwnerTrips(t *testing.T) {
	ended := false
	owned, sibling := breaker.BreakByContext(unheard{context.Background(), &ended}, nil), breaker.New()
	owner := breaker.Multiplex(owned, sibling)
	ended = true
	sibling.Trip(errA)
	assertClosed(t, owner, errA)
	assertClosed(t, owned, context.DeadlineExceeded)
}

// promise 19: what is only watched isn't asked by a Close, because that doesn't close it.
func TestEnded_WatchedIsNotAsked(t *testing.T) {
	ended := false
	watched := breaker.BreakByContext(unheard{context.Background(), &ended}, nil)
	for _, br := range []*breaker.Breaker{breaker.Any(watched), breaker.Multiplex(breaker.NopCloser(watched))} {
		ended = true
		br.Close()
		ended = false
		assertClosed(t, br, breaker.ErrClosed)
		assertOpen(t, watched)
	}
	watched.Close()
}

// promise 19: what has ended before a Close or a Trip is the cause, watched or not.
func TestEnded_CountsBeforeClose(t *testing.T) {
	for name, own := range map[string]func(breaker.Interface) *breaker.Breaker{
		"owned": func(br breaker.Interface) *breaker.Breaker {
			return breaker.Multiplex(br, breaker.BreakByTimeout(time.Hour))
		},
		"owned by one owned": func(br breaker.Interface) *breaker.Breaker {
			return breaker.Multiplex(breaker.New(), breaker.Multiplex(breaker.Multiplex(br), breaker.New()))
		},
		"itself": func(br breaker.Interface) *breaker.Breaker { return br.(*breaker.Breaker) },
	} {
		for ending, end := range map[string]func(*breaker.Breaker) bool{
			"Close": func(br *breaker.Breaker) bool { br.Close(); return false },
			"Trip":  func(br *breaker.Breaker) bool { return br.Trip(errB) },
		} {
			for watched := range 2 {
				t.Run(name+", "+ending, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					br := own(breaker.BreakByContext(ctx, nil))
					if watched == 1 {
						br.Done()
					}
					cancel(errA)
					assert.False(t, end(br))
					assert.Equal(t, errA, br.Cause())

					signal := make(chan struct{})
					br = own(breaker.BreakByChannel(signal))
					if watched == 1 {
						br.Done()
					}
					close(signal)
					assert.False(t, end(br))
					assert.Equal(t, "breaker: channel closed", br.Cause().Error())
					br.AwaitClosed()
				})
			}
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	br := breaker.Within(ctx, time.Hour)
	br.Done()
	cancel(errA)
	br.Close()
	assert.Equal(t, errA, br.Cause())
}

// promise 19: when cancel has returned, the next Err isn't nil, also of a breaker that is watched.
func TestEnded_ErrAfterCancel(t *testing.T) {
	for range 3_000 {
		for _, construct := range []func(context.Context) *breaker.Breaker{
			func(ctx context.Context) *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
			func(ctx context.Context) *breaker.Breaker { return breaker.Within(ctx, time.Hour) },
		} {
			ctx, cancel := context.WithCancel(context.Background())
			br := construct(ctx)
			br.Done()
			if err := br.Err(); err != nil {
				t.Fatal(err)
			}
			cancel()
			if br.Err() == nil {
				t.Fatal("it is nil after cancel")
			}
			br.Close()
		}
	}
}

// unheard is a context that ends without telling anyone.
type unheard struct {
	context.Context
	ended *bool
}

func (unheard) Done() <-chan struct{}        { return make(chan struct{}) }
func (unheard) AfterFunc(func()) func() bool { return func() bool { return true } }
func (c unheard) Err() error {
	if *c.ended {
		return context.DeadlineExceeded
	}
	return nil
}
