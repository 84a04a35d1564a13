package breaker

import (
	"math/bits"
	"runtime"

	"github.com/kamilsk/breaker/internal/atomic"
)

// The registry: who hears about a trip.
//
// A slot is an atomic pointer to a registration. Registering claims a free slot (CAS nil → r), stopping gives it
// back (CAS r → nil), the sweep at the trip takes what it finds (CAS r → nil) and runs it. Whoever wins the CAS on
// the slot decides, so that stopping and running exclude each other without any other state (promises 6 and
// 7). A registration is made for one registering only, so a slot never holds the same one twice (no ABA).
//
// Registering against the trip is Dekker's pattern: the one writes the slot, then reads the state; the other writes
// the state, then reads the slots. Go's atomics are sequentially consistent, so at least one of the two
// sees the other; if both do, the CAS on the slot picks one.
//
// Slots live in three places, in the order in which they are tried:
//
//   - one in the Breaker itself, until a second registration comes that wants to live at the same time;
//   - the base, a block of a few cache lines, until it is full, or too many cores meet in it;
//   - the directory: blocks made on demand, reached by number, and given up when they are empty.
//
// What comes after is used instead of what came before, and for good.
//
// Where to look first follows from the address of the registration. Go's allocator gives each P spans of its own,
// so goroutines on one core meet in the same cache lines and goroutines on different cores don't, for free.
// A random start costs 5-10 ns more, and misses the cache.
type registry struct {
	// first is the slot for the first registration: whoever has only one needs nothing else. It is an array to be
	// swept as a block's slots are.
	first [1]slot
	// base is made when first is taken, once, and then used instead of it: a breaker that
	// many register with shall not have them meet in the cache line that holds its state.
	base atomic.Pointer[base]
}

type slot = atomic.Pointer[registration]

// A registration is one entry in one breaker's registry. It is embedded in what is to hear of the trip.
type registration struct {
	// where and index tell the slot: first if where is nil. Written by register before the slot is
	// claimed, and never again, so that anyone may stop at any time.
	where *block
	index int32

	// The next two belong to a link; they fill what would be padding.
	owned bool // the source is closed with the node
	keep  bool // the source has a deadline or values, which outlive the trip

	// node is the breaker to trip. If it is nil, the registration is a callback's.
	node *node
}

// callback is a registration of a function.
type callback struct {
	registration
	// f is set to nil by whoever takes the registration out of its slot, so that it can be collected.
	f func()
}

// block is a run of slots. Base and directory have blocks of different lengths, each one allocation.
type block struct {
	slots []slot
	// live counts the registrations of a block of the directory, those that look for a slot included. It is
	// an admission: while it isn't above the limit, there is a free slot for everyone admitted. Far
	// below zero the block is given up and admits nobody. The base doesn't count.
	live atomic.Int32
	// filled is 1 from when a quarter of the block is live until it is empty: then it counts as emptied.
	filled atomic.Uint32
	// number is the block's place in the directory; -1 for the base.
	number int32
}

type base struct {
	block
	directory atomic.Pointer[directory]
	// relay hears of the trip by way of Done; it is here because whoever needs it has registrations, or soon will.
	relay atomic.Pointer[relay]
	array [baseSlots]slot
}

type directoryBlock struct {
	block
	array [blockSlots]slot
}

// directory holds the blocks beyond the base: levels of 1, 1, 2, 4, 8 … of them, made on demand and never moved.
//
// New registrations go to the blocks below span, a power of two. It doubles when a search for a block with room has
// failed often, and halves when filled blocks became empty often, in proportion to its size. (A block that was never filled doesn't count:
// after a doubling, many are made and emptied by each registration that comes and goes.) Blocks from span on,
// no longer wanted, are given up when they are empty. So a burst gives its memory back, as the
// registrations of it end; what stays is 8 bytes for each block of the peak.
//
// Counting the live registrations costs two locked instructions for each registration. They are why the base,
// which serves a breaker with few registrations at a time, doesn't count.
type directory struct {
	span atomic.Uint32
	// empties counts the times that a filled block became empty since span last changed, crowded those
	// that a search among full blocks was given up.
	empties atomic.Uint32
	crowded atomic.Uint32
	levels  [maxLevels]atomic.Pointer[level]
}

type level struct {
	blocks []atomic.Pointer[directoryBlock]
}

const (
	lineSlots = 8 // slots in a cache line
	maxLevels = 26
	givenUp   = -1 << 30

	// blockLimit leaves some slots free, so that whoever is admitted finds one within a few probes.
	blockLimit = blockSlots - blockSlots/8
	// blockTries is how many blocks a search tries: the one that the address says, then any. One full block says
	// nothing, because addresses cluster, and one failed search little, because there are so many of them:
	// with the first as the sign to grow, the directory doubles without end, with the second at 10 % occupancy.
	blockTries  = 8
	blockFilled = blockSlots / 4
	// growAt and shrinkAt are the parts of span that failed searches, or emptied blocks, have to come to before it
	// doubles, or halves.
	growAt   = 4
	shrinkAt = 8
)

