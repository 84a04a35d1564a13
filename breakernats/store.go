package breakernats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker/breakercluster"
)

const (
	// attempt is how long one request waits for its answer. The leader that it has gone to may just
	// have died.
	attempt = time.Second
	// pause is the time between two attempts.
	pause = 100 * time.Millisecond
)

// store is a bucket, read at the leader of its stream. Get of package jetstream may be answered by
// any replica. That replica may lag behind, or be cut off from the others, so its answer must not
// decide that a key isn't set.
type store struct {
	js     jetstream.JetStream
	nc     *nats.Conn
	kv     jetstream.KeyValue
	bucket string
	api    string // the prefix of API requests, with a dot at its end
	inbox  string // the prefix of subjects for answers, with a dot at its end
	// largest is the size of a value, as far as is known; 0 if it isn't limited.
	largest int
	// ttl is after what time a key expires, 0 if the bucket says so.
	ttl      time.Duration
	refusals *refusals
}

func newStore(js jetstream.JetStream, bucket string, ttl time.Duration) *store {
	nc := js.Conn()
	inbox := nc.Opts.InboxPrefix
	if inbox == "" {
		inbox = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	return &store{
		js: js, nc: nc, bucket: bucket, ttl: ttl, api: apiPrefix(js), inbox: inbox + ".", refusals: refusalsOf(nc),
	}
}

// apiPrefix returns where the API of the given context is: it has one of its own behind a leaf
// node, or imported from another account.
func apiPrefix(js jetstream.JetStream) string {
	switch o := js.Options(); {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	default:
		return jetstream.DefaultAPIPrefix
	}
}

// limited gives a context without a deadline the one that package jetstream would give it.
func (s *store) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	limit := s.js.Options().DefaultTimeout
	if limit <= 0 {
		limit = 5 * time.Second
	}
	return context.WithTimeout(ctx, limit)
}

// retry calls f, each time with a limit of its own, until it succeeds, it fails for good, or ctx is
// done. Package breakercluster does the same for the three verbs.
func (s *store) retry(ctx context.Context, concerns concern, f func(context.Context) error) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	for {
		err := s.try(ctx, attempt, concerns, f)
		if err == nil || breakercluster.IsPermanent(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// try calls f once, with a limit.
func (s *store) try(ctx context.Context, limit time.Duration, concerns concern, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.answered(ctx, concerns, f)
}

// answered calls f, and ends the wait at once if the server has refused the request. Its error says
// whether another attempt may help.
func (s *store) answered(ctx context.Context, concerns concern, f func(context.Context) error) error {
	switch {
	case s.nc.IsClosed():
		return s.gone()
	case s.nc.IsReconnecting():
		// The request would be kept until there is a connection, and its time be over.
		return nats.ErrDisconnected
	}
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	defer s.onRefusal(concerns, refuse)()
	err := f(ctx)
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(cause, nats.ErrPermissionViolation):
		return breakercluster.Permanent(cause)
	case errors.Is(err, nats.ErrConnectionClosed):
		return s.gone()
	case isTooLong(err):
		return fmt.Errorf("%w: %w", breakercluster.ErrTooLong, err)
	case isTransient(err):
		return err
	default:
		return breakercluster.Permanent(err)
	}
}

// gone is the error of a closed connection, with the last one it had.
func (s *store) gone() error {
	err := nats.ErrConnectionClosed
	if last := s.nc.LastError(); last != nil && !errors.Is(last, err) {
		err = fmt.Errorf("%w: %w", err, last)
	}
	return breakercluster.Gone(err)
}

// limit is how long a value may be, as far as is known.
func (s *store) limit() int {
	const headers = 1 << 10
	payload := int(s.nc.MaxPayload()) - headers
	switch {
	case payload <= 0:
		return s.largest
	case s.largest > 0:
		return min(s.largest, payload)
	default:
		return payload
	}
}

// isTooLong reports whether a shorter value may be accepted.
func isTooLong(err error) bool {
	const exceedsMaximum = 10054
	var api *jetstream.APIError
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && api.ErrorCode == exceedsMaximum
}

// identity is what Stores that share a watch have in common.
type identity struct {
	nc          *nats.Conn
	api, bucket string
}

// About describes the bucket.
func (s *store) About() breakercluster.About {
	return breakercluster.About{
		Name: s.bucket, Identity: identity{s.nc, s.api, s.bucket}, Limit: s.limit(), Timeout: s.js.Options().DefaultTimeout,
	}
}

// subjectOf returns the pattern as NATS writes it.
func subjectOf(pattern string) string {
	if prefix, ok := strings.CutSuffix(pattern, breakercluster.Any); ok {
		return prefix + ">"
	}
	return pattern
}

// Create sets the key unless it is set. The bucket, or the Bucket's own option, says when it
// expires.
func (s *store) Create(
	ctx context.Context, key string, value []byte, _ time.Duration,
) (e breakercluster.Entry, won bool, err error) {
	var options []jetstream.KVCreateOpt
	if s.ttl > 0 {
		options = append(options, jetstream.KeyTTL(s.ttl))
	}
	err = s.answered(ctx, s.creates(key), func(ctx context.Context) error {
		revision, err := s.kv.Create(ctx, key, value, options...)
		if err == nil {
			e, won = breakercluster.Entry{Key: key, Revision: revision, Value: value, Created: time.Now()}, true
		}
		return err
	})
	if err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return e, false, err
	}
	if won && breakercluster.IsRecord(value) {
		return e, true, nil
	}
	// It is set, so what follows only reads. A value without a record has the time of the server,
	// which has to be asked.
	set, found, err := s.Newest(ctx, key)
	switch {
	case err != nil:
		return e, won, err
	case !found || set.Deleted:
		return breakercluster.Entry{Deleted: true}, false, nil
	}
	return set, won && set.Revision == e.Revision, nil
}

