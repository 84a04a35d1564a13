package naive

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func interrupted(b *Breaker) bool {
	select {
	case <-b.Done():
		return true
	default:
		return false
	}
}

// A bubble doesn't end before the goroutines in it have, so each of these also shows that none is
// left behind.
func TestBaselineIsABreaker(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := Timeout(time.Minute)
			time.Sleep(time.Minute - 1)
			if interrupted(b) {
				t.Error("interrupted before its time")
			}
			<-b.Done()
		})
	})
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			b := Context(ctx)
			cancel()
			<-b.Done()
		})
	})
	t.Run("merge: a source comes first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			parent, timeout := New(), Timeout(time.Minute)
			b := Merge([]*Breaker{parent}, timeout)
			<-b.Done()
			if interrupted(parent) {
				t.Error("closed what it only watches")
			}
		})
	})
	t.Run("merge: the owner comes first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			parent, timeout := New(), Timeout(time.Minute)
			b := Merge([]*Breaker{parent}, timeout)
			b.Close()
			<-timeout.Done()
			if interrupted(parent) {
				t.Error("closed what it only watches")
			}
		})
	})
	// Package os/signal has a goroutine for the whole process, which must not belong to a bubble.
	t.Run("signal", func(t *testing.T) {
		b := Signal(os.Interrupt)
		if interrupted(b) {
			t.Error("interrupted without a signal")
		}
		b.Close()
		<-b.Done()
	})
}
