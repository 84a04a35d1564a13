// Package breakeretcd is a store of package breakercluster in etcd. When a key is set, the breakers
// for it trip in every process, with the cause given where it was set.
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
// To be told to stop, a process needs to read the prefix followed by a slash: "jobs/". To tell
// others to stop, it needs to write it, too. A denied request fails at once, with
// rpctypes.ErrPermissionDenied by its gRPC code.
//
// # Guarantees
//
// The package keeps all guarantees of package breakercluster. An acknowledged trip is on a majority
// of the members. Reads are linearizable, so a member that is cut off from the others never says
// that a key isn't set. A watch that was interrupted begins with what has changed since, so a
// compaction of the history loses nothing.
//
// It can't keep them across a restore: a cluster that is restored from a backup has lost what was
// set since, and counts its revisions from there again. Nodes notice within 2 s, and begin with
// what is set. The leader checks the leases, so a key may outlive its TTL by an election.
//
// The client's own watch recovers by itself. If it hangs, it is replaced some 3 s later, because
// the newest revision is read every 2 s.
//
// # What it costs
//
// A trip costs a read, a lease and a transaction of two keys. A breaker costs a read. All keys of
// the store share one watch, also those of Buckets with other prefixes.
package breakeretcd
