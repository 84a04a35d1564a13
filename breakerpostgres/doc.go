// Package breakerpostgres is a store of package breakercluster in a table of PostgreSQL. When a key
// is set, the breakers for it trip in every process, with the cause given where it was set.
//
//	pool, err := pgxpool.New(ctx, url)
//	// …
//	store := breakerpostgres.New(pool, "breakers")
//	err = store.CreateTable(ctx) // once, by a role that may create tables
//	jobs, err := breakercluster.Open(store)
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7")                      // on every node
//	jobs.Trip(ctx, "import.7", errors.New("wrong file"))               // on any node
//
// # How it works
//
// A trip is a row. NOTIFY says only that there is one. Each process then reads what is newer than
// what it has seen, so a lost notification doesn't matter. Trips of one table take turns, so that
// no revision becomes visible before a lower one.
//
// # Permissions
//
// To be told to stop, a role needs SELECT on the table. To tell others to stop, it needs INSERT and
// DELETE, too. A denied request fails at once, with a pgconn.PgError.
//
// # Guarantees
//
// The package keeps all guarantees of package breakercluster while the server keeps what it has
// committed.
//
// It may lose the last trips after a failover to a standby that replicates asynchronously, or after
// a crash with synchronous_commit = off. Then tripped breakers stay tripped, but others don't learn
// of the trip, and another process may set the key again. Use synchronous_standby_names if that
// matters. The pool has to lead to the primary (target_session_attrs=read-write in its URL),
// because a standby lags behind, and doesn't support LISTEN.
//
// A key that is deleted by hand while a watch is reading it may still trip a breaker that was made
// just after.
//
// LISTEN needs a session: the pool has to lead to the server, or to a pooler in session mode, never
// to one in transaction mode.
//
// # What it costs
//
// A process that watches has one connection besides the pool. A trip costs three round trips and
// a commit, a breaker one round trip. The next trip deletes the rows that have expired.
package breakerpostgres
