package breakernats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/kamilsk/breaker"
)

// Bucket is a key-value bucket whose keys trip breakers. It holds nothing that would have to be closed. All its
// methods may be called concurrently.
type Bucket struct {
	store *store
	config
}

// Open returns the bucket with the given name, which has to exist, on the connection of js. It makes two
// requests, which are repeated until ctx is done if there is no leader, and leaves nothing behind. A ctx without a
// deadline gets the default one of js, 5 s as a rule.
//
// The errors are those of package jetstream, as ErrInvalidBucketName, ErrBucketNotFound, ErrJetStreamNotEnabled
// or ErrJetStreamNotEnabledForAccount; nats.ErrPermissionViolation; ErrNoExpiry and ErrMirror; and what is
// wrong with an option. Each matches by errors.Is. Open panics if js is nil.
func Open(ctx context.Context, js jetstream.JetStream, bucket string, options ...Option) (*Bucket, error) {
	if js == nil {
		panic("breakernats: Open: js is nil")
	}
	b := &Bucket{store: newStore(js, bucket)}
	for _, option := range options {
		if err := option(&b.config); err != nil {
			return nil, err
		}
	}
	if b.name == "" {
		b.name = defaultName()
	}
	if err := b.bind(ctx); err != nil {
		return nil, fmt.Errorf("breakernats: bucket %q: %w", bucket, err)
	}
	return b, nil
}

// bind looks the bucket up, and checks that its keys expire.
func (b *Bucket) bind(ctx context.Context) error {
	var status jetstream.KeyValueStatus
	err := b.store.retry(ctx, b.store.publishes(b.store.api+"STREAM.INFO.KV_"+b.store.bucket), func(ctx context.Context) (err error) {
		b.store.kv, err = b.store.js.KeyValue(ctx, b.store.bucket)
		if errors.Is(err, nats.ErrNoResponders) {
			return jetstream.ErrJetStreamNotEnabled // a cluster without a leader has somebody who says so
		}
		if err != nil {
			return err
		}
		status, err = b.store.kv.Status(ctx)
		return err
	})
	if err != nil {
		return err
	}
	b.store.largest = max(int(status.Config().MaxValueSize), 0)
	each := status.LimitMarkerTTL() > 0
	switch {
	case status.Config().Mirror != nil:
		return ErrMirror
	case b.ttl > 0 && !each:
		return fmt.Errorf("%w each at its own time: it has no LimitMarkerTTL", ErrNoExpiry)
	case status.TTL() == 0 && !each:
		return fmt.Errorf("%w: it has neither a TTL nor a LimitMarkerTTL", ErrNoExpiry)
	case status.TTL() == 0 && b.ttl == 0:
		b.ttl = DefaultTTL
	}
	return nil
}

// key returns the key in the bucket.
func (b *Bucket) key(key string) (string, error) {
	if err := checkKey("key", key); err != nil {
		return "", err
	}
	return b.prefix + key, nil
}

