package integrations_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sync/errgroup"

	"github.com/kamilsk/breaker"
)

func TestErrgroup_ATripEndsTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New()
		group, ctx := errgroup.WithContext(breaker.ToContext(br))
		for range 3 {
			group.Go(func() error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}
		synctest.Wait()
		br.Trip(errEnough)
		assert.Equal(t, errEnough, group.Wait(), "the cause itself")
		assert.Equal(t, context.Canceled, ctx.Err())
	})
}

// A member that fails ends the others, and the breaker has nothing to do with it.
func TestErrgroup_AFailureLeavesTheBreakerAlone(t *testing.T) {
	errOfMember := errors.New("a member has failed")
	br := breaker.New()
	group, ctx := errgroup.WithContext(breaker.ToContext(br))
	group.Go(func() error { return errOfMember })
	group.Go(func() error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	assert.Equal(t, errOfMember, group.Wait())
	assert.Equal(t, errOfMember, context.Cause(ctx))
	assert.NoError(t, br.Err())
}

// WithContext derives a context, and package context has to start a goroutine to derive from one
// that it doesn't know. The member isn't counted: it is there in any case.
func TestErrgroup_GoroutinesPerWait(t *testing.T) {
	assertGoroutinesPerWait(t, 0, 1, func(parent context.Context) {
		_, ctx := errgroup.WithContext(parent)
		<-ctx.Done()
	})
}
