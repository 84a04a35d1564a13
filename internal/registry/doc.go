// Package registry keeps what a one-shot event has to do when it comes: callbacks to call, and
// nodes that depend on it and have to be told. Its operations are lock-free, and may be called
// concurrently, all of them with each other.
//
// A Registry is made for one event, which comes at most once. It has no state of its own for that:
// its owner has. The zero value is empty, and ready for use. An Entry is a callback, or a link to a
// node. It is put in once:
//
//	at := g.Put(e)
//	if isOver() && registry.TakeBack(at, e) {
//		// The event has come. It won't see e, so act on it here.
//	}
//
// and may be taken out again:
//
//	if g.Take(e) {
//		// The event will never see e.
//	}
//
// The event goes through all links, then all callbacks. Callbacks leave the registry, links stay:
//
//	setOver()
//	links := registry.Sweep[N, T, X]{Class: registry.Links}
//	for e := links.NextLink(&g); e != nil; e = links.NextLink(&g) {
//		tell(e.Node)
//	}
//	callbacks := registry.Sweep[N, T, X]{Class: registry.Callbacks}
//	for e := callbacks.NextCallback(&g); e != nil; e = callbacks.NextCallback(&g) {
//		e.Drop()()
//	}
//	g.Forget()
//
// # Exactly once
//
// A slot is an atomic pointer to an entry. Put takes a free slot (CAS nil → e). Take gives it back
// (CAS e → nil). The sweep takes what it finds (CAS e → nil). The CAS on the slot decides, so one
// of them gets the entry, without any other state (promise 6 and promise 7 of package breaker). An
// entry is put once and never again. Until Put returns, e may be put into a slot, taken back and
// put into another. That does no harm: a CAS that takes e out takes what is registered.
//
// Put against the event is Dekker's pattern. One side writes the slot, then reads the owner's
// state; the other writes the state, then reads the slots. Go's atomics are sequentially
// consistent, so at least one of them sees the other. If both do, the CAS on the slot picks one.
// The halves that access the state are the owner's: isOver and setOver above.
//
// # Where entries are
//
// Slots live in three places, tried in this order:
//
//   - one in the Registry itself, until a second entry wants to live at the same time;
//   - the base, a block of a few cache lines, until it is full, or too many cores meet in it;
//   - the directory: blocks made on demand, reached by number, and given up when they are empty.
//
// Once a later place is used, the earlier ones no longer are.
//
// The search starts where the address of the entry says. Go's allocator gives each P spans of its
// own, so goroutines on one core meet in the same cache lines, and those on different cores don't,
// for free. See docs/design.md, "A random place in the registry".
//
// # What it costs
//
// A Registry is two words, an Entry for a callback 24 bytes (16 on 32 bits), which the caller
// allocates. Put and Take do the same work however many entries there are: a few loads and one
// locked instruction each. Among 1,000,000 others they miss the cache. The base is one allocation
// of some 350 bytes, made for the second entry. A block is 2,048 bytes for 248 entries. The memory
// of a burst is given back as its entries are taken out.
package registry
