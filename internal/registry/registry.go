package registry

import (
	"github.com/kamilsk/breaker/internal/atomic"

	// Package internal/atomic makes aliases of its types. The compiler inlines a method through an
	// alias only if it has seen the method's own package.
	_ "go.uber.org/atomic"
)

// Registry holds the entries for one event. N is what a link leads to, T what the owner notes in an
// entry, and X what it keeps where there are entries. The zero value is empty.
type Registry[N, T, X any] struct {
	// first is the slot for the first entry: with only one, nothing else is needed. It is an array
	// so that the sweep treats it as a block's slots.
	first [1]Slot[N, T]
	// base is made once, when first is taken, and then used instead of it. Otherwise many
	// goroutines that register would meet in the cache line that first is in, with the owner's
	// state.
	base atomic.Pointer[base[N, T, X]]
}

// Slot is a place for an entry. A free one holds nil.
type Slot[N, T any] = atomic.Pointer[Entry[N, T]]

// Entry is one registration: a callback, or a link to a node that depends on the event. Both are
// one type, so that the sweeps tell them apart without a cast; only links use some of the fields. A
// callback is 24 bytes, a size class of Go's allocator.
type Entry[N, T any] struct {
	// where and index tell the slot. Put writes them before it puts the entry there. They are
	// numbers, not pointers: an entry that you retain must not retain a block and what else is in
	// it.
	where atomic.Plain[int32] // inFirst, inBase, or the number of a block of the directory, plus 1
	index atomic.Plain[uint8]
	// Tag is the owner's. The first three bytes of it cost nothing.
	Tag T
	// Node makes the entry a link. Set it before Put, and never again.
	Node *N
	// f is the callback, until the entry is out of its slot: then it can be collected.
	f atomic.Plain[func()]
}

const (
	inFirst int32 = 0
	inBase  int32 = -1
)

// NewCallback returns an entry for a callback. It is one allocation.
func NewCallback[N, T any](f func()) *Entry[N, T] {
	e := new(Entry[N, T])
	e.f.Set(f)
	return e
}

// Drop returns the function of a callback and forgets it. Call it only for an entry that a sweep
// has given you, that you have taken back, or that never got a slot.
func (e *Entry[N, T]) Drop() func() {
	f := e.f.Get()
	e.f.Set(nil)
	return f
}

// Class tells links from callbacks. Neither sweep goes through the other's blocks.
type Class int

const (
	Links Class = iota
	Callbacks
	classes
)

func (e *Entry[N, T]) class() Class {
	if e.Node != nil {
		return Links
	}
	return Callbacks
}

// Put enters e, and returns its slot. A sweep that begins afterwards finds e, unless it has been
// taken out before. A sweep under way may or may not find it: see TakeBack.
func (g *Registry[N, T, X]) Put(e *Entry[N, T]) *Slot[N, T] {
	more := g.base.Load()
	if more == nil {
		if g.first[0].CompareAndSwap(nil, e) {
			return &g.first[0]
		}
		more = g.more()
	}
	directory := &more.directories[e.class()]
	dir := directory.Load()
	if dir == nil {
		if s := more.block.claim(e, int(heapPlace(e))*lineSlots%baseSlots, baseSlots); s != nil {
			return s
		}
		dir = newDirectory[N, T]()
		if !directory.CompareAndSwap(nil, dir) {
			// None, if it has been forgotten since: then e will be taken back, wherever it is.
			if theirs := directory.Load(); theirs != nil {
				dir = theirs
			}
		}
	}
	return dir.claim(e)
}

// TakeBack takes out what Put has just put there, and reports whether it was still there. If not, a
// sweep has it. Put's caller calls it when it sees that the event has come meanwhile. Unlike Take
// it works after Forget, too. It leaves the callback to you.
func TakeBack[N, T any](at *Slot[N, T], e *Entry[N, T]) bool { return at.CompareAndSwap(e, nil) }

// Take takes e out, forgets its callback, and reports whether e was still there (promise 7). It
// never blocks. Call it only after Put has returned.
func (g *Registry[N, T, X]) Take(e *Entry[N, T]) bool {
	where := e.where.Get()
	if where <= 0 {
		s := &g.first[0]
		if where == inBase {
			s = &g.base.Load().slots[e.index.Get()]
		}
		// If we are too late, the load saves a locked instruction that would fail.
		if s.Load() != e || !s.CompareAndSwap(e, nil) {
			return false
		}
		e.f.Set(nil)
		return true
	}
	dir := g.base.Load().directories[e.class()].Load()
	if dir == nil {
		return false // it has been forgotten
	}
	block := dir.at(uint32(where - 1)).Load()
	if block == nil {
		return false // it has been empty since
	}
	index := e.index.Get()
	s := &block.slots[index]
	if s.Load() != e || !s.CompareAndSwap(e, nil) {
		return false
	}
	e.f.Set(nil)
	if dir.swept.Load() == 0 { // otherwise nobody looks for room any more
		dir.left(&block.block, int(index))
	}
	return true
}

