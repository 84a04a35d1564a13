package breakerpostgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/kamilsk/breaker/breakercluster"
)

// Store keeps what is set in a table. Its methods may be called concurrently.
type Store struct {
	pool  *pgxpool.Pool
	table string
	// quoted is the table as SQL writes it, channel what is notified.
	quoted, channel string
	// closed says that the pool was found closed. It can't be asked.
	closed atomic.Bool
}

var _ breakercluster.Store = (*Store)(nil)

// New returns the Store in the table. It uses the pool but never closes it: close it when no
// breaker needs it any more. A dot in the name separates a schema. New makes no request. It panics
// if the pool is nil or the name is empty.
func New(pool *pgxpool.Pool, table string) *Store {
	if pool == nil {
		panic("breakerpostgres: New: the pool is nil")
	}
	if table == "" {
		panic("breakerpostgres: New: the table is empty")
	}
	// A longer name of a channel isn't accepted.
	const longest = 63
	channel := table
	if len(channel) > longest {
		channel = channel[:longest]
	}
	quoted := pgx.Identifier(strings.Split(table, ".")).Sanitize()
	return &Store{pool: pool, table: table, quoted: quoted, channel: channel}
}

// CreateTable creates the table unless it exists. Programs that may not create tables use one that
// another role has created.
func (s *Store) CreateTable(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+s.quoted+` (
	key      text        PRIMARY KEY,
	revision bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
	value    bytea       NOT NULL,
	created  timestamptz NOT NULL DEFAULT now(),
	expires  timestamptz NOT NULL
)`)
	if err != nil {
		return fmt.Errorf("breakerpostgres: creating %s: %w", s.table, err)
	}
	return nil
}

type identity struct {
	pool  *pgxpool.Pool
	table string
}

// About implements breakercluster.Store.
func (s *Store) About() breakercluster.About {
	return breakercluster.About{Name: s.table, Identity: identity{s.pool, s.table}}
}

const columns = "key, revision, value, created"

func scan(row pgx.CollectableRow) (e breakercluster.Entry, err error) {
	err = row.Scan(&e.Key, &e.Revision, &e.Value, &e.Created)
	return e, err
}

// Create inserts a row.
//
// Transactions that create take turns, from before they get a revision until they have committed.
// Otherwise one with a lower revision might commit after one with a higher, when nodes have already
// read up to that.
func (s *Store) Create(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (e breakercluster.Entry, won bool, err error) {
	// A trip that comes too late needs no turn.
	if e, found, err := s.Newest(ctx, key); err != nil || found {
		return e, false, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		// One round trip. The lock and what follows are statements of their own, so that each sees
		// what was committed before.
		batch := new(pgx.Batch)
		batch.Queue("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "breaker "+s.table)
		batch.Queue("DELETE FROM " + s.quoted + " WHERE expires <= clock_timestamp()")
		batch.Queue("INSERT INTO "+s.quoted+" (key, value, created, expires) VALUES ($1, $2, clock_timestamp(), "+
			"clock_timestamp() + $3) ON CONFLICT (key) DO NOTHING RETURNING "+columns, key, value, ttl)
		batch.Queue("SELECT pg_notify($1, '')", s.channel)
		results := tx.SendBatch(ctx, batch)
		defer func() { err = errors.Join(err, results.Close()) }()
		for range 2 {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		rows, err := results.Query()
		if err != nil {
			return err
		}
		e, err = pgx.CollectOneRow(rows, scan)
		won = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
	if err != nil {
		return e, false, s.failed(err)
	}
	if won {
		return e, true, nil
	}
	e, found, err := s.Newest(ctx, key)
	if err == nil && !found {
		e.Deleted = true
	}
	return e, false, err
}

// Newest reads at the server that the pool is connected to, which has to be the primary.
func (s *Store) Newest(ctx context.Context, pattern string) (e breakercluster.Entry, found bool, err error) {
	where, args := "key = $1", []any{pattern}
	if strings.HasSuffix(pattern, breakercluster.Any) {
		where, args = "true", nil
	}
	rows, err := s.pool.Query(ctx, "SELECT "+columns+" FROM "+s.quoted+" WHERE "+where+
		" AND expires > clock_timestamp() ORDER BY revision DESC LIMIT 1", args...)
	if err == nil {
		e, err = pgx.CollectOneRow(rows, scan)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return breakercluster.Entry{}, false, nil
	case err != nil:
		return breakercluster.Entry{}, false, s.failed(err)
	default:
		return e, true, nil
	}
}

// Watch listens on a connection of its own, outside the pool: one that listens can't do anything
// else.
func (s *Store) Watch(
	ctx context.Context, _ string, after uint64, deliver func(breakercluster.Entry),
) (breakercluster.Watch, error) {
	if s.closed.Load() {
		return nil, breakercluster.Gone(errClosedPool)
	}
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return nil, s.failed(err)
	}
	life, cancel := context.WithCancel(context.Background())
	w := &watch{store: s, conn: conn, seen: after, deliver: deliver, cancel: cancel, done: make(chan struct{})}
	// Listening comes first: a key that is set in between is either read or notified.
	if _, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.channel}.Sanitize()); err == nil {
		var fresh []breakercluster.Entry
		if fresh, err = w.read(ctx); err == nil {
			go w.run(life, fresh)
			return w, nil
		}
	}
	cancel()
	_ = conn.Close(ctx)
	return nil, s.failed(err)
}

type watch struct {
	store   *Store
	conn    *pgx.Conn
	seen    uint64
	deliver func(breakercluster.Entry)
	cancel  context.CancelFunc
	done    chan struct{}
}

// read returns what has been set since.
func (w *watch) read(ctx context.Context) ([]breakercluster.Entry, error) {
	rows, err := w.conn.Query(ctx, "SELECT "+columns+" FROM "+w.store.quoted+
		" WHERE revision > $1 AND expires > clock_timestamp() ORDER BY revision", w.seen)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// run reads whenever something was set. A notification says only that: it may not be long, and it
// may be lost.
func (w *watch) run(life context.Context, fresh []breakercluster.Entry) {
	defer close(w.done)
	defer w.cancel()
	// A connection that is gone can't be told to end.
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	defer w.conn.Close(gone)
	for {
		for _, e := range fresh {
			w.deliver(e)
			w.seen = e.Revision
		}
		if _, err := w.conn.WaitForNotification(life); err != nil {
			return
		}
		var err error
		if fresh, err = w.read(life); err != nil {
			return
		}
	}
}

// Done implements breakercluster.Watch.
func (w *watch) Done() <-chan struct{} { return w.done }

// Stop implements breakercluster.Watch.
func (w *watch) Stop() { w.cancel() }

// errClosedPool is what package pgxpool says.
var errClosedPool = puddle.ErrClosedPool

// failed says whether another attempt may help.
func (s *Store) failed(err error) error {
	var answer *pgconn.PgError
	switch {
	case errors.Is(err, errClosedPool):
		s.closed.Store(true)
		return breakercluster.Gone(err)
	case !errors.As(err, &answer):
		return err
	}
	switch answer.Code[:2] {
	case "08", // connection exception
		"40", // transaction rollback: a deadlock, a serialization failure
		"53", // insufficient resources: too many connections, a disk that is full
		"55", // object not in prerequisite state: a lock
		"57", // operator intervention: the server shuts down or begins
		"58", // system error
		"25": // read only: a primary that has become a standby
		return err
	default:
		return breakercluster.Permanent(err)
	}
}
