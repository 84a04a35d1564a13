package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// hostileContext is a foreign context that tells nobody of its end, and panics where it is told to.
type hostileContext struct {
	context.Context
	inErr, inStop *bool
}

func (hostileContext) Done() <-chan struct{} { return make(chan struct{}) }
func (c hostileContext) Err() error {
	if *c.inErr {
		panic(errB)
	}
	return nil
}
func (c hostileContext) AfterFunc(func()) func() bool {
	return func() bool {
		if *c.inStop {
			panic(errB)
		}
		return true
	}
}

// promise 21: a foreign context that panics when it is asked keeps the owner's trip from nothing.
func TestContext_ForeignPanicsInErr(t *testing.T) {
	for watched := range 2 {
		inErr, inStop := false, false
		owned := breaker.BreakByContext(hostileContext{context.Background(), &inErr, &inStop}, nil)
		sibling, calls := breaker.New(), 0
		owner := breaker.Multiplex(owned, sibling, breaker.BreakByTimeout(time.Hour))
		if watched == 1 {
			owned.OnTrip(func() { calls++ })
		}
		last := breaker.Any(owner)
		inErr = true
		assert.True(t, sibling.Trip(errA))
		inErr = false
		assertClosed(t, owner, errA)
		assertClosed(t, last, errA)
		assertClosed(t, owned, breaker.ErrClosed)
		assert.Equal(t, watched, calls)
	}
}

// promise 8: one that panics when it is unregistered from ends nothing, and the panic goes on up.
func TestContext_ForeignPanicsInStop(t *testing.T) {
	for name, construct := range map[string]func(context.Context) *breaker.Breaker{
		"BreakByContext": func(ctx context.Context) *breaker.Breaker { return breaker.BreakByContext(ctx, nil) },
		"Within":         func(ctx context.Context) *breaker.Breaker { return breaker.Within(ctx, time.Hour) },
		"an owner":       func(ctx context.Context) *breaker.Breaker { return breaker.Multiplex(breaker.BreakByContext(ctx, nil)) },
	} {
		inErr, inStop := false, true
		br := construct(hostileContext{context.Background(), &inErr, &inStop})
		calls := 0
		br.OnTrip(func() { calls++ })
		last := breaker.Any(br)
		last.OnTrip(func() { calls++ })
		assert.Equal(t, errB, catch(func() { br.Trip(errA) }), name)
		assertClosed(t, br, errA)
		assertClosed(t, last, errA)
		assert.Equal(t, 2, calls, name)
	}
}

// panickyContext is a foreign context whose AfterFunc panics, the first time.
type panickyContext struct {
	context.Context
	tries *int
}

func (panickyContext) Done() <-chan struct{} { return make(chan struct{}) }
func (c panickyContext) AfterFunc(func()) func() bool {
	if *c.tries++; *c.tries == 1 {
		panic(errB)
	}
	return func() bool { return true }
}

// panickyErr is a foreign context whose Err panics, the first time.
type panickyErr struct {
	context.Context
	tries *int
}

func (panickyErr) Done() <-chan struct{} { return make(chan struct{}) }
func (c panickyErr) Err() error {
	if *c.tries++; *c.tries == 1 {
		panic(errB)
	}
	return nil
}