// IsEmpty reports whether nothing is registered, and nothing has ever needed the base. Once the
// event has come, the answer covers all that was put before it.
func (g *Registry[N, T, X]) IsEmpty() bool { return g.first[0].Load() == nil && g.base.Load() == nil }

// HasAtMost reports whether nothing but e is registered, and nothing has ever needed the base.
func (g *Registry[N, T, X]) HasAtMost(e *Entry[N, T]) bool {
	if g.base.Load() != nil {
		return false
	}
	there := g.first[0].Load()
	return there == nil || there == e
}

// HasAtMostLink reports whether nothing but a link is registered, and nothing has ever needed the
// base.
func (g *Registry[N, T, X]) HasAtMostLink() bool {
	if g.base.Load() != nil {
		return false
	}
	there := g.first[0].Load()
	return there == nil || there.Node != nil
}

// Forget drops the directory, once the event is over: if you keep the registry, you don't keep the
// room for its entries (promise 10). If Put was under way, its caller calls Forget again.
func (g *Registry[N, T, X]) Forget() {
	if b := g.base.Load(); b != nil {
		b.forget()
	}
}

func (b *base[N, T, X]) forget() {
	for c := range b.directories {
		if b.directories[c].Load() != nil {
			b.directories[c].Store(nil)
		}
	}
}

// Extra returns the place of what the owner keeps beside the entries. It makes the base, so use it
// only where there are entries, or soon will be.
func (g *Registry[N, T, X]) Extra() *atomic.Pointer[X] { return &g.more().extra }

// block is a run of slots. Base and directory have blocks of different lengths, each one
// allocation. A block of the directory that is empty and no longer wanted is sealed, and given up.
// Don't count the entries for that: see docs/design.md, "A count in each block of the registry".
type block[N, T any] struct {
	slots []Slot[N, T]
	// crowded becomes 1 when an entry had to pass crowdedAt slots to get one. It becomes 0 when one
	// leaves, and a quarter of the block is free from its slot on. The goroutine that changes it
	// counts that in the directory.
	crowded atomic.Uint32
	// sealed is 1 while a goroutine checks whether the block can be given up, and stays 1 once it
	// is. An entry put into a sealed block is taken back.
	sealed atomic.Uint32
	// number is the block's place in the directory. For the base it makes where equal inBase.
	number int32
}

type base[N, T, X any] struct {
	block[N, T]
	// directories has one for links and one for callbacks, so that neither sweep goes through the
	// other's.
	directories [classes]atomic.Pointer[directory[N, T]]
	extra       atomic.Pointer[X]
	array       [baseSlots]Slot[N, T]
}

// more returns the base, making it if need be.
func (g *Registry[N, T, X]) more() *base[N, T, X] {
	if b := g.base.Load(); b != nil {
		return b
	}
	b := &base[N, T, X]{block: block[N, T]{number: inBase - 1}}
	b.slots = b.array[:]
	if !g.base.CompareAndSwap(nil, b) {
		b = g.base.Load()
	}
	return b
}

// claim tries to take a slot for e, looking at up to probes slots from the given one on.
func (b *block[N, T]) claim(e *Entry[N, T], from, probes int) *Slot[N, T] {
	e.where.Set(b.number + 1)
	for i, left := from, probes; left > 0; i, left = i+1, left-1 {
		if i >= len(b.slots) {
			i = 0
		}
		if b.slots[i].Load() != nil {
			continue
		}
		e.index.Set(uint8(i))
		if b.slots[i].CompareAndSwap(nil, e) {
			return &b.slots[i]
		}
		if wide && b.number < 0 {
			// Other cores are in this line. In the directory each has blocks of its own.
			return nil
		}
	}
	return nil
}

// distance returns how many slots e had to pass from the given one on.
func (b *block[N, T]) distance(from int, e *Entry[N, T]) int {
	d := int(e.index.Get()) - from
	if d < 0 {
		d += len(b.slots)
	}
	return d
}

// freeFrom returns the length of the run of free slots that begins at index, and wraps around.
func (b *block[N, T]) freeFrom(index int) (free int) {
	for _, slots := range [2][]Slot[N, T]{b.slots[index:], b.slots[:index]} {
		for i := range slots {
			if slots[i].Load() != nil {
				return free
			}
			free++
		}
	}
	return free
}

// isEmpty reports whether all slots are free.
func (b *block[N, T]) isEmpty() bool { return b.freeFrom(0) == len(b.slots) }