// Newest asks the leader.
func (s *store) Newest(ctx context.Context, pattern string) (e breakercluster.Entry, found bool, err error) {
	err = s.answered(ctx, s.publishes(s.getSubject()), func(ctx context.Context) error {
		e, found, err = s.newest(ctx, subjectOf(pattern))
		return err
	})
	return e, found, err
}

// isTransient reports whether the same request may succeed later on.
func isTransient(err error) bool {
	for _, transient := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, jetstream.ErrNoStreamResponse,
	} {
		if errors.Is(err, transient) {
			return true
		}
	}
	const unavailable = 503
	var api *jetstream.APIError
	var old *nats.APIError // watches come from the older API
	switch {
	case errors.As(err, &api):
		off := api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled ||
			api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount
		return api.Code == unavailable && !off
	case errors.As(err, &old):
		off := old.ErrorCode == nats.JSErrCodeJetStreamNotEnabled ||
			old.ErrorCode == nats.JSErrCodeJetStreamNotEnabledForAccount
		return old.Code == unavailable && !off
	default:
		return false
	}
}

// getSubject is where the leader is asked.
func (s *store) getSubject() string { return s.api + "STREAM.MSG.GET.KV_" + s.bucket }

// newest returns the last message whose key matches the pattern, and whether there is one.
func (s *store) newest(ctx context.Context, pattern string) (e breakercluster.Entry, found bool, err error) {
	space := "$KV." + s.bucket + "."
	query, err := json.Marshal(map[string]string{"last_by_subj": space + pattern})
	if err != nil {
		return breakercluster.Entry{}, false, err
	}
	m, err := s.nc.RequestWithContext(ctx, s.getSubject(), query)
	if err != nil {
		return breakercluster.Entry{}, false, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return breakercluster.Entry{}, false, fmt.Errorf("the answer of the server can't be read: %w", err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return breakercluster.Entry{}, false, nil
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return breakercluster.Entry{}, false, jetstream.ErrBucketNotFound
	case answer.Error != nil:
		return breakercluster.Entry{}, false, answer.Error
	case answer.Message == nil:
		return breakercluster.Entry{}, false, errors.New("the answer of the server has neither a message nor an error")
	}
	e = breakercluster.Entry{
		Key:      strings.TrimPrefix(answer.Message.Subject, space),
		Revision: answer.Message.Seq,
		Value:    answer.Message.Data,
		Created:  answer.Message.Time,
	}
	if len(answer.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return breakercluster.Entry{}, false, fmt.Errorf("the answer of the server can't be read: %w", err)
		}
		// The first is set by the client that deletes a key, the second by the server when one
		// expires.
		e.Deleted = header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != ""
	}
	return e, true, nil
}