// register enters r, and reports whether it did. If it did, r is swept if the breaker ever trips, unless
// unregister takes it out before. If not, the breaker isn't open any more, and Done is closed or
// about to be: the caller awaits it before it acts (the claimed window).
//
// A source that isn't watched yet is watched from here on.
func (b *Breaker) register(r *registration) bool {
	s := b.state.Load()
	if s&flagPoll != 0 {
		b.watch()
		s = b.state.Load()
	}
	for s&(phase|flagHeld) == open { // the first registration of a breaker that has no source
		if b.state.CompareAndSwap(s, s|flagHeld) {
			break
		}
		s = b.state.Load()
	}
	if s&phase != open {
		return false
	}
	b.registry.claim(r)
	if b.state.Load()&phase == open {
		return true // a trip from here on sees the slot
	}
	// Dekker: the sweep may have seen the slot, or not. If r is still there, it is ours to take back, and so is a directory that was
	// made for it after the breaker had forgotten its own.
	back := b.unregister(r)
	if base := b.registry.base.Load(); base != nil && b.state.Load()&phase == closed {
		base.forget()
	}
	return !back
}

// unregister takes r out and reports whether it was still there. It never waits.
func (b *Breaker) unregister(r *registration) bool {
	s := &b.registry.first[0]
	if r.where != nil {
		s = &r.where.slots[r.index]
	}
	// The load spares the link that has tripped its node a locked instruction, which would fail.
	if s.Load() != r || !s.CompareAndSwap(r, nil) {
		return false
	}
	if r.where == nil {
		return true
	}
	if r.where.number >= 0 && r.where.live.Dec() == 0 {
		if dir := b.registry.base.Load().directory.Load(); dir != nil {
			dir.emptied(r.where)
		}
	}
	return true
}

// handle is a callback and the breaker that it is registered with.
type handle struct {
	b *Breaker
	c *callback
}

// stop is what OnTrip and the context view return.
func (h handle) stop() bool {
	if !h.b.unregister(&h.c.registration) {
		return false
	}
	h.c.f = nil
	return true
}

// isEmpty reports whether nothing has been registered since the beginning, or only one and that is gone. After the claim,
// what it says holds for all registrations made before it.
func (g *registry) isEmpty() bool {
	return g.first[0].Load() == nil && g.base.Load() == nil
}

// forget drops the directory of a breaker that is closed: whoever keeps the breaker shall not keep, with it, the room
// for its callbacks (promise 10). What is late finds its block by itself, and takes back what it has put there.
func (b *base) forget() {
	if b.directory.Load() != nil {
		b.directory.Store(nil)
	}
}

// claim finds a slot for r.
func (g *registry) claim(r *registration) {
	more := g.base.Load()
	if more == nil {
		r.where, r.index = nil, 0
		if g.first[0].CompareAndSwap(nil, r) {
			return
		}
		more = g.more()
	}
	dir := more.directory.Load()
	if dir == nil {
		if more.block.claim(r, int(heapPlace(r))*lineSlots%baseSlots, baseSlots) {
			return
		}
		dir = newDirectory()
		if !more.directory.CompareAndSwap(nil, dir) {
			// None, if the breaker has closed since: then r will be taken back, wherever it is.
			if theirs := more.directory.Load(); theirs != nil {
				dir = theirs
			}
		}
	}
	dir.claim(r)
}

// wide says that there are more cores than the base has cache lines: then some of them meet in one.
var wide = runtime.NumCPU()*lineSlots > baseSlots

// claim tries to claim a slot for r among so many, from the given one on.
func (b *block) claim(r *registration, from, probes int) bool {
	r.where = b
	for i := from; probes > 0; i, probes = i+1, probes-1 {
		if i >= len(b.slots) {
			i = 0
		}
		if b.slots[i].Load() != nil {
			continue
		}
		r.index = int32(i)
		if b.slots[i].CompareAndSwap(nil, r) {
			return true
		}
		if wide && b.number < 0 {
			return false // others are in this line: on to the directory, where each has blocks of its own
		}
	}
	return false
}

// more returns the base, making it if need be.
func (g *registry) more() *base {
	if b := g.base.Load(); b != nil {
		return b
	}
	b := &base{block: block{number: -1}}
	b.slots = b.array[:]
	if !g.base.CompareAndSwap(nil, b) {
		b = g.base.Load()
	}
	return b
}

func newDirectory() *directory {
	d := new(directory)
	d.span.Store(minSpan)
	return d
}

// minSpan is so many blocks that cores seldom meet in one.
var minSpan = uint32(1) << bits.Len(uint(4*runtime.NumCPU()-1))

