// Package breakernats makes one trip reach every node: a breaker trips when a key of a NATS
// JetStream key-value bucket is set, in every process that watches it, with the cause that was
// given where it was set.
//
//	jobs, err := breakernats.Open(ctx, js, "jobs")
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7") // on every node
//	// …
//	defer stop.Close()
//
//	jobs.Trip(ctx, "import.7", errors.New("wrong file")) // on any node
//
// What BreakByKey returns is a *breaker.Breaker as any other: a child of breaker.Multiplex, a
// context by breaker.ToContext, to be watched by requests behind breaker.NopCloser.
//
// # What holds
//
//  1. The bucket holds the state, messages are only the fast way. A breaker for a key that is set
//     is tripped on return. A process that was away trips when it is back, if the key is still set.
//  2. The first trip wins: a key is created, never overwritten. All report the same cause, a late
//     caller included.
//  3. A key that is deleted or expires un-trips nothing. It only lets a new breaker with that key
//     be open, and be tripped again.
//  4. Keys expire: Open refuses a bucket where they can't. So nothing accumulates, and a process
//     that is away for longer than that doesn't learn of the trip.
//  5. If BreakByKey returns an error, the state is unknown, so no open breaker is returned.
//  6. All breakers on a bucket and prefix share one watch in a process. It begins with the first
//     and ends with the last.
//  7. Callbacks run neither on the goroutine that reads the watch nor on one of the connection. One
//     that blocks holds up neither the watch nor, for more than some 10 ms, other breakers.
//
// # Causes
//
//	what happened                                 Cause of the breaker
//	the key is set                                TripError: key, revision, name, time, text
//	there was no contact for too long             SilenceError, only WithSilence; it says why
//	the connection was closed for good            ConnectionError, unless WithHoldOnClose
//	it was closed                                 breaker.ErrClosed
//
// Each matches breaker.Interrupted and context.Canceled. Of the error given to Trip only the text
// travels. A key may be set by other programs as well, as in
//
//	nats kv create jobs import.7 "wrong file"
//
// and then its value is the text.
//
// # Losing the cluster
//
// What a breaker does when its process loses the cluster is up to you. By default it holds: it
// stays open, and trips when the contact is back and the key is set. WithSilence makes it a dead
// man's switch: it trips after that time without contact. Contact isn't a connection, which may
// lead to a server that is cut off from the others: it is that the leader of the bucket has
// answered, and that the watch has seen what it answered.
//
// A connection that is closed for good never has contact again: by nats.go, too, after 60 attempts
// or two refusals of the credentials, unless nats.MaxReconnects and nats.IgnoreAuthErrorAbort say
// otherwise. Its breakers couldn't fire any more, so they trip, with a ConnectionError.
// WithHoldOnClose keeps them open.
//
// Contact and WithContactHook tell the state of the contact to logs, metrics and health checks.
//
// The watch is made anew after each reconnection, and within some 3 s when it has stopped without a
// sign.
//
// # The bucket
//
// It has to exist. The replicas say how many servers may be lost: one out of 3.
//
//	js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
//		Bucket: "jobs", Replicas: 3, TTL: 24 * time.Hour,
//	})
//
// With LimitMarkerTTL keys can each have a time of their own: see WithTTL. It should be longer than
// the longest job, and than any outage. A bucket that mirrors another one isn't accepted.
//
// # Permissions
//
// Credentials and TLS are those of the connection. For a bucket named jobs, this account has a user
// who can be told to stop but can't tell others to, and one who can do both:
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
// What isn't allowed comes back as nats.ErrPermissionViolation, with the subject. The server
// doesn't say which request it has denied, so Open puts itself before the error handler of the
// connection, which is called as before. Set your own when you connect: with one set later, a
// denial may take until ctx is done to be told.
//
// # What it costs
//
// A process has one consumer on the server, five goroutines and a small request every 2 s, for each
// bucket and prefix that it watches. A breaker costs one request when it is made, an entry in a map
// and a registration. What happens at a trip, and how long it takes, is in README.md.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks; but a callback must
// not block, and BreakByKey, Trip and Lookup wait for the server.
//
// # When not to use it
//
// In one process, use package breaker. It is no lock: two nodes may both work, and "stopped"
// doesn't mean that everyone has. It doesn't start anything again. It isn't for values: to
// distribute configuration, watch the bucket directly.
package breakernats
