package breakercluster

import (
	"context"
	"errors"
	"time"
)

// Store holds the keys: a bucket, a table, a key space. It can create a key, read the newest one,
// and watch. Each key that is set gets a revision, greater than all before it.
//
// All methods may be called concurrently. Each returns soon after ctx is done. Wrap an error in
// Permanent if repeating the call can't help, and in Gone if the client of the store is closed for
// good. Any other error counts as an outage, and the call is repeated.
type Store interface {
	// About describes the store. It makes no request.
	About() About

	// Create sets the key to the value, unless it is set. It returns the Entry that is set, and
	// whether this call has set it. The key expires after ttl. The answer comes from where writes
	// are decided, never from a replica that may lag.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (e Entry, won bool, err error)

	// Newest returns the entry with the highest revision whose key matches the pattern: a key, or a
	// prefix followed by Any. It reads where writes are decided.
	//
	// For a key that isn't set, it returns a deleted Entry. Its revision is that of the deletion or
	// of a later moment, but no later than the reading. If there is no such Entry, it returns
	// false. For a prefix it may return the newest of the whole store, if Watch delivers as much.
	Newest(ctx context.Context, pattern string) (e Entry, found bool, err error)

	// Watch delivers the Entries that match the pattern, were set after the given revision, and
	// weren't deleted: first those that are set, then new ones. It may deliver more, or an Entry
	// twice. It returns when the delivery has begun, or is sure to begin. The context is for that
	// only.
	Watch(ctx context.Context, pattern string, after uint64, deliver func(Entry)) (Watch, error)
}

// Any at the end of a pattern matches any rest of a key.
const Any = "*"

// Watch is a subscription. It calls deliver on one goroutine at a time, in order of revisions.
type Watch interface {
	// Done is closed when the subscription has ended, by itself or by Stop, and deliver has
	// returned.
	Done() <-chan struct{}
	// Stop ends the subscription. It returns soon, whatever the state of the connection.
	Stop()
}

// Entry is the newest state of a key.
type Entry struct {
	Key      string
	Revision uint64
	// Deleted says that the key isn't set any more.
	Deleted bool
	Value   []byte
	// Created is when the key was set, by the clock of the server; zero if the store doesn't know.
	Created time.Time
}

// isAfter reports whether this Entry came after the other one. A later revision or a later time is
// enough: revisions begin again in a store that is made anew, and the clocks of servers may differ.
// Every Entry is after the zero Entry.
func (e *Entry) isAfter(other *Entry) bool {
	later := other != nil && !other.Created.IsZero() && e.Created.After(other.Created)
	return other == nil || e.Revision > other.Revision || later
}

// About describes a Store.
type About struct {
	// Name is the name of the store in causes and errors.
	Name string
	// Identity is equal for Stores that watch the same keys with the same client. They share a
	// watch. Its type must be comparable.
	Identity any
	// Limit is the known limit of the length of a value, in bytes; 0 if there is none.
	Limit int
	// Timeout limits calls whose context has no deadline. By default it is 5 s.
	Timeout time.Duration
}

// ErrTooLong is what Create returns if the store may accept a shorter value.
var ErrTooLong = errors.New("the value is too long")

// permanent is an error that repeating the call can't help.
type permanent struct {
	error
	gone bool
}

func (p permanent) Unwrap() error { return p.error }

// Permanent marks the error of a Store as one that repeating the call can't help, such as a denied
// permission.
func Permanent(err error) error { return permanent{error: err} }

// Gone marks the error of a Store as that of a client that is closed for good.
func Gone(err error) error { return permanent{error: err, gone: true} }

// IsPermanent reports whether repeating the call can't help: the error is marked by Permanent or
// Gone, or the caller has given up.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p) || errors.Is(err, context.Canceled)
}

func isGone(err error) bool {
	var p permanent
	return errors.As(err, &p) && p.gone
}

const (
	// attempt is how long one request waits for its answer. The server may just have died.
	attempt = time.Second
	// longestAttempt is how long one may take after others have failed: reading all that is set may
	// take a while.
	longestAttempt = 10 * time.Second
	// pause is the time between two attempts.
	pause = 100 * time.Millisecond
)

// limited gives a context without a deadline one.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	if limit <= 0 {
		limit = 5 * time.Second
	}
	return context.WithTimeout(ctx, limit)
}

// retry calls f, each time with a limit of its own, until it succeeds, it fails for good, or ctx is
// done. A cluster that is electing a leader doesn't answer, or answers that it can't. Neither is
// final.
func retry(ctx context.Context, f func(context.Context) error) error {
	var why error // the last error that says more than that there was no answer
	for limit := attempt; ; limit = longer(limit) {
		err := try(ctx, limit, f)
		if err == nil || IsPermanent(err) {
			return err
		}
		if why == nil || !errors.Is(err, context.DeadlineExceeded) {
			why = err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), why)
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), why)
		}
	}
}

// longer returns what the next attempt may take.
func longer(limit time.Duration) time.Duration { return min(2*limit, longestAttempt) }

func try(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f(ctx)
}
