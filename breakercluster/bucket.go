package breakercluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"crypto/rand"

	"github.com/kamilsk/breaker"
)

// Bucket trips breakers by the keys of a Store. It needs no Close. All its methods may be called
// concurrently.
type Bucket struct {
	store Store
	config
}

// Open returns a Bucket on the store. It makes no request. The errors are those of the options.
// Open panics if store is nil.
func Open(store Store, options ...Option) (*Bucket, error) {
	if store == nil {
		panic("breakercluster: Open: store is nil")
	}
	b := &Bucket{store: store}
	for _, option := range options {
		if err := option(&b.config); err != nil {
			return nil, err
		}
	}
	if b.name == "" {
		b.name = defaultName()
	}
	if b.ttl == 0 {
		b.ttl = DefaultTTL
	}
	return b, nil
}

// key returns the key in the store.
func (b *Bucket) key(key string) (string, error) {
	if err := checkKey("key", key); err != nil {
		return "", err
	}
	return b.prefix + key, nil
}

// BreakByKey returns a breaker that trips when the key is set, with a TripError as its cause. If
// the key is already set, the breaker is tripped on return. If the key is deleted or expires,
// existing breakers don't change, and breakers made afterwards are open.
//
// All breakers on a store and prefix share one watch in the process. The first breaker starts it.
// It ends shortly after the last one has tripped or is closed. A breaker costs one request, an
// entry in a map and a registration with itself, and no goroutine. It trips on a goroutine that the
// watch starts for that, or on the goroutine of a Trip in this process. If the client is closed for
// good, the breaker trips with a ConnectionError, unless you use WithHoldOnClose.
//
// While the store can't answer, BreakByKey repeats the request until ctx is done. A ctx without a
// deadline gets that of the store, usually 5 s. An error means that the state is unknown: don't
// begin the work. The errors are ErrInvalidKey, those of the store, context.Canceled and
// context.DeadlineExceeded. Each matches by errors.Is.
func (b *Bucket) BreakByKey(ctx context.Context, key string) (*breaker.Breaker, error) {
	key, err := b.key(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx, b.store.About().Timeout)
	defer cancel()
	h, err := join(ctx, b)
	if err != nil {
		return nil, b.failed("watching", key, err)
	}
	r := &registration{hub: h, key: key, silence: b.silence, holds: b.holds, since: time.Now()}
	h.add(r)
	e, found, err := b.get(ctx, key)
	if err != nil {
		h.remove(r)
		return nil, b.failed("reading", key, err)
	}
	r.OnTrip(r.leave)
	if e, tripped := h.settle(r, e, found); tripped {
		cause, _ := decode(h.name, e)
		r.Trip(cause)
	}
	return &r.Breaker, nil
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
// While the store can't answer, Trip repeats the request until ctx is done. A ctx without a
// deadline gets that of the store, usually 5 s. After an error that isn't the server's answer, the
// key may be set all the same, now or later. To find out, call Trip again. The errors are those of
// BreakByKey. A nil cause stands for breaker.Interrupted. A text that is too long for the store is
// truncated and ends in "…", so that a stop doesn't fail because of it.
func (b *Bucket) Trip(ctx context.Context, key string, cause error) (TripError, bool, error) {
	key, err := b.key(key)
	if err != nil {
		return TripError{}, false, err
	}
	about := b.store.About()
	ctx, cancel := limited(ctx, about.Timeout)
	defer cancel()
	e, won, err := b.create(ctx, key, cause, about.Limit)
	if err != nil {
		return TripError{}, false, b.failed("tripping", key, err)
	}
	stands, _ := decode(about.Name, e)
	if h := running(b); h != nil {
		h.tripHere(e, stands)
	}
	return stands, won, nil
}

// errDeleted says that the key was deleted between two requests.
var errDeleted = errors.New("the key was deleted meanwhile")

// create sets the key unless it is set. It returns what the key is set to, and whether this call
// has set it.
func (b *Bucket) create(ctx context.Context, key string, cause error, limit int) (e Entry, won bool, err error) {
	if limit <= 0 || limit > longest {
		limit = longest
	}
	id := rand.Text()
	value := encode(limit, id, b.name, cause)
	err = retry(ctx, func(ctx context.Context) (err error) {
		e, won, err = b.store.Create(ctx, key, value, b.ttl)
		for ; errors.Is(err, ErrTooLong) && limit > 1; e, won, err = b.store.Create(ctx, key, value, b.ttl) {
			limit /= 2 // the store may count more than the value, and its limit may have changed
			value = encode(limit, id, b.name, cause)
		}
		switch {
		case err != nil:
			return err
		case e.Deleted:
			return errDeleted
		}
		if !won {
			// If the answer to an earlier attempt got lost, the key may have our own record.
			_, by := decode("", e)
			won = by == id
		}
		return nil
	})
	return e, won, err
}

// get returns the state of a key. It repeats the request while the store can't answer.
func (b *Bucket) get(ctx context.Context, key string) (e Entry, found bool, err error) {
	ctx, cancel := limited(ctx, b.store.About().Timeout)
	defer cancel()
	err = retry(ctx, func(ctx context.Context) error {
		e, found, err = b.store.Newest(ctx, key)
		return err
	})
	return e, found, err
}

// Lookup returns the cause that the key is set to, and whether it is set. It makes the request of
// BreakByKey, with the same errors, and starts no watch.
func (b *Bucket) Lookup(ctx context.Context, key string) (TripError, bool, error) {
	key, err := b.key(key)
	if err != nil {
		return TripError{}, false, err
	}
	e, found, err := b.get(ctx, key)
	if err != nil {
		return TripError{}, false, b.failed("reading", key, err)
	}
	if !found || e.Deleted {
		return TripError{}, false, nil
	}
	cause, _ := decode(b.store.About().Name, e)
	return cause, true, nil
}

// failed wraps an error with the operation and the key.
func (b *Bucket) failed(what, key string, err error) error {
	return fmt.Errorf("breakercluster: %s %s/%s: %w", what, b.store.About().Name, key, err)
}
