package breakeretcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker/breakercluster"
)

// Store keeps what is set under a prefix of an etcd cluster:
//
//	{prefix}/keys/{key}   a record, with a lease that ends when the key expires
//	{prefix}/newest       written with each of them: its revision is that of the newest
//
// Its methods may be called concurrently.
type Store struct {
	client *clientv3.Client
	prefix string
}

var _ breakercluster.Store = (*Store)(nil)

// New returns the Store under the prefix. It uses the client but never closes it: close it when no
// breaker needs it any more. New makes no request. It panics if the client is nil or the prefix is
// empty.
func New(client *clientv3.Client, prefix string) *Store {
	if client == nil {
		panic("breakeretcd: New: the client is nil")
	}
	if prefix == "" {
		panic("breakeretcd: New: the prefix is empty")
	}
	return &Store{client, prefix}
}

type identity struct {
	client *clientv3.Client
	prefix string
}

// About implements breakercluster.Store.
func (s *Store) About() breakercluster.About {
	return breakercluster.About{Name: s.prefix, Identity: identity{s.client, s.prefix}}
}

func (s *Store) keys() string           { return s.prefix + "/keys/" }
func (s *Store) newest() string         { return s.prefix + "/newest" }
func (s *Store) path(key string) string { return s.keys() + key }
func (s *Store) key(path []byte) string { return strings.TrimPrefix(string(path), s.keys()) }
func (s *Store) entry(kv *mvccpb.KeyValue) breakercluster.Entry {
	return breakercluster.Entry{Key: s.key(kv.Key), Revision: uint64(kv.ModRevision), Value: kv.Value}
}

// Create sets the key by a transaction, with a lease of its own.
func (s *Store) Create(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (e breakercluster.Entry, won bool, err error) {
	// A trip that comes too late needs no lease.
	if e, found, err := s.Newest(ctx, key); err != nil || found && !e.Deleted {
		return e, false, err
	}
	lease, err := s.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return e, false, s.failed(err)
	}
	path := s.path(key)
	answer, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(path), "=", 0)).
		Then(clientv3.OpPut(path, string(value), clientv3.WithLease(lease.ID)), clientv3.OpPut(s.newest(), "")).
		Else(clientv3.OpGet(path)).
		Commit()
	if err == nil && answer.Succeeded {
		return breakercluster.Entry{Key: key, Revision: uint64(answer.Header.Revision), Value: value}, true, nil
	}
	if err == nil || !isUnknown(err) {
		// The lease is of no use. It ends by itself if it can't be revoked.
		_, _ = s.client.Revoke(ctx, lease.ID)
	}
	if err != nil {
		return e, false, s.failed(err)
	}
	kvs := answer.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 0 {
		return breakercluster.Entry{Deleted: true}, false, nil
	}
	return s.entry(kvs[0]), false, nil
}

// Newest makes a linearizable read: a member that is cut off from the others can't answer.
func (s *Store) Newest(ctx context.Context, pattern string) (e breakercluster.Entry, found bool, err error) {
	path := s.path(pattern)
	if strings.HasSuffix(pattern, breakercluster.Any) {
		path = s.newest()
	}
	answer, err := s.client.Get(ctx, path)
	switch {
	case err != nil:
		return e, false, s.failed(err)
	case len(answer.Kvs) > 0:
		return s.entry(answer.Kvs[0]), true, nil
	case path == s.newest():
		return e, false, nil
	default:
		return breakercluster.Entry{Key: pattern, Revision: uint64(answer.Header.Revision), Deleted: true}, true, nil
	}
}

// Watch reads what is set and has changed since, and then watches from there. So it doesn't matter
// whether the history has been compacted meanwhile. It watches all keys of the Store, as the newest
// revision is that of all.
func (s *Store) Watch(
	ctx context.Context, _ string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	answer, err := s.client.Get(ctx, s.keys(), clientv3.WithPrefix(), clientv3.WithMinModRev(int64(after)+1))
	if err != nil {
		return nil, s.failed(err)
	}
	slices.SortFunc(answer.Kvs, func(a, b *mvccpb.KeyValue) int { return int(a.ModRevision - b.ModRevision) })
	// Without a leader the watch would go on at a member that is cut off, and say nothing.
	life, cancel := context.WithCancel(clientv3.WithRequireLeader(s.client.Ctx()))
	w := &watch{cancel: cancel, done: make(chan struct{})}
	go w.read(s, life, answer.Kvs, answer.Header.Revision, deliver)
	return w, nil
}

type watch struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (w *watch) read(
	s *Store, life context.Context, kvs []*mvccpb.KeyValue, revision int64, deliver func(breakercluster.Entry),
) {
	defer close(w.done)
	defer w.cancel()
	for _, kv := range kvs {
		deliver(s.entry(kv))
	}
	// The client makes a watch anew after each reconnection, where it was. It ends if the history
	// is gone from there, if there is no leader, and if it isn't allowed.
	for answer := range s.client.Watch(life, s.keys(), clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
		if answer.Err() != nil {
			return
		}
		for _, event := range answer.Events {
			if event.Type == clientv3.EventTypePut {
				deliver(s.entry(event.Kv))
			}
		}
	}
}

// Done implements breakercluster.Watch.
func (w *watch) Done() <-chan struct{} { return w.done }

// Stop implements breakercluster.Watch.
func (w *watch) Stop() { w.cancel() }

// isUnknown reports whether the transaction may have been made.
func isUnknown(err error) bool {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.InvalidArgument:
		return false
	default:
		return true
	}
}

// failed says whether another attempt may help.
func (s *Store) failed(err error) error {
	text := err
	err = rpctypes.Error(err)
	switch {
	case s.client.Ctx().Err() != nil:
		return breakercluster.Gone(fmt.Errorf("the client is closed: %w", text))
	case errors.Is(err, rpctypes.ErrRequestTooLarge):
		return fmt.Errorf("%w: %w", breakercluster.ErrTooLong, text)
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrUserEmpty),
		errors.Is(err, rpctypes.ErrAuthFailed):
		return breakercluster.Permanent(text)
	default:
		return text
	}
}
