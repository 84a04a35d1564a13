package breakersync_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func TestCond_BadInput(t *testing.T) {
	assert.PanicsWithValue(t, "breakersync: NewCond: the lock is nil", func() { breakersync.NewCond(nil) })
	var c breakersync.Cond
	assert.PanicsWithValue(t, "breakersync: Wait: L is nil", func() { _ = c.Wait(breaker.New()) })
	c.Signal()
	c.Broadcast()
	var mu sync.Mutex
	c.L = &mu
	mu.Lock()
	assertNilPanics(t, "Wait", func(br breaker.Interface) { _ = c.Wait(br) })
	assert.Equal(t, errStop, c.Wait(tripped()))
	assert.False(t, mu.TryLock(), "it is still locked")
}

// waitOn starts n goroutines that wait on c, one after the other, and returns what they have got.
// It is called in a bubble.
func waitOn(c *breakersync.Cond, breakers ...breaker.Interface) []error {
	got := make([]error, len(breakers))
	for i, br := range breakers {
		got[i] = errTask // waits
		go func() {
			c.L.Lock()
			defer c.L.Unlock()
			got[i] = c.Wait(br)
		}()
		synctest.Wait()
	}
	return got
}

func TestCond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.Mutex
		for _, l := range []sync.Locker{new(sync.Mutex), mu.Locker()} {
			c := breakersync.NewCond(l)
			c.Signal() // there is no waiter
			c.Broadcast()
			never, br := breaker.New(), breaker.New()
			got := waitOn(c, br, never, br, never, never)
			c.Signal()
			synctest.Wait()
			assert.Equal(t, []error{nil, errTask, errTask, errTask, errTask}, got, "first come, first served")
			br.Trip(errStop)
			synctest.Wait()
			assert.Equal(t, []error{nil, errTask, errStop, errTask, errTask}, got)
			c.Signal()
			synctest.Wait()
			assert.Equal(t, []error{nil, nil, errStop, errTask, errTask}, got)
			c.Broadcast()
			synctest.Wait()
			assert.Equal(t, []error{nil, nil, errStop, nil, nil}, got)
			l.Lock()
			got = nil // so it is free
			l.Unlock()
		}
	})
}

func TestCond_TimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := breakersync.NewCond(new(sync.Mutex))
		c.L.Lock()
		begun := time.Now()
		br := breaker.BreakByTimeout(time.Second)
		assert.Error(t, c.Wait(br))
		assert.Equal(t, time.Second, time.Since(begun))
		c.L.Unlock() // it was locked
	})
}

// The goroutine that trips a breaker may hold the lock: golang/go#16620, e2b-dev/infra#3629.
func TestCond_TripWithTheLockHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu breakersync.Mutex // waiting for it blocks durably; waiting for a sync.Mutex doesn't
		c := breakersync.NewCond(mu.Locker())
		br := breaker.New()
		got := waitOn(c, br)
		c.L.Lock()
		br.Trip(errStop)
		synctest.Wait() // it waits for the lock, and nothing interrupts that
		assert.Equal(t, errTask, got[0])
		c.L.Unlock()
		synctest.Wait()
		assert.Equal(t, errStop, got[0])
	})
}

// A trip and a signal at the same moment: the first of two waiters is interrupted. Either it
// reports the signal, or the second waiter gets it.
func TestCond_SignalIsNotLost(t *testing.T) {
	for range 1000 {
		var (
			c     = breakersync.NewCond(new(sync.Mutex))
			br    = breaker.New()
			end   = breaker.New()
			in    sync.WaitGroup
			all   sync.WaitGroup
			got   [2]error
			ended = make(chan struct{}, 2)
		)
		in.Add(2)
		for i, br := range []*breaker.Breaker{br, end} {
			all.Go(func() {
				c.L.Lock()
				in.Done()
				got[i] = c.Wait(br)
				c.L.Unlock()
				ended <- struct{}{}
			})
		}
		in.Wait()
		c.L.Lock() // so both are queued
		got = [2]error{errStop, errStop}
		c.L.Unlock()
		all.Go(func() { br.Trip(errStop) })
		all.Go(c.Signal)
		<-ended
		if got0 := func() error { c.L.Lock(); defer c.L.Unlock(); return got[0] }(); got0 != nil {
			<-ended // only the signal can have woken it
		}
		end.Trip(errTask)
		all.Wait()
		if got[0] == nil {
			require.Equal(t, errTask, got[1], "one signal wakes one")
		} else {
			require.Equal(t, errStop, got[0])
			require.NoError(t, got[1], "the signal is lost")
		}
	}
}
