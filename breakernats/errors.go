package breakernats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

// ErrNoExpiry is what Open returns for a bucket whose keys can't expire, or, with WithTTL, can't each have a
// time of its own.
var ErrNoExpiry = errors.New("keys of the bucket can't expire")

// ErrMirror is what Open returns for a bucket that mirrors another one. It lags behind, and nothing is created in it.
var ErrMirror = errors.New("the bucket is a mirror")

// TripError is the cause of a breaker that was tripped by its key. Everyone who was tripped by the same
// revision of the key has the same one, field by field. It matches breaker.Interrupted and context.Canceled.
type TripError struct {
	// Bucket and Key name what has been set. Key includes the prefix.
	Bucket, Key string
	// Revision is the one of the bucket that the trip made.
	Revision uint64
	// By is the name of who tripped it, as given by WithName. It is empty if the key wasn't set by this package.
	By string
	// At is when, in UTC, by the clock of who tripped it; by the server's, if the key wasn't set by this package.
	At time.Time
	// Text is the cause that was given, or the value of the key if that wasn't set by this package.
	Text string
}

// Error says which key it was, who tripped it, and why.
func (e TripError) Error() string {
	by := e.By
	if by == "" {
		by = "someone"
	}
	return fmt.Sprintf("%s/%s tripped by %s: %s", e.Bucket, e.Key, by, e.Text)
}

// Is reports whether the target is breaker.Interrupted or context.Canceled.
func (TripError) Is(target error) bool { return interrupts(target) }

// SilenceError is the cause of a breaker that was out of contact with its bucket for too long; see WithSilence.
// It matches breaker.Interrupted and context.Canceled.
type SilenceError struct {
	// Bucket and Key name what couldn't be watched. Key includes the prefix.
	Bucket, Key string
	// Limit is the silence allowed.
	Limit time.Duration
	// Since is the last moment at which the contact is known to have held, by the local clock.
	Since time.Time
	// Why is what went wrong last, as far as is known: what the server denied, nats.ErrDisconnected, or
	// context.DeadlineExceeded if the leader didn't answer. SilenceError doesn't wrap it: a silence is no timeout of
	// the work.
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

// ConnectionError is the cause of a breaker whose connection was closed for good: by the program, or by nats.go,
// which gives up after 60 attempts and after two refusals of the credentials unless its options say otherwise. The breaker
// couldn't be tripped by its key any more. See WithHoldOnClose. It matches breaker.Interrupted and context.Canceled.
type ConnectionError struct {
	// Bucket and Key name what can't be watched any more. Key includes the prefix.
	Bucket, Key string
	// Err is the last error of the connection, such as nats.ErrAuthorization; nil if it had none. ConnectionError
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
