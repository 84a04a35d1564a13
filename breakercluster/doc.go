// Package breakercluster makes one trip reach every node. When a key is set, the breakers for it
// trip in every process, with the cause given where it was set. It works over any store that can
// create a key, read the newest one and watch.
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
// BreakByKey returns a *breaker.Breaker like any other. Pass it to breaker.Multiplex, make a
// context of it by breaker.ToContext, or let requests watch it by breaker.Within.
//
// To write a Store, implement About, Create, Newest and Watch. Package clustertest has the tests
// that it has to pass.
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
// # Guarantees
//
//  1. The store holds the state; messages only make a trip fast. A breaker for a key that is set is
//     tripped on return. If a process was disconnected, its breakers trip when it is back, if the
//     key is still set.
//  2. The first trip wins: a key is created, never overwritten. All nodes report the same cause,
//     even those that join late.
//  3. If a key is deleted or expires, tripped breakers stay tripped. A new breaker for the key is
//     open, and can be tripped again.
//  4. Keys expire, so nothing accumulates. A process that is disconnected for longer than that
//     doesn't learn of the trip.
//  5. If BreakByKey returns an error, the state is unknown, so no open breaker is returned.
//  6. All breakers on a store and prefix share one watch in a process. It begins with the first
//     breaker and ends with the last.
//  7. Callbacks don't run on the goroutine that reads the watch. A callback that blocks doesn't
//     hold up the watch. It holds up other breakers for some 10 ms at most.
//
// An engine that may lose a write may also lose a trip. README.md has a table of what each engine
// can't promise.
//
// # Causes
//
//	what happened                                 Cause of the breaker
//	the key is set                                TripError: key, revision, name, time, text
//	there was no contact for too long             SilenceError, only WithSilence; it says why
//	the client was closed for good                ConnectionError, unless WithHoldOnClose
//	the breaker was closed                        breaker.ErrClosed
//
// Each matches breaker.Interrupted and context.Canceled. Only the text of the error that you pass
// to Trip travels.
//
// # What it costs
//
// For each store and prefix that it watches, a process has one watch, three goroutines besides
// those of the client, and a small request every 2 s. A breaker costs one request when it is made,
// an entry in a map and a registration.
//
// # Concurrency
//
// Every function and method may be called concurrently, also from callbacks. But BreakByKey, Trip
// and Lookup wait for the store, and a callback must not block.
//
// # When not to use it
//
// In one process, use package breaker. A key isn't a lock: two nodes may both work, and a trip
// doesn't wait until all have stopped. The package restarts nothing, and distributes no values.
package breakercluster
