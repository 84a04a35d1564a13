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
)

const (
	// attempt is how long one request waits for its answer. The leader that it has gone to may just have died.
	attempt = time.Second
	// pause is the time between two attempts.
	pause = 100 * time.Millisecond
)

// store is a bucket, read where the truth is: at the leader of its stream. What package jetstream calls Get may
// be answered by any replica, also by one that lags behind or is cut off from the others, and so must not
// decide that a key isn't set.
type store struct {
	js     jetstream.JetStream
	nc     *nats.Conn
	kv     jetstream.KeyValue
	bucket string
	api    string // the prefix of API requests, with a dot at its end
	inbox  string // the prefix of subjects for answers, with a dot at its end
	// largest is the size of a value, as far as is known; 0 if it isn't limited.
	largest  int
	refusals *refusals
}

func newStore(js jetstream.JetStream, bucket string) *store {
	nc := js.Conn()
	inbox := nc.Opts.InboxPrefix
	if inbox == "" {
		inbox = strings.TrimSuffix(nats.InboxPrefix, ".")
	}
	return &store{js: js, nc: nc, bucket: bucket, api: apiPrefix(js), inbox: inbox + ".", refusals: refusalsOf(nc)}
}

// entry is the newest message of a key: a value, or the mark that there is none any more.
type entry struct {
	key      string
	revision uint64
	deleted  bool
	value    []byte
	created  time.Time
}

// isAfter reports whether this came after the other one; everything is after nothing. Revisions decide, but they
// begin again in a bucket that is made anew, and the clocks of two servers may differ: either is enough.
func (e *entry) isAfter(other *entry) bool {
	return other == nil || e.revision > other.revision || e.created.After(other.created)
}

// apiPrefix returns where the API of the given context is: it has one of its own behind a leaf node, or imported from
// another account.
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

// retry calls f, each time with a limit of its own, until it succeeds, it fails for good, or ctx is done. A
// cluster that is electing a leader doesn't answer, or says that it can't, so neither means anything yet.
func (s *store) retry(ctx context.Context, concerns concern, f func(context.Context) error) error {
	ctx, cancel := s.limited(ctx)
	defer cancel()
	for {
		err := s.try(ctx, attempt, concerns, f)
		if err == nil || !isTransient(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// try calls f once, with a limit, and ends the wait at once if the server has refused the request.
func (s *store) try(ctx context.Context, limit time.Duration, concerns concern, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	defer s.onRefusal(concerns, refuse)()
	err := f(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, nats.ErrPermissionViolation) {
		return cause
	}
	return err
}

// longest is how long a value of this package gets at most.
const longest = 64 << 10

// limit is how long a value may be, as far as is known.
func (s *store) limit() int {
	const headers = 1 << 10
	limit := longest
	if s.largest > 0 {
		limit = min(limit, s.largest)
	}
	if payload := int(s.nc.MaxPayload()); payload > headers {
		limit = min(limit, payload-headers)
	}
	return limit
}

// isTooLong reports whether a shorter value may be accepted.
func isTooLong(err error) bool {
	const exceedsMaximum = 10054
	var api *jetstream.APIError
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && api.ErrorCode == exceedsMaximum
}

// errDeleted says that the key was deleted between two requests.
var errDeleted = errors.New("the key was deleted meanwhile")

// isTransient reports whether the same request may succeed later on.
func isTransient(err error) bool {
	for _, transient := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, jetstream.ErrNoStreamResponse, errDeleted,
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
func (s *store) newest(ctx context.Context, pattern string) (e entry, found bool, err error) {
	space := "$KV." + s.bucket + "."
	query, err := json.Marshal(map[string]string{"last_by_subj": space + pattern})
	if err != nil {
		return entry{}, false, err
	}
	m, err := s.nc.RequestWithContext(ctx, s.getSubject(), query)
	if err != nil {
		return entry{}, false, err
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
		return entry{}, false, fmt.Errorf("the answer of the server can't be read: %w", err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return entry{}, false, nil
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return entry{}, false, jetstream.ErrBucketNotFound
	case answer.Error != nil:
		return entry{}, false, answer.Error
	case answer.Message == nil:
		return entry{}, false, errors.New("the answer of the server has neither a message nor an error")
	}
	e = entry{
		key:      strings.TrimPrefix(answer.Message.Subject, space),
		revision: answer.Message.Seq,
		value:    answer.Message.Data,
		created:  answer.Message.Time,
	}
	if len(answer.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(answer.Message.Header)
		if err != nil {
			return entry{}, false, fmt.Errorf("the answer of the server can't be read: %w", err)
		}
		// The first is set by who deletes a key, the second by the server, when one expires.
		e.deleted = header.Get("KV-Operation") != "" || header.Get(jetstream.MarkerReasonHeader) != ""
	}
	return e, true, nil
}

// get returns the state of a key, asking again while there is no leader to answer.
func (s *store) get(ctx context.Context, key string) (e entry, found bool, err error) {
	err = s.retry(ctx, s.publishes(s.getSubject()), func(ctx context.Context) error {
		e, found, err = s.newest(ctx, key)
		return err
	})
	return e, found, err
}
