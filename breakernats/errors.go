package breakernats

import (
	"errors"

	"github.com/kamilsk/breaker/breakercluster"
)

// ErrNoExpiry is what Open returns for a bucket whose keys can't expire. With WithTTL, it is also
// returned for a bucket whose keys can't each have a TTL of their own.
var ErrNoExpiry = errors.New("keys of the bucket can't expire")

// ErrMirror is what Open returns for a bucket that mirrors another one. A mirror lags behind, and
// no key can be created in it.
var ErrMirror = errors.New("the bucket is a mirror")

// TripError is the cause of a breaker that was tripped by its key. All breakers that were tripped
// by the same revision of the key have the same cause, field by field. It matches
// breaker.Interrupted and context.Canceled.
type TripError = breakercluster.TripError

// SilenceError is the cause of a breaker that was out of contact with its bucket for too long; see
// WithSilence. Its Why is what the server denied, nats.ErrDisconnected, or context.DeadlineExceeded
// if the leader didn't answer. It matches breaker.Interrupted and context.Canceled.
type SilenceError = breakercluster.SilenceError

// ConnectionError is the cause of a breaker if the connection was closed for good, so that the key
// couldn't trip the breaker any more. The program has closed it, or nats.go has given up: after 60
// attempts or two refusals of the credentials, unless its options say otherwise. See
// WithHoldOnClose. It matches breaker.Interrupted and context.Canceled.
type ConnectionError = breakercluster.ConnectionError