// claim finds a slot for r in a block of the directory.
func (d *directory) claim(r *registration) {
	place := heapPlace(r)
	number := place
	for {
		span := d.span.Load()
		for range blockTries {
			number &= span - 1
			b := d.block(number)
			if b.live.Load() < blockLimit {
				live := b.live.Inc()
				if 0 < live && live <= blockLimit {
					if live == blockFilled {
						b.filled.Store(1)
					}
					from := int(heapHash(r) % blockSlots)
					for !b.block.claim(r, from, blockSlots) {
						// Admitted, so there is a free slot; others were faster at each that we saw.
					}
					return
				}
				if live > 0 {
					// By now all who were admitted may have left.
					if b.live.Dec() == 0 {
						d.emptied(&b.block)
					}
				} else {
					// Given up since we looked. It may still stand in the directory: help to take it out.
					d.at(number).CompareAndSwap(b, nil)
				}
			}
			// Another block, anywhere, but the same for all registrations of this place: it is in the cache.
			number = 5*number + 2*(place>>8) + 1
		}
		if d.crowded.Inc() > span/growAt && span < 1<<(maxLevels-1) {
			d.resize(span, 2*span)
		}
	}
}

// emptied says that the last registration of b is gone.
func (d *directory) emptied(b *block) {
	span := d.span.Load()
	if b.filled.CompareAndSwap(1, 0) && span > minSpan && d.empties.Inc() > span/shrinkAt && d.resize(span, span/2) {
		// A block that empties from now on is given up by who empties it: it reads span after live, we read live
		// after span is written, so one of the two sees the other.
		for n := span / 2; n < span; n++ {
			d.giveUp(n)
		}
	}
	if n := uint32(b.number); n >= d.span.Load() {
		d.giveUp(n)
	}
}

// resize changes span, and reports whether it did.
func (d *directory) resize(from, to uint32) bool {
	if !d.span.CompareAndSwap(from, to) {
		return false
	}
	d.crowded.Store(0)
	d.empties.Store(0)
	return true
}

// giveUp drops the block of that number if it is empty.
func (d *directory) giveUp(number uint32) {
	if d.levels[bits.Len32(number)].Load() == nil {
		return
	}
	at := d.at(number)
	if b := at.Load(); b != nil && b.live.CompareAndSwap(0, givenUp) {
		at.CompareAndSwap(b, nil)
	}
}

// block returns the block of that number, making it if need be.
func (d *directory) block(number uint32) *directoryBlock {
	at := d.at(number)
	for {
		if b := at.Load(); b != nil {
			return b
		}
		b := &directoryBlock{block: block{number: int32(number)}}
		b.slots = b.array[:]
		if at.CompareAndSwap(nil, b) {
			return b
		}
	}
}

// at returns the place of the block of that number: level 0 has number 0, level n > 0 has the numbers of n bits.
func (d *directory) at(number uint32) *atomic.Pointer[directoryBlock] {
	n := bits.Len32(number)
	size := uint32(1) << max(n-1, 0)
	l := d.levels[n].Load()
	if l == nil {
		l = &level{blocks: make([]atomic.Pointer[directoryBlock], size)}
		if !d.levels[n].CompareAndSwap(nil, l) {
			l = d.levels[n].Load()
		}
	}
	return &l.blocks[number&(size-1)]
}

// sweep goes through all slots of a registry, from where it stopped. It is a struct and not a loop because a
// callback that panics must not end it: the zero value starts, and next goes on.
type sweep struct {
	slots   []slot // the block under way
	at      int    // the next of them
	stage   int    // 0: first; 1: base; then the level + 2
	level   []atomic.Pointer[directoryBlock]
	touched uintptr
}

// next takes the next registration out of its slot, and returns nil at the end.
func (w *sweep) next(g *registry) *registration {
	for {
		for w.at < len(w.slots) {
			if w.at%touchAhead == 0 && len(w.slots) > baseSlots {
				w.touch()
			}
			s := &w.slots[w.at]
			w.at++
			if r := s.Load(); r != nil && s.CompareAndSwap(r, nil) {
				return r
			}
		}
		if w.slots = w.block(g); w.slots == nil {
			return nil
		}
		w.at = 0
	}
}

// touch reads what the next trips are going to write. In a large fan-out none of it is in the cache, and the misses of
// several trips overlap here, where nothing waits for anything; in the trips, each locked instruction waits for
// its own. That halves the cost.
func (w *sweep) touch() {
	for i := w.at; i < min(w.at+touchAhead, len(w.slots)); i++ {
		if r := w.slots[i].Load(); r != nil && r.node != nil {
			w.touched += uintptr(r.node.state.Load()) + uintptr(cap(r.node.done.get()))
		}
	}
}

// block returns the slots of the next block, or nil at the end.
func (w *sweep) block(g *registry) []slot {
	for {
		for i := range w.level {
			if b := w.level[i].Load(); b != nil {
				w.level = w.level[i+1:]
				return b.slots
			}
		}
		w.level = nil
		stage := w.stage
		w.stage++
		if stage == 0 {
			return g.first[:]
		}
		base := g.base.Load()
		if base == nil {
			return nil
		}
		if stage == 1 {
			return base.slots
		}
		dir := base.directory.Load()
		if dir == nil || stage-2 == maxLevels {
			return nil
		}
		if l := dir.levels[stage-2].Load(); l != nil {
			w.level = l.blocks
		}
	}
}
