package retry

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

// A How configures Retry.
type How func(*policy)

// policy is what the options add up to.
type policy struct {
	limit   int // 0: none
	backoff backoff
	on      []func(error) bool
}

// worth reports whether every On wants the error to be retried.
func (p *policy) worth(err error) bool {
	for _, on := range p.on {
		if !on(err) {
			return false
		}
	}
	return true
}

// Limit ends Retry after n attempts, including the first. Of several limits the smallest counts. It
// panics if n isn't positive.
func Limit(n int) How {
	if n <= 0 {
		panic("retry: Limit: n isn't positive")
	}
	return func(p *policy) {
		if p.limit == 0 || n < p.limit {
			p.limit = n
		}
	}
}

// On ends Retry at the first error for which f returns false. With several, each of them can end
// it. It panics if f is nil.
func On(f func(err error) bool) How {
	if f == nil {
		panic("retry: On: f is nil")
	}
	return func(p *policy) { p.on = append(p.on, f) }
}

// Backoff sets how long Retry waits: base after the first attempt, then factor times longer each
// time, up to most. The jitter, from 0 to 1, shortens each wait at random by up to that part of it.
// No wait is longer than most. Backoff(0, 1, 0, 0) doesn't wait at all. Of several, the last one
// counts.
//
// It panics if base is negative, factor is less than 1 or infinite, most is less than base, or the
// jitter isn't from 0 to 1.
func Backoff(base time.Duration, factor float64, most time.Duration, jitter float64) How {
	switch {
	case base < 0:
		panic("retry: Backoff: base is negative")
	case !(factor >= 1) || math.IsInf(factor, 1): // NaN too
		panic("retry: Backoff: factor is less than 1 or infinite")
	case most < base:
		panic("retry: Backoff: most is less than base")
	case !(jitter >= 0 && jitter <= 1):
		panic("retry: Backoff: the jitter isn't from 0 to 1")
	}
	return func(p *policy) { p.backoff = backoff{base, factor, most, jitter} }
}

type backoff struct {
	base   time.Duration
	factor float64
	most   time.Duration
	jitter float64
}

// defaultBackoff keeps a Retry without options from calling the action as fast as it can.
var defaultBackoff = backoff{50 * time.Millisecond, 2, 5 * time.Second, 0.5}

// wait returns how long to wait after the given attempt, counted from 1.
func (b backoff) wait(attempt int) time.Duration {
	wait := b.most
	// Compared as a float: the product may be infinite, and as a duration it would be negative.
	// NaN, which is 0 times infinity, is no wait.
	if f := float64(b.base) * math.Pow(b.factor, float64(attempt-1)); b.base == 0 {
		wait = 0
	} else if f < float64(b.most) {
		wait = time.Duration(f)
	}
	return wait - time.Duration(rand.Float64()*b.jitter*float64(wait))
}

// Permanent returns an error that ends Retry. Retry then returns err itself. If the action wraps
// the permanent error, Retry returns the wrapping error as it is. The permanent error unwraps to
// err, for errors.Is and errors.As. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

// ending reports whether the error is, or wraps, a permanent one, and returns what Retry returns.
func ending(err error) (error, bool) {
	if p, ok := err.(*permanentError); ok {
		return p.err, true
	}
	var p *permanentError
	return err, errors.As(err, &p)
}
