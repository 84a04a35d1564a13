package breakernats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
)

// Bucket is a key-value bucket whose keys trip breakers. It needs no Close. All its methods may be
// called concurrently.
type Bucket struct{ cluster *breakercluster.Bucket }

// Contact describes the contact with a bucket while something is watched.
type Contact = breakercluster.Contact

// Open returns the bucket with the given name on the connection of js. The bucket has to exist.
// Open makes two requests, and repeats them until ctx is done if there is no leader. It adds itself
// to the chain of error handlers of the connection, and leaves nothing else behind. A ctx without a
// deadline gets the default one of js, usually 5 s.
//
// The errors are those of package jetstream, such as ErrInvalidBucketName, ErrBucketNotFound,
// ErrJetStreamNotEnabled or ErrJetStreamNotEnabledForAccount; nats.ErrPermissionViolation;
// ErrNoExpiry and ErrMirror; and those of the options. Each matches by errors.Is. Open panics if js
// is nil.
func Open(ctx context.Context, js jetstream.JetStream, bucket string, options ...Option) (*Bucket, error) {
	if js == nil {
		panic("breakernats: Open: js is nil")
	}
	var c config
	for _, option := range options {
		if err := option(&c); err != nil {
			return nil, err
		}
	}
	s, err := NewStore(ctx, js, bucket, c.ttl)
	if err != nil {
		return nil, err
	}
	cluster, err := breakercluster.Open(s, c.cluster...)
	if err != nil {
		return nil, err
	}
	return &Bucket{cluster}, nil
}

// NewStore returns the bucket as a store of package breakercluster, for programs that choose the
// engine at run time. Keys expire after ttl; 0 means as without WithTTL. The requests and errors
// are those of Open. It panics if js is nil.
func NewStore(
	ctx context.Context, js jetstream.JetStream, bucket string, ttl time.Duration,
) (breakercluster.Store, error) {
	if js == nil {
		panic("breakernats: NewStore: js is nil")
	}
	s := newStore(js, bucket, ttl)
	if err := s.bind(ctx); err != nil {
		return nil, fmt.Errorf("breakernats: bucket %q: %w", bucket, err)
	}
	return s, nil
}

// bind looks the bucket up, and checks that its keys expire.
func (s *store) bind(ctx context.Context) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	concerns := s.publishes(s.api + "STREAM.INFO.KV_" + s.bucket)
	var status jetstream.KeyValueStatus
	err := s.retry(ctx, concerns, func(ctx context.Context) (err error) {
		s.kv, err = s.js.KeyValue(ctx, s.bucket)
		if errors.Is(err, nats.ErrNoResponders) {
			// A cluster without a leader says so by itself.
			return jetstream.ErrJetStreamNotEnabled
		}
		if err != nil {
			return err
		}
		status, err = s.kv.Status(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.largest = max(int(status.Config().MaxValueSize), 0)
	each := status.LimitMarkerTTL() > 0
	switch {
	case status.Config().Mirror != nil:
		return ErrMirror
	case s.ttl > 0 && !each:
		return fmt.Errorf("%w each at its own time: it has no LimitMarkerTTL", ErrNoExpiry)
	case status.TTL() == 0 && !each:
		return fmt.Errorf("%w: it has neither a TTL nor a LimitMarkerTTL", ErrNoExpiry)
	case status.TTL() == 0 && s.ttl == 0:
		s.ttl = DefaultTTL
	}
	return nil
}

// BreakByKey returns a breaker that trips when the key is set, with a TripError as its cause. If
// the key is already set, the breaker is tripped on return. If the key is deleted or expires,
// existing breakers don't change, and breakers made afterwards are open.
//
// All breakers on a bucket and prefix share one watch in the process. The first breaker starts it.
// It ends shortly after the last one has tripped or is closed, or after some seconds if the server
// can't be reached. A breaker costs one request, an entry in a map and a registration with itself,
// and no goroutine. It trips on a goroutine that the watch starts for that, or on the goroutine of
// a Trip in this process. If the connection is closed for good, the breaker trips with a
// ConnectionError, unless you use WithHoldOnClose.
//
// The request goes to the leader of the bucket. If there is none, BreakByKey repeats it until ctx
// is done. A ctx without a deadline gets the default one of js, usually 5 s. An error means that
// the state is unknown: don't begin the work. The errors are those of package jetstream, such as
// ErrInvalidKey or ErrBucketNotFound; nats.ErrPermissionViolation and nats.ErrConnectionClosed;
// context.Canceled and context.DeadlineExceeded. Each matches by errors.Is.
func (b *Bucket) BreakByKey(ctx context.Context, key string) (*breaker.Breaker, error) {
	br, err := b.cluster.BreakByKey(ctx, key)
	return br, asNATS(err)
}

// Trip sets the key, with the text of the cause as its value, and so trips the breakers for it,
// here and on every node. Only the first Trip sets the key. Trip returns the cause that is set, and
// true iff this call has set it.
//
// When Trip returns without an error, no breaker for the key is open in this process, if this
// Bucket or another one alike has returned it. The callbacks run on the calling goroutine, unless
// the watch was faster. Trip doesn't wait for other nodes, where breakers trip when the watch tells
// them.
//
// If there is no leader, Trip repeats the request until ctx is done. A ctx without a deadline gets
// the default one of js. After an error that isn't the server's answer, the key may be set all the
// same, now or later. To find out, call Trip again. The errors are those of BreakByKey. A nil cause
// stands for breaker.Interrupted. A text that is too long for the bucket is truncated and ends in
// "…", so that a stop doesn't fail because of it.
func (b *Bucket) Trip(ctx context.Context, key string, cause error) (TripError, bool, error) {
	stands, won, err := b.cluster.Trip(ctx, key, cause)
	return stands, won, asNATS(err)
}

// Lookup returns the cause that the key is set to, and whether it is set. It makes the request of
// BreakByKey, to the leader of the bucket, with the same errors, and starts no watch.
func (b *Bucket) Lookup(ctx context.Context, key string) (TripError, bool, error) {
	cause, set, err := b.cluster.Lookup(ctx, key)
	return cause, set, asNATS(err)
}

// Contact returns the state of the contact with the cluster. It makes no request, and takes a lock
// briefly.
func (b *Bucket) Contact() Contact { return b.cluster.Contact() }

// natsError is an error of package breakercluster that is also one of package jetstream.
type natsError struct {
	error
	also error
}

// Error begins with the name of this package.
func (e natsError) Error() string {
	return "breakernats" + strings.TrimPrefix(e.error.Error(), "breakercluster")
}

// Unwrap returns what it matches.
func (e natsError) Unwrap() []error {
	if e.also == nil {
		return []error{e.error}
	}
	return []error{e.error, e.also}
}

func asNATS(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, breakercluster.ErrInvalidKey):
		return natsError{err, jetstream.ErrInvalidKey}
	default:
		return natsError{error: err}
	}
}
