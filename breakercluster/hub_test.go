package breakercluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
)

// held is a store whose watches don't begin before they are released.
type held struct {
	*clustertest.Memory
	release chan struct{}
}

func (h *held) Watch(
	ctx context.Context, pattern string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	select {
	case <-h.release:
		return h.Memory.Watch(ctx, pattern, after, deliver)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A caller that gives up to start a watch doesn't take others along.
func TestHub_AnImpatientFirst(t *testing.T) {
	store := &held{clustertest.NewMemory("jobs"), make(chan struct{})}
	b, err := breakercluster.Open(store)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	users := func(many int) {
		t.Helper()
		clustertest.Await(t, func() bool { return breakercluster.Users(b) == many }, "those who wait for the watch")
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		_, err := b.BreakByKey(ctx, "import")
		assert.ErrorIs(t, err, context.Canceled)
	})
	users(1)
	const patient = 3
	for range patient {
		wait.Go(func() {
			br, err := b.BreakByKey(t.Context(), "import")
			if assert.NoError(t, err) {
				br.Close()
			}
		})
	}
	users(1 + patient)
	cancel()
	close(store.release)
	wait.Wait()
	users(0)
}

// away is a store that can't be reached; sometimes it doesn't even say so.
type away struct {
	*clustertest.Memory
	calls atomic.Int64
}

var errRefused = errors.New("connection refused")

func (a *away) Watch(
	ctx context.Context, _ string, _ uint64, _ func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	if a.calls.Add(1)%2 == 1 {
		return nil, errRefused
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// That the time is over is the least of what there is to say.
func TestHub_TheErrorSaysWhyNobodyKnows(t *testing.T) {
	for range 1000 {
		synctest.Test(t, func(t *testing.T) {
			b, err := breakercluster.Open(&away{Memory: clustertest.NewMemory("jobs")})
			require.NoError(t, err)
			br, err := b.BreakByKey(t.Context(), "import")
			require.Nil(t, br)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, errRefused)
		})
	}
}

func TestHub_PanickingCallback(t *testing.T) {
	b, err := breakercluster.Open(clustertest.NewMemory("jobs"))
	require.NoError(t, err)
	var brs []*breaker.Breaker
	for i := range 10 {
		br, err := b.BreakByKey(t.Context(), "import")
		require.NoError(t, err)
		if i%2 == 0 {
			br.OnTrip(func() { panic("mine") })
		}
		brs = append(brs, br)
	}
	// On a goroutine of the watch a panic ends the program, as it does on any other. So the watch
	// is kept from being the first.
	assert.PanicsWithValue(t, "mine", func() { breakercluster.TripHere(b, "import", "no more") })
	for _, br := range brs {
		assert.Error(t, br.Err())
	}
}

// failing is a store that can't answer, or not any more, for as long as there is an error.
type failing struct {
	*clustertest.Memory
	err atomic.Value
}

type failure struct{ error }

func (f *failing) fail(err error) { f.err.Store(failure{err}) }

func (f *failing) Newest(ctx context.Context, pattern string) (breakercluster.Entry, bool, error) {
	if v, _ := f.err.Load().(failure); v.error != nil {
		return breakercluster.Entry{}, false, v.error
	}
	return f.Memory.Newest(ctx, pattern)
}

func (f *failing) Watch(
	ctx context.Context, pattern string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	if v, _ := f.err.Load().(failure); v.error != nil {
		return nil, v.error
	}
	return f.Memory.Watch(ctx, pattern, after, deliver)
}

// A store that is gone trips what doesn't hold; a silence says why; a permanent error is told at
// once.
func TestHub_Failures(t *testing.T) {
	// In a bubble, or the silence may be over before a pulse has found out why.
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Memory: clustertest.NewMemory("jobs")}
		broken := errors.New("broken")
		open := func(options ...breakercluster.Option) *breaker.Breaker {
			b, err := breakercluster.Open(store, options...)
			require.NoError(t, err)
			br, err := b.BreakByKey(t.Context(), "import")
			require.NoError(t, err)
			t.Cleanup(br.Close)
			return br
		}
		const silence = 50 * time.Millisecond
		held, lost, silent := open(breakercluster.WithHoldOnClose()), open(), open(breakercluster.WithSilence(silence))

		store.fail(broken)
		<-silent.Done()
		var s breakercluster.SilenceError
		require.ErrorAs(t, silent.Cause(), &s)
		assert.Equal(t, broken, s.Why)
		assert.Equal(t, silence, s.Limit)
		assert.NoError(t, lost.Err())

		store.fail(breakercluster.Gone(broken))
		<-lost.Done()
		var c breakercluster.ConnectionError
		require.ErrorAs(t, lost.Cause(), &c)
		assert.ErrorIs(t, c.Err, broken)
		assert.NoError(t, held.Err())

		store.fail(breakercluster.Permanent(broken))
		b, err := breakercluster.Open(store, breakercluster.WithPrefix("other"))
		require.NoError(t, err)
		begin := time.Now()
		_, err = b.BreakByKey(t.Context(), "import")
		assert.ErrorIs(t, err, broken)
		assert.Less(t, time.Since(begin), time.Second)
	})
}

// A thousand watches begin and end as breakers come and go, with trips in between.
func TestHub_ComingAndGoing(t *testing.T) {
	store := clustertest.NewMemory("jobs")
	b, err := breakercluster.Open(store)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			for j := range 100 {
				key := fmt.Sprint("job.", i, ".", j)
				br, err := b.BreakByKey(t.Context(), key)
				if !assert.NoError(t, err) {
					return
				}
				if j%2 == 0 {
					cause, won, err := b.Trip(t.Context(), key, nil)
					assert.NoError(t, err)
					assert.True(t, won)
					assert.Equal(t, cause, br.Cause())
				}
				br.Close()
			}
		})
	}
	wait.Wait()
	clustertest.Await(t, func() bool { return breakercluster.Users(b) == 0 }, "the end of the watch")
}

func TestHub_BadInput(t *testing.T) {
	assert.PanicsWithValue(t, "breakercluster: Open: store is nil", func() { _, _ = breakercluster.Open(nil) })
	assert.PanicsWithValue(t, "breakercluster: WithContactHook: f is nil", func() { breakercluster.WithContactHook(nil) })
	store := clustertest.NewMemory("jobs")
	for _, option := range []breakercluster.Option{
		breakercluster.WithPrefix(""), breakercluster.WithPrefix("a*"), breakercluster.WithTTL(time.Millisecond),
		breakercluster.WithSilence(0),
	} {
		_, err := breakercluster.Open(store, option)
		assert.Error(t, err)
	}
	b, err := breakercluster.Open(store)
	require.NoError(t, err)
	for _, key := range []string{"", ".", "a.", ".a", "a..b", "a b", "*", "ä"} {
		_, err := b.BreakByKey(t.Context(), key)
		assert.ErrorIs(t, err, breakercluster.ErrInvalidKey, "%q", key)
	}
}
