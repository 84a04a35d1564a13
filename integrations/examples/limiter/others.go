package main

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

// waitMerged is Wait for code that takes one context, as the library's own Wait does: it makes one
// breaker of the two.
func (l *Limiter) waitMerged(br breaker.Interface) error {
	either := breaker.Multiplex(breaker.NopCloser(l), breaker.NopCloser(br))
	defer either.Close()
	return waitOver(breaker.ToContext(either), l.rate)
}

func waitOver(ctx context.Context, limiter *rate.Limiter) error {
	err := limiter.Wait(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// contextLimiter is Limiter over package context.
type contextLimiter struct {
	life context.Context
	rate *rate.Limiter
}

// wait is Limiter.Wait, line by line.
func (l *contextLimiter) wait(request context.Context) error {
	if cause := l.cause(request); cause != nil {
		return cause
	}
	reservation := l.rate.Reserve()
	delay := reservation.Delay()
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.life.Done():
	case <-request.Done():
	}
	reservation.Cancel()
	return l.cause(request)
}

func (l *contextLimiter) cause(request context.Context) error {
	if cause := context.Cause(l.life); cause != nil {
		return cause
	}
	return context.Cause(request)
}

// waitMerged makes one context of the two. That takes no goroutine while it waits, and one for each
// at the trip.
func (l *contextLimiter) waitMerged(request context.Context) error {
	either, cancel := context.WithCancelCause(request)
	defer cancel(nil)
	stop := context.AfterFunc(l.life, func() { cancel(context.Cause(l.life)) })
	defer stop()
	return waitOver(either, l.rate)
}

// waitMergedByGoroutine is what is found most.
func (l *contextLimiter) waitMergedByGoroutine(request context.Context) error {
	either, cancel := context.WithCancelCause(request)
	defer cancel(nil)
	go func() {
		select {
		case <-l.life.Done():
			cancel(context.Cause(l.life))
		case <-either.Done():
		}
	}()
	return waitOver(either, l.rate)
}