// BreakByKey returns a breaker that trips when the key is set, with a TripError as its cause. If the key is set
// already, the breaker is tripped on return. That the key is deleted or expires changes nothing for a breaker;
// one made afterwards is open.
//
// The first breaker on a bucket and prefix starts a watch for the process, which all others share, and the last
// one that trips or is closed ends it, shortly after: some seconds if the server can't be reached. A breaker
// costs one request, an entry in a map and a registration with itself, and no goroutine. It trips on a
// goroutine that the watch starts for that, or on that of a Trip in this process. A closed connection leaves it
// as it is, but for WithSilence.
//
// The request goes to the leader of the bucket, and is repeated until ctx is done if there is none. A ctx
// without a deadline gets the default one of js, 5 s as a rule. An error means that nobody knows, so the work
// had better not begin. The errors are those of package jetstream, as ErrInvalidKey or ErrBucketNotFound;
// nats.ErrPermissionViolation and nats.ErrConnectionClosed; context.Canceled and context.DeadlineExceeded. Each
// matches by errors.Is.
func (b *Bucket) BreakByKey(ctx context.Context, key string) (*breaker.Breaker, error) {
	key, err := b.key(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := b.store.limited(ctx)
	defer cancel()
	h, err := join(ctx, b)
	if err != nil {
		return nil, b.failed("watching", key, err)
	}
	r := &registration{hub: h, key: key, silence: b.silence, holds: b.holds, since: time.Now()}
	h.add(r)
	e, found, err := b.store.get(ctx, key)
	if err != nil {
		h.remove(r)
		return nil, b.failed("reading", key, err)
	}
	r.OnTrip(r.leave)
	if e, tripped := h.settle(r, e, found); tripped {
		cause, _ := decode(b.store.bucket, e)
		r.Trip(cause)
	}
	return &r.Breaker, nil
}

// Trip sets the key, with the cause as text, and so trips the breakers for it, here and on every node. Only the
// first one sets it: Trip returns the cause that stands, and true iff it is that of this call. Either way, when
// it returns without an error, no breaker for the key is open that this Bucket, or another one alike in the process,
// has returned. The callbacks run on the calling goroutine, unless the watch was faster. On other nodes
// breakers trip when they are told: Trip doesn't wait for them.
//
// It is repeated until ctx is done if there is no leader. A ctx without a deadline gets the default one of js.
// After an error that isn't the server's answer the key may be set nevertheless, or be set later on. To know,
// call it again. The errors are the same as those of BreakByKey. A nil cause stands for breaker.Interrupted.
// A text that is too long for a value of the bucket is cut, and ends in "…": a stop doesn't fail because of it.
func (b *Bucket) Trip(ctx context.Context, key string, cause error) (TripError, bool, error) {
	key, err := b.key(key)
	if err != nil {
		return TripError{}, false, err
	}
	ctx, cancel := b.store.limited(ctx)
	defer cancel()
	id := nuid.Next()
	e, won, err := b.create(ctx, key, id, cause)
	if err != nil {
		return TripError{}, false, b.failed("tripping", key, err)
	}
	stands, _ := decode(b.store.bucket, e)
	if h := running(b); h != nil {
		h.tripHere(e, stands)
	}
	return stands, won, nil
}

// create sets the key unless it is set, and returns what it is then, and whether that is by this call.
func (b *Bucket) create(ctx context.Context, key, id string, cause error) (e entry, won bool, err error) {
	var options []jetstream.KVCreateOpt
	if b.ttl > 0 {
		options = append(options, jetstream.KeyTTL(b.ttl))
	}
	creates, reads := b.store.creates(key), b.store.publishes(b.store.getSubject())
	concerns := func(d denial) bool { return creates(d) || reads(d) }
	limit := b.store.limit()
	value := encode(limit, id, b.name, cause)
	err = b.store.retry(ctx, concerns, func(ctx context.Context) error {
		revision, err := b.store.kv.Create(ctx, key, value, options...)
		for ; isTooLong(err) && limit > 1; revision, err = b.store.kv.Create(ctx, key, value, options...) {
			limit /= 2 // headers count, and the limits may have changed
			value = encode(limit, id, b.name, cause)
		}
		if err == nil {
			e, won = entry{key: key, revision: revision, value: value, created: time.Now()}, true
			if _, by := decode(b.store.bucket, e); by == "" {
				// A value without a record has the time of the server, which has to be asked for it.
				if set, found, err := b.store.newest(ctx, key); err == nil && found && set.revision == revision {
					e = set
				}
			}
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		var found bool
		// It is set, so what follows only reads.
		e, found, err = b.store.newest(ctx, key)
		switch {
		case err != nil:
			return err
		case !found || e.deleted:
			return errDeleted
		}
		// If the answer to an earlier attempt got lost, it is our own record that is in the way.
		_, by := decode(b.store.bucket, e)
		won = by == id
		return nil
	})
	return e, won, err
}

// Lookup returns the cause that the key is set to, and whether it is set. It makes one request, to the leader
// of the bucket, as BreakByKey does, with the same errors, and starts no watch.
func (b *Bucket) Lookup(ctx context.Context, key string) (TripError, bool, error) {
	key, err := b.key(key)
	if err != nil {
		return TripError{}, false, err
	}
	e, found, err := b.store.get(ctx, key)
	if err != nil {
		return TripError{}, false, b.failed("reading", key, err)
	}
	if !found || e.deleted {
		return TripError{}, false, nil
	}
	cause, _ := decode(b.store.bucket, e)
	return cause, true, nil
}

// failed says what has failed.
func (b *Bucket) failed(what, key string, err error) error {
	return fmt.Errorf("breakernats: %s %s/%s: %w", what, b.store.bucket, key, err)
}
