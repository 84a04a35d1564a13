package integrations_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/kamilsk/breaker"
)

// endless counts until it is interrupted. The function begun lets those who wait for it know that
// it runs.
const endless = `WITH RECURSIVE n(i) AS (SELECT begun() UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n`

// onBegun is what the SQL function begun calls.
var onBegun atomic.Pointer[func()]

func init() {
	sqlite.MustRegisterScalarFunction("begun", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		(*onBegun.Load())()
		return int64(0), nil
	})
}

// open opens a database in memory, with one connection.
func open() (*sql.DB, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func mustOpen(t *testing.T) *sql.DB {
	t.Helper()
	db, err := open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func TestSQL_ATripInterruptsAQuery(t *testing.T) {
	db := mustOpen(t)
	for name, run := range map[string]func(context.Context) error{
		"query": func(ctx context.Context) error {
			var n int64
			return db.QueryRowContext(ctx, endless).Scan(&n)
		},
		"statement": func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, endless)
			return err
		},
		"in a transaction": func(ctx context.Context) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.ExecContext(ctx, endless)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			br := breaker.New()
			trip := sync.OnceFunc(func() { go br.Trip(errEnough) })
			onBegun.Store(&trip)
			err := run(breaker.ToContext(br))
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, errEnough, br.Cause())

			// The connection is as good as before.
			var one int
			require.NoError(t, db.QueryRow("SELECT 1").Scan(&one))
			assert.Equal(t, 1, one)
		})
	}
}

func TestSQL_ATimeoutInterruptsAQuery(t *testing.T) {
	db := mustOpen(t)
	nothing := func() {}
	onBegun.Store(&nothing)
	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	_, err := db.ExecContext(breaker.ToContext(br), endless)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
}

// Reading rows ends as well, and so does waiting for a connection.
func TestSQL_ATripEndsReadingAndWaiting(t *testing.T) {
	db := mustOpen(t)
	br := breaker.New()
	rows, err := db.QueryContext(breaker.ToContext(br), "SELECT 1 UNION SELECT 2")
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())

	waiting := breaker.New()
	waited := make(chan error, 1)
	// The only connection is taken.
	go func() { waited <- db.PingContext(breaker.ToContext(waiting)) }()
	awaitThat(t, func() bool { return db.Stats().WaitCount > 0 }, "a wait for a connection")
	waiting.Trip(errEnough)
	assert.Equal(t, context.Canceled, <-waited)
	assert.Equal(t, errEnough, waiting.Cause())

	br.Trip(errEnough)
	awaitThat(t, func() bool { return db.Stats().InUse == 0 }, "the connection is given back")
	assert.False(t, rows.Next())
	assert.ErrorIs(t, rows.Err(), context.Canceled)
}

// For each open transaction, database/sql has a goroutine of its own that waits for the context,
// whichever it is; it derives that context, for which package context needs another one if it
// doesn't know what it derives from.
func TestSQL_GoroutinesPerTransaction(t *testing.T) {
	const transactions = 10
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			awaitStartedBy(t, 0, "context.")
			awaitStartedBy(t, 0, "database/sql.(*DB).beginDC")
			db := mustOpen(t)
			db.SetMaxOpenConns(transactions)
			br := breaker.New()
			ctx := c.make(br)
			for range transactions {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				defer tx.Rollback()
			}
			expected := 0
			if !c.own {
				expected = transactions
			}
			awaitStartedBy(t, expected, "context.")
			awaitStartedBy(t, transactions, "database/sql.(*DB).beginDC")
			br.Trip(errEnough)
			awaitThat(t, func() bool { return db.Stats().InUse == 0 }, "all are rolled back")
		})
	}
}

// For each query that runs, the driver has a goroutine of its own, whatever the context.
func TestSQL_GoroutinesPerQuery(t *testing.T) {
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			awaitStartedBy(t, 0, "context.")
			awaitStartedBy(t, 0, "modernc.org/sqlite.")
			db := mustOpen(t)
			br := breaker.New()
			var byContext, byDriver int
			look := sync.OnceFunc(func() {
				byContext, byDriver = startedBy("context."), startedBy("modernc.org/sqlite.")
				br.Trip(errEnough)
			})
			onBegun.Store(&look)
			_, err := db.ExecContext(c.make(br), endless)
			assert.Error(t, err)
			assert.Zero(t, byContext)
			assert.Equal(t, 1, byDriver)
		})
	}
}
