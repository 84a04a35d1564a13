package breaker

import (
	"math/bits"
	"runtime"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// The registry: who hears about a trip.
//
// A slot is an atomic pointer to a registration. Registering claims a free slot (CAS nil → r),
// stopping gives it back (CAS r → nil), the sweep at the trip takes what it finds (CAS r → nil) and
// runs it. Whoever wins the CAS on the slot decides, so that stopping and running exclude each
// other without any other state (promises 6 and 7). A registration is made for one registering
// only. Until that is over it may be put into a slot, taken back and put there again, which does no
// harm: whoever takes out what he saw there takes what is registered.
//
// Registering against the trip is Dekker's pattern: the one writes the slot, then reads the state;
// the other writes the state, then reads the slots. Go's atomics are sequentially consistent, so at
// least one of the two sees the other; if both do, the CAS on the slot picks one.
//
// Slots live in three places, in the order in which they are tried:
//
//   - one in the Breaker itself, until a second registration comes that wants to live at the same
//     time;
//   - the base, a block of a few cache lines, until it is full, or too many cores meet in it;
//   - the directory: blocks made on demand, reached by number, and given up when they are empty.
//
// What comes after is used instead of what came before, and for good.
//
// Where to look first follows from the address of the registration. Go's allocator gives each P
// spans of its own, so goroutines on one core meet in the same cache lines and goroutines on
// different cores don't, for free. A random start costs 5-10 ns more, and misses the cache.
type registry struct {
	// first is the slot for the first registration: whoever has only one needs nothing else. It is
	// an array to be swept as a block's slots are.
	first [1]slot
	// base is made when first is taken, once, and then used instead of it: a breaker that
	// many register with shall not have them meet in the cache line that holds its state.
	base atomic.Pointer[base]
}

type slot = atomic.Pointer[registration]

// A registration is one entry in one breaker's registry: a callback, or a link by which a node
// follows one of its sources. The two share one type, and a field or two that only one of them
// uses, so that the sweeps tell them apart without a cast. A callback is 24 bytes, a size class of
// Go's allocator.
type registration struct {
	// where and index tell the slot. register writes them before it puts the registration there.
	// They are numbers, not pointers, so that a stop function that is retained doesn't retain a
	// block and what else is in it.
	where int32 // inFirst, inBase, or the number of a block of the directory, plus 1
	index uint8
	// role is a link's: what the source is to its node. Written, as node and f are, before the
	// registration is shared.
	role role
	// The following two are a link's, and the winner's of the node's trip.
	dropped bool // it is out of the source's registry
	pending bool // the winner has closed the source, whose callbacks haven't run yet
	// node is a link's: what is to be tripped. Nil in a callback.
	node *node
	// f is a callback's. Whatever takes the registration out of its slot sets it to nil, so that it
	// can be collected.
	f func()
}

const (
	inFirst int32 = 0
	inBase  int32 = -1
)

type role uint8

const (
	owned role = 1 << iota // the source is closed with the node
	// The source has a deadline or values, which outlive the trip, or is to be asked.
	keep
	blind // values aren't looked up there
)

func (r *registration) is(role role) bool { return r.role&role != 0 }

// class tells links from callbacks: a trip sweeps all links first (promise 18).
type class int

const (
	ofLinks class = iota
	ofCallbacks
	classes
)

func (r *registration) class() class {
	if r.node != nil {
		return ofLinks
	}
	return ofCallbacks
}

// drop returns the function of a callback and forgets it. Only for what has taken the registration
// out, or hasn't got it in.
func (r *registration) drop() func() {
	atomic.Writes(&r.f)
	f := r.f
	r.f = nil
	return f
}

// block is a run of slots. Base and directory have blocks of different lengths, each one
// allocation. A block of the directory that is empty and no longer wanted is sealed, and given up.
// What decides about that needs no count of registrations, which would cost each of them two locked
// instructions: see directory.left.
type block struct {
	slots []slot
	// crowded is 1 from when a registration had to pass crowdedAt slots to get one, until one
	// leaves and a quarter of the block is free from its slot on. Whoever changes it counts that in
	// the directory.
	crowded atomic.Uint32
	// sealed is 1 while someone looks whether the block can be given up, and for good once it is. A
	// registration that was put into a sealed block is taken back.
	sealed atomic.Uint32
	// number is the block's place in the directory; for the base, what makes inBase of it.
	number int32
}

type base struct {
	block
	// directories holds one for the links and one for the callbacks, so that neither sweep goes
	// through the other's.
	directories [classes]atomic.Pointer[directory]
	// relay hears of the trip by way of Done; it is here because whoever needs it has
	// registrations, or soon will.
	relay atomic.Pointer[relay]
	array [baseSlots]slot
}

type directoryBlock struct {
	block
	_     [16]byte // on 64 bits, the slots begin with a cache line
	array [blockSlots]slot
}

// directory holds the blocks beyond the base: levels of 1, 1, 2, 4, 8 … of them, made on demand and
// never moved.
//
// New registrations go to the blocks below span, a power of two. It doubles when searches for a
// free slot have failed as often as there are blocks, which they do when some two thirds of the
// slots are taken, and halves when few blocks are crowded, in proportion to its size. Blocks from
// span on, no longer wanted, are given up when they are empty. So a burst gives its memory back, as
// the registrations of it end; what stays is 8 bytes for each block of the peak.
type directory struct {
	span atomic.Uint32
	// crowded counts the blocks that are.
	crowded atomic.Int32
	// failed counts the searches that failed since span last changed.
	failed atomic.Uint32
	levels [maxLevels]atomic.Pointer[level]
}

type level struct {
	blocks []atomic.Pointer[directoryBlock]
}

const (
	lineSlots = 8 // slots in a cache line
	maxLevels = 26
	// blockTries is how many blocks a search tries: the one that the address says, then any. One
	// full neighbourhood says nothing, because addresses cluster, and one failed search little,
	// because there are so many of them: with the first as the sign to grow, the directory doubles
	// without end, with the second at 10 % occupancy.
	blockTries = 8
)

// register enters r, and reports whether it did. If it did, r is swept if the breaker ever trips,
// unless unregister takes it out before. If not, the breaker isn't open any more, and Done is
// closed or about to be: the caller awaits it before it acts (the claimed window).
//
// A source that isn't watched yet is watched from here on.
func (b *Breaker) register(r *registration) bool {
	s := b.state.Load()
	if s&flagPoll != 0 {
		b.watch(s)
		s = b.state.Load()
	}
	for s&(phase|flagHeld) == open { // the first registration of a breaker that has no source
		if b.state.CompareAndSwap(s, s|flagHeld) {
			if live.On() {
				b.enlistUsed()
			}
			break
		}
		s = b.state.Load()
	}
	if s&phase != open {
		return false
	}
	at := b.registry.claim(r)
	if b.state.Load()&phase == open {
		return true // a trip from here on sees the slot
	}
	// Dekker: the sweep may have seen the slot, or not. If r is still there, it is ours to take
	// back, and so is a directory that was made for it after the breaker had forgotten its own.
	back := at.CompareAndSwap(r, nil)
	if base := b.registry.base.Load(); base != nil && b.state.Load()&phase == closed {
		base.forget()
	}
	return !back
}

// unregister takes r out and reports whether it was still there (promise 7). It never waits.
func (b *Breaker) unregister(r *registration) bool {
	g := &b.registry
	if atomic.Reads(&r.where); r.where <= 0 {
		s := &g.first[0]
		if r.where == inBase {
			s = &g.base.Load().slots[r.index]
		}
		// The load spares what is too late a locked instruction, which would fail.
		return s.Load() == r && s.CompareAndSwap(r, nil)
	}
	dir := g.base.Load().directories[r.class()].Load()
	if dir == nil {
		return false // the breaker is closed, and has forgotten it
	}
	block := dir.at(uint32(r.where - 1)).Load()
	if block == nil {
		return false // it has been empty since
	}
	s := &block.slots[r.index]
	if s.Load() != r || !s.CompareAndSwap(r, nil) {
		return false
	}
	if b.isOpen() { // otherwise nobody looks for room any more
		dir.left(&block.block, int(r.index))
	}
	return true
}

// handle is a callback and the breaker that it is registered with.
type handle struct {
	b *Breaker
	r *registration
}

// stop is what OnTrip and the context view return.
func (h handle) stop() bool {
	if !h.b.unregister(h.r) {
		return false
	}
	h.r.f = nil // not by drop, which says more to the explorer: this would not be inlined any more
	return true
}

// isEmpty reports whether nothing has been registered since the beginning, or only one and that is
// gone. After the claim, what it says holds for all registrations made before it.
func (g *registry) isEmpty() bool {
	return g.first[0].Load() == nil && g.base.Load() == nil
}

// forget drops the directory of a breaker that is closed: whoever keeps the breaker shall not keep,
// with it, the room for its callbacks (promise 10). What is late finds its block by itself, and
// takes back what it has put there.
func (b *base) forget() {
	for c := range b.directories {
		if b.directories[c].Load() != nil {
			b.directories[c].Store(nil)
		}
	}
}

// claim finds a slot for r.
func (g *registry) claim(r *registration) *slot {
	more := g.base.Load()
	if more == nil {
		if g.first[0].CompareAndSwap(nil, r) {
			return &g.first[0]
		}
		more = g.more()
	}
	directory := &more.directories[r.class()]
	dir := directory.Load()
	if dir == nil {
		if s := more.block.claim(r, int(heapPlace(r))*lineSlots%baseSlots, baseSlots); s != nil {
			return s
		}
		dir = newDirectory()
		if !directory.CompareAndSwap(nil, dir) {
			// None, if the breaker has closed since: then r will be taken back, wherever it is.
			if theirs := directory.Load(); theirs != nil {
				dir = theirs
			}
		}
	}
	return dir.claim(r)
}

// wide says that there are more cores than the base has cache lines: then some of them meet in one.
var wide = runtime.NumCPU()*lineSlots > baseSlots

// claim tries to claim a slot for r among so many, from the given one on.
func (b *block) claim(r *registration, from, probes int) *slot {
	atomic.Writes(&r.where)
	r.where = b.number + 1
	for i, left := from, probes; left > 0; i, left = i+1, left-1 {
		if i >= len(b.slots) {
			i = 0
		}
		if b.slots[i].Load() != nil {
			continue
		}
		atomic.Writes(&r.index)
		r.index = uint8(i)
		if b.slots[i].CompareAndSwap(nil, r) {
			return &b.slots[i]
		}
		if wide && b.number < 0 {
			// Others are in this line: on to the directory, where each has blocks of its own.
			return nil
		}
	}
	return nil
}

// distance returns how many slots from the given one on r had to pass.
func (b *block) distance(from int, r *registration) int {
	d := int(r.index) - from
	if d < 0 {
		d += len(b.slots)
	}
	return d
}

// freeFrom returns how many slots are free in a run that begins with the given one, and goes round.
func (b *block) freeFrom(index int) (free int) {
	for _, slots := range [2][]slot{b.slots[index:], b.slots[:index]} {
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
func (b *block) isEmpty() bool { return b.freeFrom(0) == len(b.slots) }

// more returns the base, making it if need be.
func (g *registry) more() *base {
	if b := g.base.Load(); b != nil {
		return b
	}
	b := &base{block: block{number: inBase - 1}}
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
func (d *directory) claim(r *registration) *slot {
	place, from := heapPlace(r), heapSlot(r)
	number := place
	for {
		span := d.span.Load()
		for range blockTries {
			number &= span - 1
			b := d.block(number)
			if s := b.block.claim(r, from, blockProbes); s != nil {
				if b.crowded.Load() == 0 && b.distance(from, r) >= crowdedAt && b.crowded.CompareAndSwap(0, 1) {
					d.crowded.Inc()
				}
				if b.sealed.Load() == 0 || !d.takeBack(r, &b.block) {
					return s
				}
			}
			// Another block, anywhere, but the same for all registrations of this place: it is in
			// the cache.
			number = 5*number + 2*(place>>8) + 1
		}
		if d.failed.Inc() > span && span < 1<<(maxLevels-1) {
			d.resize(span, 2*span)
		}
	}
}

// takeBack takes r out of its block, which is sealed, and may be given up already, so that no sweep
// would see it. It reports whether r was still there: if not, a sweep has found it.
//
// Dekker: we have written the slot, and read sealed; whoever seals the block writes that, and then
// reads the slots.
func (d *directory) takeBack(r *registration, b *block) bool {
	if !b.slots[r.index].CompareAndSwap(r, nil) {
		return false
	}
	d.left(b, int(r.index))
	return true
}

// left says that a registration is gone from that slot of the block. What follows from it depends
// on how many slots are free, from there on. That is asked only if it matters, and found by
// looking. A look ends at the first slot that is taken: the last of a block's registrations looks
// at all of it, but a block that drains costs each of them a few slots, on the average. Counting
// the registrations instead takes two locked instructions for each.
func (d *directory) left(b *block, index int) {
	number := uint32(b.number)
	// Dekker: the slot is nil, then we read span; whoever makes it smaller writes that, and then
	// looks at the slots.
	span := d.span.Load()
	if b.crowded.Load() == 0 && number < span {
		return
	}
	free := b.freeFrom(index)
	if number >= span && free == len(b.slots) {
		d.giveUp(number)
	}
	// Not only if it is empty: a few of a burst may stay for long.
	if free < len(b.slots)/4 || !b.crowded.CompareAndSwap(1, 0) {
		return
	}
	if d.crowded.Dec() < int32(span/shrinkAt) && span > minSpan && d.resize(span, span/2) {
		for n := span / 2; n < span; n++ {
			d.giveUp(n)
		}
	}
}

// resize changes span, and reports whether it did.
func (d *directory) resize(from, to uint32) bool {
	if !d.span.CompareAndSwap(from, to) {
		return false
	}
	d.failed.Store(0)
	return true
}

// giveUp takes the block of that number out of the directory if it is empty. If someone else is
// about to, it is he who looks again. He goes on only as long as the block isn't wanted: or he, and
// one who finds a slot there and takes back, keep each other going.
func (d *directory) giveUp(number uint32) {
	if d.levels[bits.Len32(number)].Load() == nil {
		return
	}
	at := d.at(number)
	b := at.Load()
	for b != nil && number >= d.span.Load() && b.isEmpty() && b.sealed.CompareAndSwap(0, 1) {
		if b.isEmpty() {
			at.CompareAndSwap(b, nil)
			return
		}
		b.sealed.Store(0)
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

// at returns the place of the block of that number: level 0 has number 0, level n > 0 has the
// numbers of n bits.
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

// sweep goes through the slots of a registry that may hold registrations of one class, from where
// it stopped. It is a struct and not a loop because a callback that panics must not end it: the
// zero value starts, and next goes on.
type sweep struct {
	class   class
	slots   []slot // the block under way
	at      int    // the next of them
	stage   int    // 0: first; 1: base; then the level + 2
	level   []atomic.Pointer[directoryBlock]
	touched uintptr
}

// nextLink returns the next link, and nil at the end. It leaves links in their slots: the breaker
// that a link trips takes it out itself, and not before everything that depends on that breaker has
// been tripped. So whoever finds no link there may rely on that (promise 18).
func (w *sweep) nextLink(g *registry) *registration {
	for {
		for w.at < len(w.slots) {
			if w.at%touchAhead == 0 && len(w.slots) > baseSlots {
				w.touch()
			}
			r := w.slots[w.at].Load()
			w.at++
			if r != nil && r.node != nil {
				return r
			}
		}
		if !w.advance(g) {
			return nil
		}
	}
}

// nextCallback takes the next callback out of its slot, and returns nil at the end.
func (w *sweep) nextCallback(g *registry) *registration {
	for {
		for w.at < len(w.slots) {
			s := &w.slots[w.at]
			w.at++
			// A link may be here that is late: its registrar is about to take it back.
			if r := s.Load(); r != nil && r.node == nil && s.CompareAndSwap(r, nil) {
				return r
			}
		}
		if !w.advance(g) {
			return nil
		}
	}
}

func (w *sweep) advance(g *registry) bool {
	w.slots, w.at = w.block(g), 0
	return w.slots != nil
}

// touch reads what the next trips are going to write. In a large fan-out none of it is in the
// cache, and the misses of several trips overlap here, where nothing waits for anything; in the
// trips, each locked instruction waits for its own. That halves the cost.
func (w *sweep) touch() {
	for i := w.at; i < min(w.at+touchAhead, len(w.slots)); i++ {
		if r := w.slots[i].Load(); r != nil && r.node != nil {
			w.touched += uintptr(r.node.state.Load()) + r.node.done.touch()
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
		dir := base.directories[w.class].Load()
		if dir == nil || stage-2 == maxLevels {
			return nil
		}
		if l := dir.levels[stage-2].Load(); l != nil {
			w.level = l.blocks
		}
	}
}
