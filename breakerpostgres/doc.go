// Package breakerpostgres keeps the keys that trip breakers in a table of PostgreSQL: a breaker
// trips in every process that watches its key, with the cause given where it was set. It is a store
// of package breakercluster.
//
//	pool, err := pgxpool.New(ctx, url)
//	// …
//	store := breakerpostgres.New(pool, "breakers")
//	err = store.CreateTable(ctx) // once, by one who may
//	jobs, err := breakercluster.Open(store)
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7")                      // on every node
//	jobs.Trip(ctx, "import.7", errors.New("wrong file"))               // on any node
//
// # How it works
//
// A trip is a row. NOTIFY says only that there is one, and each process then reads what is newer
// than what it has seen: it doesn't matter whether a notification got lost. Trips of one table take
// turns, so that no revision becomes visible before a lower one.
//
// # Permissions
//
// A role whose processes are to be stopped needs SELECT on the table. One that may stop others
// needs INSERT and DELETE, too. What isn't allowed comes back at once, as a pgconn.PgError.
//
// # What it promises
//
// All of what package breakercluster says, as far as one server keeps what it has committed.
//
// What it can't promise: after a failover to a standby that replicates asynchronously, or with
// synchronous_commit = off after a crash, the last trips may be lost. Breakers that have tripped
// stay so; others don't learn of it, and the key may be set again by another. Use
// synchronous_standby_names if that matters. The pool has to lead to the primary
// (target_session_attrs=read-write in its URL), because a standby lags, and can't be listened to.
//
// A key that is deleted by hand while a watch is reading it may still trip a breaker that was made
// just after.
//
// LISTEN needs a session: the pool has to lead to the server, or to a pooler in session mode, never
// to one in transaction mode.
//
// # What it costs
//
// A process that watches has one connection besides the pool. A trip is two round trips and a
// commit, a breaker is one. Rows that have expired are deleted by the next trip.
package breakerpostgres
