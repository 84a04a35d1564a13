package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

// Limiter lets events happen at a limited rate, until it is tripped or closed. Then all waiters
// return at once, with the cause, and so do later callers.
//
// It embeds a breaker by value, so Trip, Close, Done, Err, Cause and OnTrip are its own methods.
// You can pass it to breaker.Multiplex and breaker.ToContext. All methods may be called
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

// Wait returns nil as soon as the next event is permitted. If br or the limiter trips first, it
// gives the permission back and returns the cause. It closes neither of them. It starts no
// goroutine: the caller's goroutine waits for both.
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
