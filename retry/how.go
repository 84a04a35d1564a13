package retry

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"
)

// A How configures Retry.
type How func(*policy)

// policy is what all of how say together.
type policy struct {
	limit   int // 0: none
	backoff backoff
	on      []func(error) bool
}

// worth reports whether all of On want the error to be retried.
func (p *policy) worth(err error) bool {
	for _, on := range p.on {
		if !on(err) {
			return false
		}
	}
	return true
}

// Limit ends Retry after n attempts, the first included. Of several, the smallest counts. It panics
// if n isn't positive.
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

// On ends Retry at an error of which f is false. Of several, all have to be true. It panics if f is
// nil.
func On(f func(err error) bool) How {
	if f == nil {
		panic("retry: On: f is nil")
	}
	return func(p *policy) { p.on = append(p.on, f) }
}

// Backoff says how long Retry waits: base after the first attempt, and each time factor times
// longer, up to most. The jitter, from 0 to 1, is the part of each wait by which it may be shorter,
// at random: at 1 it is anything up to the whole. So no wait is longer than most. Backoff(0, 1, 0,
// 0) doesn't wait at all. Of several, the last counts.
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

// defaultBackoff is there because the line without how would otherwise call the action as fast as
// it can, for as long as the breaker lets it.
var defaultBackoff = backoff{50 * time.Millisecond, 2, 5 * time.Second, 0.5}

// wait returns how long to wait after that attempt, counted from 1.
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

// Permanent returns an error that ends Retry, which returns err itself. It may be wrapped by
// others: then Retry returns them as they are. Without Retry it is as err to errors.Is and
// errors.As. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

// ending reports whether the error is of Permanent, and returns what is left without that.
func ending(err error) (error, bool) {
	if p, ok := err.(*permanentError); ok {
		return p.err, true
	}
	var p *permanentError
	return err, errors.As(err, &p)
}
