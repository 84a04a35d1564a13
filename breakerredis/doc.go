// Package breakerredis keeps the keys that trip breakers in Redis: a breaker trips in every process
// that watches its key, with the cause given where it was set. It is a store of package
// breakercluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	jobs, err := breakercluster.Open(breakerredis.New(client, "jobs"))
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7")                      // on every node
//	jobs.Trip(ctx, "import.7", errors.New("wrong file"))               // on any node
//
// # How it works
//
// A script sets the key, with an expiry, and adds it to a stream. Processes read the stream from
// where they were, and so miss nothing while they are away: pub/sub would lose it. If the stream
// doesn't reach back as far, they read all that is set.
//
// # What it promises, and what it can't
//
// As long as one server goes on, or comes back with its data: all of what package breakercluster
// says.
//
// Redis acknowledges a write before any replica has it, and by default before it is on disk. So
// after a failover, or a crash without appendfsync always, trips that were acknowledged may be
// lost: breakers that have tripped stay so, others stay open, and the next trip wins a second time,
// with another cause. TestFailover shows it. min-replicas-to-write narrows that, and doesn't close
// it. If a lost trip does harm, use etcd, NATS or PostgreSQL.
//
// An eviction policy that takes keys with an expiry may take those of a trip: use noeviction.
//
// # Permissions
//
// A user whose processes are to be stopped:
//
//	ACL SETUSER worker on >… %R~breaker:{jobs}:* +@read +@connection +evalsha_ro +eval_ro
//
// A user that may stop others needs ~breaker:{jobs}:*, @write, time, evalsha and eval, too. Redis 7
// or newer.
//
// # What it costs
//
// A process that watches has one connection besides the client's pool, which waits for the server.
// A trip and a breaker are one round trip each. The client's contexts count
// (ContextTimeoutEnabled), for the calls of this package only.
package breakerredis
