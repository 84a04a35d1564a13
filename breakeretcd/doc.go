// Package breakeretcd keeps the keys that trip breakers in etcd: a breaker trips in every process
// that watches its key, with the cause given where it was set. It is a store of package
// breakercluster.
//
//	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints})
//	// …
//	jobs, err := breakercluster.Open(breakeretcd.New(client, "jobs"))
//	// …
//	stop, err := jobs.BreakByKey(ctx, "import.7")                      // on every node
//	jobs.Trip(ctx, "import.7", errors.New("wrong file"))               // on any node
//
// # Permissions
//
// A user whose processes are to be stopped needs to read the prefix followed by a slash: "jobs/".
// One that may tell others to stop needs to write it, too. What isn't allowed comes back at once,
// as rpctypes.ErrPermissionDenied by its gRPC code.
//
// # What it promises
//
// All of what package breakercluster says. A trip that was answered is on a majority of the
// members. Reads are linearizable, so a member that is cut off from the others never says that a
// key isn't set. A watch that was interrupted begins with what has changed since, so a compaction
// of the history loses nothing.
//
// What it can't promise: a cluster that is restored from a backup has lost what was set since, and
// counts its revisions from there again. Nodes notice within 2 s, and begin with what is set.
// Leases are checked by the leader, so a key may outlive its time by an election.
//
// The client's own watch recovers by itself. One that hangs nevertheless is replaced some 3 s
// later, because the newest revision is asked for every 2 s.
//
// # What it costs
//
// A trip is a read, a lease and a transaction of two keys. A breaker is a read. All keys of the
// store share one watch, those of other prefixes of a Bucket included.
package breakeretcd
