package breakerredis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/kamilsk/breaker/breakercluster"
)

// Store keeps what is set in Redis, in keys that are in one slot of a cluster:
//
//	breaker:{name}:key:{key}   a revision and a record, until the key expires
//	breaker:{name}:index       the keys that are set, by when they expire
//	breaker:{name}:log         a stream of the last 10,000 trips; its IDs are the revisions
//
// Its methods may be called concurrently.
type Store struct {
	client *redis.Client
	// calls is the client, but observes the contexts of its calls.
	calls *redis.Client
	name  string
	space string
	// closed says that the client was found closed. It can't be asked.
	closed atomic.Bool
}

var _ breakercluster.Store = (*Store)(nil)

// New returns the Store with the name. It uses the client but never closes it: close it when no
// breaker needs it any more. New makes no request. It panics if the client is nil or the name is
// empty.
func New(client *redis.Client, name string) *Store {
	if client == nil {
		panic("breakerredis: New: the client is nil")
	}
	if name == "" {
		panic("breakerredis: New: the name is empty")
	}
	// Without that, a call would outlive its context by some seconds, and by a silence. The
	// connections are those of the client, and so is their end.
	const limit = 3 * time.Second
	calls := client.WithTimeout(limit)
	calls.Options().ContextTimeoutEnabled = true
	calls.Options().MaxRetries = 0 // package breakercluster repeats calls
	return &Store{client: client, calls: calls, name: name, space: "breaker:{" + name + "}:"}
}

type identity struct {
	client *redis.Client
	name   string
}

// About implements breakercluster.Store.
func (s *Store) About() breakercluster.About {
	return breakercluster.About{Name: s.name, Identity: identity{s.client, s.name}}
}

func (s *Store) path(key string) string { return s.space + "key:" + key }
func (s *Store) index() string          { return s.space + "index" }
func (s *Store) log() string            { return s.space + "log" }

// create sets a key, unless it is set, and returns whether it did, and what it is then.
//
// A key that hasn't been set after the log was lost could get a revision that was given before. The
// clock keeps it from that: an ID begins with the time.
var create = redis.NewScript(`
local set = redis.call('GET', KEYS[1])
if set then return {0, set} end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'k', ARGV[1], 'v', ARGV[2])
set = id .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], set, 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ms)
redis.call('ZADD', KEYS[2], ms + ARGV[3], ARGV[1])
return {1, set}
`)

// get returns a key, and the last ID if it isn't set. Both are of one moment.
var get = redis.NewScript(`
local set = redis.call('GET', KEYS[1])
if set then return {1, set} end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
if #last == 0 then return {0, ''} end
return {0, last[1][1]}
`)

// An ID is milliseconds and a number of those within one. A revision has 20 bits for the latter.
const (
	numberBits = 20
	numberMax  = 1<<numberBits - 1
)

func revisionOf(id string) (uint64, error) {
	ms, number, ok := strings.Cut(id, "-")
	m, err := strconv.ParseUint(ms, 10, 64-numberBits)
	n, err2 := strconv.ParseUint(number, 10, numberBits)
	if !ok || err != nil || err2 != nil {
		return 0, fmt.Errorf("the ID %q can't be read", id)
	}
	return m<<numberBits | n, nil
}

func idOf(revision uint64) string {
	return fmt.Sprintf("%d-%d", revision>>numberBits, revision&numberMax)
}

// created returns when the revision was made, by the clock of the server.
func created(revision uint64) time.Time { return time.UnixMilli(int64(revision >> numberBits)).UTC() }

// entry returns what is set, as create writes it.
func entry(key, set string) (e breakercluster.Entry, err error) {
	id, value, ok := strings.Cut(set, " ")
	if !ok {
		return e, fmt.Errorf("the value of %q can't be read", key)
	}
	revision, err := revisionOf(id)
	if err != nil {
		return e, err
	}
	return breakercluster.Entry{Key: key, Revision: revision, Value: []byte(value), Created: created(revision)}, nil
}

// call runs a script that returns a number and a text.
func (s *Store) call(ctx context.Context, script *redis.Script, keys []string, args ...any) (bool, string, error) {
	run := script.Run
	if script == get {
		run = script.RunRO // for a user that may only read
	}
	answer, err := run(ctx, s.calls, keys, args...).Slice()
	if err != nil {
		return false, "", s.failed(err)
	}
	yes, _ := answer[0].(int64)
	text, _ := answer[1].(string)
	return yes == 1, text, nil
}

