package breakercluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

// ErrInvalidKey is what you get for a key or prefix that isn't letters, digits and -/_=. with no
// dot at either end and no two in a row: what all stores can hold.
var ErrInvalidKey = errors.New("invalid key")

// TripError is the cause of a breaker that was tripped by its key. All breakers that were tripped
// by the same revision of the key have the same cause, field by field. It matches
// breaker.Interrupted and context.Canceled.
type TripError struct {
	// Bucket is the name of the store, and Key what has been set in it. Key includes the prefix.
	Bucket, Key string
	// Revision is the one of the store that the trip made.
	Revision uint64
	// By is the name of the process that tripped it, as given by WithName. It is empty if the key
	// wasn't set by this package.
	By string
	// At is when, in UTC, by the clock of the process that tripped it. If the key wasn't set by
	// this package it is by the server's, and zero if the store doesn't know.
	At time.Time
	// Text is the cause that was given, or the value of the key if that wasn't set by this package.
	Text string
}

// Error names the key, the process that tripped it, and the reason.
func (e TripError) Error() string {
	by := e.By
	if by == "" {
		by = "someone"
	}
	return fmt.Sprintf("%s/%s tripped by %s: %s", e.Bucket, e.Key, by, e.Text)
}

// Is reports whether the target is breaker.Interrupted or context.Canceled.
func (TripError) Is(target error) bool { return interrupts(target) }

// SilenceError is the cause of a breaker that was out of contact with its bucket for too long; see
// WithSilence. It matches breaker.Interrupted and context.Canceled.
type SilenceError struct {
	// Bucket and Key name what couldn't be watched. Key includes the prefix.
	Bucket, Key string
	// Limit is the silence allowed.
	Limit time.Duration
	// Since is the last moment at which the contact is known to have held, by the local clock.
	Since time.Time
	// Why is what went wrong last, as far as is known: what the server denied, the error of a
	// connection, or context.DeadlineExceeded if there was no answer. SilenceError doesn't wrap it:
	// a silence is no timeout of the work.
	Why error
}

// Error says which key it was, how long the silence lasts, and why.
func (e SilenceError) Error() string {
	text := fmt.Sprintf("%s/%s: no contact for %v, since %s", e.Bucket, e.Key, e.Limit, e.Since.Format(time.RFC3339Nano))
	if e.Why != nil {
		text += ": " + e.Why.Error()
	}
	return text
}

// Is reports whether the target is breaker.Interrupted or context.Canceled.
func (SilenceError) Is(target error) bool { return interrupts(target) }

// ConnectionError is the cause of a breaker whose client of the store was closed for good: by the
// program, or by a client that gives up, as nats.go does. The breaker couldn't be tripped by its
// key any more. See WithHoldOnClose. It matches breaker.Interrupted and context.Canceled.
type ConnectionError struct {
	// Bucket and Key name what can't be watched any more. Key includes the prefix.
	Bucket, Key string
	// Err is the last error of the connection, such as nats.ErrAuthorization. ConnectionError
	// doesn't wrap it.
	Err error
}

// Error says which key it was, and what the connection's last error was.
func (e ConnectionError) Error() string {
	text := fmt.Sprintf("%s/%s: the connection is closed for good", e.Bucket, e.Key)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports whether the target is breaker.Interrupted or context.Canceled.
func (ConnectionError) Is(target error) bool { return interrupts(target) }

func interrupts(target error) bool {
	return target == breaker.Interrupted || target == context.Canceled
}
