// Package breakernats makes one trip reach every node, by a NATS JetStream key-value bucket. When a
// key is set, the breakers for it trip in every process, with the cause given where it was set.
//
//	jobs, err := breakernats.Open(ctx, js, "jobs")
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7") // on every node
//	// …
//	defer stop.Close()
//
//	jobs.Trip(ctx, "import.7", errors.New("wrong file")) // on any node
//
// BreakByKey returns a *breaker.Breaker like any other. Pass it to breaker.Multiplex, make a
// context of it by breaker.ToContext, or let requests watch it by breaker.Within.
//
// # Guarantees
//
//  1. The bucket holds the state; messages only make a trip fast. A breaker for a key that is set
//     is tripped on return. If a process was disconnected, its breakers trip when it is back, if
//     the key is still set.
//  2. The first trip wins: a key is created, never overwritten. All nodes report the same cause,
//     even those that join late.
//  3. If a key is deleted or expires, tripped breakers stay tripped. A new breaker for the key is
//     open, and can be tripped again.
//  4. Keys expire: Open refuses a bucket where they can't. So nothing accumulates, and a process
//     that is disconnected for longer than that doesn't learn of the trip.
//  5. If BreakByKey returns an error, the state is unknown, so no open breaker is returned.
//  6. All breakers on a bucket and prefix share one watch in a process. It begins with the first
//     breaker and ends with the last.
//  7. Callbacks run neither on the goroutine that reads the watch nor on one of the connection. A
//     callback that blocks doesn't hold up the watch. It holds up other breakers for some 10 ms at
//     most.
//
// # Causes
//
//	what happened                                 Cause of the breaker
//	the key is set                                TripError: key, revision, name, time, text
//	there was no contact for too long             SilenceError, only WithSilence; it says why
//	the connection was closed for good            ConnectionError, unless WithHoldOnClose
//	the breaker was closed                        breaker.ErrClosed
//
// Each matches breaker.Interrupted and context.Canceled. Only the text of the error that you pass
// to Trip travels. Other programs may set a key, too:
//
//	nats kv create jobs import.7 "wrong file"
//
// The text of the cause is then the value of the key.
//
// # Losing the cluster
//
// You choose what a breaker does when its process loses the cluster. By default it holds: it stays
// open, and trips when the contact is back and the key is set. WithSilence makes it a dead man's
// switch: it trips after that time without contact. A connection alone isn't contact, because it
// may lead to a server that is cut off from the others. Contact means that the leader of the bucket
// has answered, and that the watch has seen the newest revision.
//
// A connection that is closed for good never has contact again. nats.go also closes it, after 60
// attempts or two refusals of the credentials, unless nats.MaxReconnects and
// nats.IgnoreAuthErrorAbort say otherwise. Its breakers couldn't be tripped by their keys any more,
// so they trip with a ConnectionError. WithHoldOnClose keeps them open.
//
// Contact and WithContactHook report the contact to logs, metrics and health checks.
//
// The watch is replaced after each reconnection, and within some 3 s if it has stopped without a
// sign.
//
// # The bucket
//
// The bucket has to exist. Its replicas say how many servers you may lose: one out of 3.
//
//	js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
//		Bucket: "jobs", Replicas: 3, TTL: 24 * time.Hour,
//	})
//
// With LimitMarkerTTL each key can have its own TTL: see WithTTL. Make the TTL longer than the
// longest job, and longer than any outage. A bucket that mirrors another one isn't accepted.
//
// # Permissions
//
// Credentials and TLS are those of the connection. For a bucket named jobs, this account has two
// users: worker can be told to stop, and operator can also tell others to stop:
//
//	accounts {
//	  JOBS {
//	    jetstream: enabled
//	    users = [
//	      { user: worker, password: "…", permissions: {
//	          publish: [
//	            "$JS.API.STREAM.INFO.KV_jobs"          # Open
//	            "$JS.API.STREAM.MSG.GET.KV_jobs"       # BreakByKey, Lookup, the contact
//	            "$JS.API.CONSUMER.CREATE.KV_jobs.>"    # the watch
//	            "$JS.API.CONSUMER.DELETE.KV_jobs.>"
//	            "$JS.FC.KV_jobs.>"
//	          ]
//	          subscribe: "_INBOX.>"
//	      } }
//	      { user: operator, password: "…", permissions: {
//	          publish: [
//	            "$JS.API.STREAM.INFO.KV_jobs", "$JS.API.STREAM.MSG.GET.KV_jobs"
//	            "$JS.API.CONSUMER.CREATE.KV_jobs.>"
//	            "$JS.API.CONSUMER.DELETE.KV_jobs.>", "$JS.FC.KV_jobs.>"
//	            "$KV.jobs.>"                           # Trip
//	            "$JS.API.DIRECT.GET.KV_jobs.>"         # a Trip that comes too late
//	          ]
//	          subscribe: "_INBOX.>"
//	      } }
//	    ]
//	  }
//	}
//
// A denied request returns nats.ErrPermissionViolation, with the subject. The server doesn't say
// which request it has denied. So Open puts its own error handler before that of the connection,
// which is called as before. Set your handler when you connect: if you set it later, a denial may
// be reported only when ctx is done.
//
// # What it costs
//
// For each bucket and prefix that it watches, a process has one consumer on the server, five
// goroutines, and a small request every 2 s. A breaker costs one request when it is made, an entry
// in a map and a registration. README.md says what happens at a trip, and how long it takes.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks. But BreakByKey, Trip
// and Lookup wait for the server, and a callback must not block.
//
// # When not to use it
//
// In one process, use package breaker. A key isn't a lock: two nodes may both work, and a trip
// doesn't wait until all have stopped. The package restarts nothing. It isn't for values: to
// distribute configuration, watch the bucket directly.
package breakernats
