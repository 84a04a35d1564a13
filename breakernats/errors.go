package breakernats

import (
	"errors"

	"github.com/kamilsk/breaker/breakercluster"
)

// ErrNoExpiry is what Open returns for a bucket whose keys can't expire, or, with WithTTL, can't
// each have a time of its own.
var ErrNoExpiry = errors.New("keys of the bucket can't expire")

// ErrMirror is what Open returns for a bucket that mirrors another one. It lags behind, and nothing
// is created in it.
var ErrMirror = errors.New("the bucket is a mirror")

// TripError is the cause of a breaker that was tripped by its key. All breakers that were tripped
// by the same revision of the key have the same cause, field by field. It matches
// breaker.Interrupted and context.Canceled.
type TripError = breakercluster.TripError

// SilenceError is the cause of a breaker that was out of contact with its bucket for too long; see
// WithSilence. Its Why is what the server denied, nats.ErrDisconnected, or context.DeadlineExceeded
// if the leader didn't answer. It matches breaker.Interrupted and context.Canceled.
type SilenceError = breakercluster.SilenceError

// ConnectionError is the cause of a breaker whose connection was closed for good: by the program,
// or by nats.go, which gives up after 60 attempts and after two refusals of the credentials unless
// its options say otherwise. The breaker couldn't be tripped by its key any more. See
// WithHoldOnClose. It matches breaker.Interrupted and context.Canceled.
type ConnectionError = breakercluster.ConnectionError
