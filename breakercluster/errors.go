package breakercluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

// ErrInvalidKey is the error for a key or prefix that not every store can hold. Use letters, digits
// and -/_=. without a dot at either end, and without two dots in a row.
var ErrInvalidKey = errors.New("invalid key")

// TripError is the cause of a breaker that was tripped by its key. All breakers that were tripped
// by the same revision of the key have the same cause, field by field. It matches
// breaker.Interrupted and context.Canceled.
type TripError struct {
	// Bucket is the name of the store, and Key the key that was set. Key includes the prefix.
	Bucket, Key string
	// Revision is the revision of the store at which the key was set.
	Revision uint64
	// By is the name of the process that tripped it, as given by WithName. It is empty if the key
	// wasn't set by this package.
	By string
	// At is when the key was set, in UTC, by the clock of the process that set it. If the key
	// wasn't set by this package, it is by the server's clock, and zero if the store doesn't know.
	At time.Time
	// Text is the text of the cause, or the value of the key if it wasn't set by this package.
	Text string
}

// Error names the key, the process that tripped it, and the reason.
func (e TripError) Error() string {
	by := e.By
	if by == "" {
		by = "another program"
	}
	return fmt.Sprintf("%s/%s tripped by %s: %s", e.Bucket, e.Key, by, e.Text)
}

// Is reports whether the target is breaker.Interrupted or context.Canceled.
func (TripError) Is(target error) bool { return interrupts(target) }

// SilenceError is the cause of a breaker that was out of contact with its bucket for too long; see
// WithSilence. It matches breaker.Interrupted and context.Canceled.
type SilenceError struct {
	// Bucket and Key name the key that couldn't be watched. Key includes the prefix.
	Bucket, Key string
	// Limit is the silence allowed.
	Limit time.Duration
	// Since is the last moment at which the contact is known to have held, by the local clock.
	Since time.Time
	// Why is the last known error: what the server denied, the error of a connection, or
	// context.DeadlineExceeded if there was no answer. SilenceError doesn't wrap it, because a
	// silence isn't a timeout of the work.
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

// ConnectionError is the cause of a breaker if the client of the store was closed for good, so that
// the key couldn't trip the breaker any more. The program has closed it, or the client has given
// up, as nats.go does. See WithHoldOnClose. It matches breaker.Interrupted and context.Canceled.
type ConnectionError struct {
	// Bucket and Key name the key that can't be watched any more. Key includes the prefix.
	Bucket, Key string
	// Err is the last error of the connection, such as nats.ErrAuthorization. ConnectionError
	// doesn't wrap it.
	Err error
}

// Error says which key it was, and the last error of the connection.
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
