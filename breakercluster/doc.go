// Package breakercluster makes one trip reach every node, over any store that can create a key,
// read the newest one and watch. A breaker trips when its key is set, in every process that watches
// it, with the cause given where it was set.
//
//	// breakernats, breakeretcd, breakerpostgres and breakerredis have stores.
//	jobs, err := breakercluster.Open(store)
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
// To write a Store, implement three verbs: Create, Newest and Watch. Package clustertest has the
// tests that it has to pass.
//
//	type Store interface {
//		About() About
//		Create(ctx context.Context, key string, value []byte, ttl time.Duration) (
//			e Entry, won bool, err error)
//		Newest(ctx context.Context, pattern string) (e Entry, found bool, err error)
//		Watch(ctx context.Context, pattern string, after uint64, deliver func(Entry)) (
//			Watch, error)
//	}
//
// # What holds
//
//  1. The store holds the state, messages are only the fast way. A breaker for a key that is set is
//     tripped on return. A process that was away trips when it is back, if the key is still set.
//  2. The first trip wins: a key is created, never overwritten. All report the same cause, late
//     joiners included.
//  3. A key that is deleted or expires un-trips nothing. It only lets a new breaker with that key
//     be open, and be tripped again.
//  4. Keys expire, so nothing accumulates. A process that is away for longer than that doesn't
//     learn of the trip.
//  5. If BreakByKey returns an error, the state is unknown, so no open breaker is returned.
//  6. All breakers on a store and prefix share one watch in a process. It begins with the first and
//     ends with the last.
//  7. Callbacks don't run on the goroutine that reads the watch. One that blocks holds up neither
//     the watch nor, for more than some 10 ms, other breakers.
//
// Each engine keeps as much of that as it can keep a write. README.md has a table of what each
// can't promise.
//
// # Causes
//
//	what happened                                 Cause of the breaker
//	the key is set                                TripError: key, revision, name, time, text
//	there was no contact for too long             SilenceError, only WithSilence; it says why
//	the client was closed for good                ConnectionError, unless WithHoldOnClose
//	it was closed                                 breaker.ErrClosed
//
// Each matches breaker.Interrupted and context.Canceled. Of the error given to Trip only the text
// travels.
//
// # What it costs
//
// A process has one watch and a small request every 2 s, for each store and prefix that it watches,
// and three goroutines besides those of the client. A breaker costs one request when it is made, an
// entry in a map and a registration.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks; but a callback must
// not block, and BreakByKey, Trip and Lookup wait for the store.
//
// # When not to use it
//
// In one process, use package breaker. It is no lock: two nodes may both work, and a trip doesn't
// wait until all have stopped. It doesn't start anything again, and it doesn't distribute values.
package breakercluster
