package breakercluster

import (
	"context"
	"errors"
	"time"
)

// Store is what holds the keys: a bucket, a table, a key space. It has three verbs. What it returns
// is judged by its revisions: each key that is set gets one, and it is greater than all before it.
//
// All methods may be called concurrently. Each returns soon after ctx is done. An error that no
// repetition can help is returned by Permanent, and by Gone if the client of the store is closed
// for good. All others are taken for an outage, and the call is repeated.
type Store interface {
	// About returns what has to be known of the store. It makes no request.
	About() About

	// Create sets the key to the value, unless it is set, and returns what it is then, and whether
	// this call has set it. The key expires after ttl. The answer comes from where writes are
	// decided, never from a replica that may lag.
	Create(ctx context.Context, key string, value []byte, ttl time.Duration) (e Entry, won bool, err error)

	// Newest returns the entry with the highest revision whose key matches the pattern: a key, or a
	// prefix followed by Any. It reads where writes are decided.
	//
	// For a key that isn't set, it returns a deleted Entry whose revision is that of the deletion
	// or of any moment since, no later than the reading; or false if there is nothing like that.
	// For a prefix it may be the newest of the whole store, if Watch delivers as much.
	Newest(ctx context.Context, pattern string) (e Entry, found bool, err error)

	// Watch delivers at least what matches the pattern and has been set after the given revision
	// and not been deleted: first what there is, then what comes. It returns when that is being
	// delivered, or is sure to be. The context is for that only. An Entry may be delivered twice.
	Watch(ctx context.Context, pattern string, after uint64, deliver func(Entry)) (Watch, error)
}

// Any at the end of a pattern stands for all that may follow.
const Any = "*"

// Watch is a subscription. It calls deliver on one goroutine at a time, by rising revisions.
type Watch interface {
	// Done is closed when the subscription has ended by itself, or by Stop, and deliver isn't
	// running any more.
	Done() <-chan struct{}
	// Stop ends it. It doesn't wait for long, whatever the state of the connection.
	Stop()
}

// Entry is the newest state of a key.
type Entry struct {
	Key      string
	Revision uint64
	// Deleted says that the key isn't set any more.
	Deleted bool
	Value   []byte
	// Created is when, by the clock of the server; zero if the store doesn't know.
	Created time.Time
}

// isAfter reports whether this came after the other one; everything is after nothing. Revisions
// decide, but they begin again in a store that is made anew, and the clocks of two servers may
// differ: either is enough.
func (e *Entry) isAfter(other *Entry) bool {
	later := other != nil && !other.Created.IsZero() && e.Created.After(other.Created)
	return other == nil || e.Revision > other.Revision || later
}

// About is what has to be known of a Store.
type About struct {
	// Name says in causes and errors which store it is.
	Name string
	// Identity is equal for Stores that watch the same keys by the same client: they share a watch.
	// It has to be comparable.
	Identity any
	// Limit is how long a value may be, as far as is known; 0 if there is no limit.
	Limit int
	// Timeout limits calls whose context has no deadline. By default it is 5 s.
	Timeout time.Duration
}

// ErrTooLong is what Create returns if a shorter value may be accepted.
var ErrTooLong = errors.New("the value is too long")

// permanent is an error that no repetition helps.
type permanent struct {
	error
	gone bool
}

func (p permanent) Unwrap() error { return p.error }

// Permanent marks the error of a Store as one that no repetition helps, such as what isn't allowed.
func Permanent(err error) error { return permanent{error: err} }

// Gone marks the error of a Store as that of a client that is closed for good.
func Gone(err error) error { return permanent{error: err, gone: true} }

// IsPermanent reports whether no repetition helps against the error of a Store: it is by Permanent
// or Gone, or the caller has given up.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p) || errors.Is(err, context.Canceled)
}

func isGone(err error) bool {
	var p permanent
	return errors.As(err, &p) && p.gone
}

const (
	// attempt is how long one request waits for its answer. Where it has gone to may just have
	// died.
	attempt = time.Second
	// longestAttempt is what one may take after others have failed: to read all that is set takes
	// its time.
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
// done. A cluster that is electing a leader doesn't answer, or says that it can't, so neither means
// anything yet.
func retry(ctx context.Context, f func(context.Context) error) error {
	var why error // the last one that says more than that there was no answer
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
