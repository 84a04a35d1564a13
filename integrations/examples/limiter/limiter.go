package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

// Limiter lets events happen at a limited rate, until it is tripped or closed: then all waiters go
// on at once, with the reason, and so do later callers.
//
// The breaker is part of it by value: Trip, Close, Done, Err, Cause and OnTrip are the limiter's
// own, and it can be passed to breaker.Multiplex and breaker.ToContext. All methods may be called
// concurrently. It must not be copied.
type Limiter struct {
	breaker.Breaker

	rate *rate.Limiter
}

// NewLimiter returns an open limiter that permits limit events a second, and burst at once.
func NewLimiter(limit rate.Limit, burst int) *Limiter {
	return &Limiter{rate: rate.NewLimiter(limit, burst)}
}

var errNoBurst = errors.New("the limiter permits nothing: its burst is zero")

// Wait returns nil as soon as the next event is permitted. If br or the limiter trips before, it
// gives the permission back and returns the cause of that. It closes neither of them and starts no
// goroutine: the caller's own waits for both.
func (l *Limiter) Wait(br breaker.Interface) error {
	if cause := l.cause(br); cause != nil {
		return cause
	}
	reservation := l.rate.Reserve()
	if !reservation.OK() {
		return errNoBurst
	}
	delay := reservation.Delay()
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.Done():
	case <-br.Done():
	}
	reservation.Cancel()
	return l.cause(br)
}

// cause returns why callers don't wait any more, or nil.
func (l *Limiter) cause(br breaker.Interface) error {
	if cause := l.Cause(); cause != nil {
		return cause
	}
	return context.Cause(breaker.ToContext(br))
}
