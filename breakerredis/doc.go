// Package breakerredis is a store of package breakercluster in Redis. When a key is set, the
// breakers for it trip in every process, with the cause given where it was set.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	jobs, err := breakercluster.Open(breakerredis.New(client, "jobs"))
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7")                      // on every node
//	jobs.Trip(ctx, "import.7", errors.New("wrong file"))               // on any node
//
// # How it works
//
// A script sets the key, with an expiry, and adds it to a stream. A process reads the stream from
// where it was, so it misses nothing while it is disconnected; with pub/sub it would. If the stream
// doesn't reach back as far, the process reads all that is set.
//
// # Guarantees
//
// The package keeps all guarantees of package breakercluster while the server stays up, or comes
// back with its data.
//
// Redis acknowledges a write before any replica has it, and by default before it is on disk. So
// acknowledged trips may be lost after a failover, or after a crash without appendfsync always.
// Then tripped breakers stay tripped, others stay open, and the next trip wins a second time, with
// another cause. TestFailover shows it. min-replicas-to-write makes that less likely, but doesn't
// rule it out. If a lost trip does harm, use etcd, NATS or PostgreSQL.
//
// An eviction policy that evicts keys with an expiry may evict those of a trip: use noeviction.
//
// # Permissions
//
// A user that can be told to stop:
//
//	ACL SETUSER worker on >… %R~breaker:{jobs}:* +@read +@connection +evalsha_ro +eval_ro
//
// A user that can also tell others to stop needs ~breaker:{jobs}:*, @write, time, evalsha and eval,
// too. The package needs Redis 7 or newer.
//
// # What it costs
//
// A process that watches has one connection besides the client's pool, which waits for the server.
// A trip and a breaker cost one round trip each. The calls of this package observe their contexts
// (ContextTimeoutEnabled); other calls of the client don't change.
package breakerredis