// Create sets the key by a script, at once with the log.
func (s *Store) Create(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (e breakercluster.Entry, won bool, err error) {
	keys := []string{s.path(key), s.index(), s.log()}
	won, set, err := s.call(ctx, create, keys, key, value, ttl.Milliseconds())
	if err != nil {
		return e, false, err
	}
	e, err = entry(key, set)
	return e, won, err
}

// Newest asks the server that the client is connected to, which has to be the primary.
func (s *Store) Newest(ctx context.Context, pattern string) (e breakercluster.Entry, found bool, err error) {
	if strings.HasSuffix(pattern, breakercluster.Any) {
		last, err := s.calls.XRevRangeN(ctx, s.log(), "+", "-", 1).Result()
		if err != nil || len(last) == 0 {
			return e, false, s.failed(err)
		}
		e, err = logged(last[0])
		return e, err == nil, err
	}
	set, text, err := s.call(ctx, get, []string{s.path(pattern), s.log()})
	switch {
	case err != nil || !set && text == "":
		return e, false, err
	case set:
		e, err = entry(pattern, text)
	default:
		e = breakercluster.Entry{Key: pattern, Deleted: true}
		e.Revision, err = revisionOf(text)
	}
	return e, err == nil, err
}

// logged returns what an element of the log says.
func logged(m redis.XMessage) (breakercluster.Entry, error) {
	key, _ := m.Values["k"].(string)
	value, _ := m.Values["v"].(string)
	return entry(key, m.ID+" "+value)
}

// Watch reads the log from where it was. If the log doesn't reach back as far, it begins with all
// that is set. It watches all keys of the Store, on a connection of its own.
func (s *Store) Watch(
	ctx context.Context, _ string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	if s.closed.Load() {
		return nil, breakercluster.Gone(redis.ErrClosed)
	}
	options := *s.client.Options()
	options.PoolSize, options.MinIdleConns, options.MaxRetries, options.ContextTimeoutEnabled = 1, 0, -1, true
	// What the client has set up for itself can't be shared.
	options.PushNotificationProcessor = nil
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	w := &watch{
		store: s, conn: redis.NewClient(&options), deliver: deliver,
		done: make(chan struct{}),
	}
	fresh, last, err := w.begin(ctx, after)
	if err != nil {
		_ = w.conn.Close()
		return nil, s.failed(err)
	}
	go w.run(fresh, last)
	return w, nil
}

type watch struct {
	store   *Store
	conn    *redis.Client
	deliver func(breakercluster.Entry)
	once    sync.Once
	done    chan struct{}
}

// begin returns what is set and was set after the revision, and the ID from which to go on.
func (w *watch) begin(ctx context.Context, after uint64) (fresh []breakercluster.Entry, id string, err error) {
	if after > 0 {
		// Is what was seen last still there, so that all since is?
		there, err := w.conn.XRangeN(ctx, w.store.log(), idOf(after), idOf(after), 1).Result()
		if err != nil {
			return nil, "", err
		}
		if len(there) > 0 {
			return nil, idOf(after), nil
		}
	}
	// The end of the log comes first: what is set meanwhile is read twice.
	last, err := w.conn.XRevRangeN(ctx, w.store.log(), "+", "-", 1).Result()
	if err != nil {
		return nil, "", err
	}
	id = "0-0"
	if len(last) > 0 {
		id = last[0].ID
	}
	keys, err := w.conn.ZRange(ctx, w.store.index(), 0, -1).Result()
	if err != nil {
		return nil, "", err
	}
	const some = 1000
	for part := range slices.Chunk(keys, some) {
		paths := make([]string, len(part))
		for i, key := range part {
			paths[i] = w.store.path(key)
		}
		values, err := w.conn.MGet(ctx, paths...).Result()
		if err != nil {
			return nil, "", err
		}
		for i, value := range values {
			set, ok := value.(string)
			if !ok {
				continue // it has expired
			}
			if e, err := entry(part[i], set); err == nil {
				fresh = append(fresh, e)
			}
		}
	}
	slices.SortFunc(fresh, func(a, b breakercluster.Entry) int {
		return strings.Compare(fmt.Sprintf("%020d", a.Revision), fmt.Sprintf("%020d", b.Revision))
	})
	return fresh, id, nil
}

// run reads the log. The server answers when there is something, and now and then in any case.
func (w *watch) run(fresh []breakercluster.Entry, last string) {
	defer close(w.done)
	defer w.Stop()
	const wait = 10 * time.Second
	for {
		for _, e := range fresh {
			w.deliver(e)
		}
		fresh = fresh[:0]
		streams, err := w.conn.XRead(context.Background(), &redis.XReadArgs{
			Streams: []string{w.store.log(), last}, Count: 1000, Block: wait,
		}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return
		}
		for _, stream := range streams {
			for _, m := range stream.Messages {
				last = m.ID
				if e, err := logged(m); err == nil {
					fresh = append(fresh, e)
				}
			}
		}
	}
}

// Done implements breakercluster.Watch.
func (w *watch) Done() <-chan struct{} { return w.done }

// Stop implements breakercluster.Watch. It closes the connection, so that the read ends.
func (w *watch) Stop() { w.once.Do(func() { _ = w.conn.Close() }) }

// failed says whether another attempt may help.
func (s *Store) failed(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, redis.ErrClosed) {
		s.closed.Store(true)
		return breakercluster.Gone(err)
	}
	for _, code := range []string{"NOPERM", "WRONGPASS", "NOAUTH", "WRONGTYPE"} {
		if strings.Contains(err.Error(), code) {
			return breakercluster.Permanent(err)
		}
	}
	return err
}
