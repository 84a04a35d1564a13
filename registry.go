package breaker

import (
	"math/bits"
	"runtime"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// The registry holds what a trip has to call or trip.
//
// A slot is an atomic pointer to a registration. Registering takes a free slot (CAS nil → r).
// Stopping gives it back (CAS r → nil). The sweep at the trip takes what it finds (CAS r → nil) and
// runs it. The CAS on the slot decides, so stopping and running exclude each other without any
// other state (promises 6 and 7). A registration is registered once and never again. Until register
// returns, r may be put into a slot, taken back and put into another. That does no harm: a CAS that
// takes r out takes what is registered.
//
// Registering against the trip is Dekker's pattern. One side writes the slot, then reads the state;
// the other writes the state, then reads the slots. Go's atomics are sequentially consistent, so at
// least one of them sees the other. If both do, the CAS on the slot picks one.
//
// Slots live in three places, tried in this order:
//
//   - one in the Breaker itself, until a second registration wants to live at the same time;
//   - the base, a block of a few cache lines, until it is full, or too many cores meet in it;
//   - the directory: blocks made on demand, reached by number, and given up when they are empty.
//
// Once a later place is used, the earlier ones no longer are.
//
// The search starts where the address of the registration says. Go's allocator gives each P spans
// of its own, so goroutines on one core meet in the same cache lines, and those on different cores
// don't, for free. See docs/design.md, "A random place in the registry".
type registry struct {
	// first is the slot for the first registration: with only one, a breaker needs nothing else. It
	// is an array so that the sweep treats it as a block's slots.
	first [1]slot
	// base is made once, when first is taken, and then used instead of it. Otherwise many
	// goroutines that register would meet in the cache line that holds the state.
	base atomic.Pointer[base]
}

type slot = atomic.Pointer[registration]

// A registration is one entry in one breaker's registry: a callback, or a link by which a node
// listens to one of its sources. Both are one type, so that the sweeps tell them apart without a
// cast; only links use some of the fields. A callback is 24 bytes, a size class of Go's allocator.
type registration struct {
	// where and index tell the slot. register writes them before it puts the registration there.
	// They are numbers, not pointers: a stop function that you retain must not retain a block and
	// what else is in it.
	where atomic.Plain[int32] // inFirst, inBase, or the number of a block of the directory, plus 1
	index atomic.Plain[uint8]
	// role, of a link, says what the source is to its node. Like node and f it is written before
	// the registration is shared.
	role role
	// The next two are a link's, written by the winner of the node's trip.
	dropped atomic.Plain[bool] // it is out of the source's registry
	pending atomic.Plain[bool] // the winner has closed the source, whose callbacks haven't run yet
	// node, of a link, is what the trip trips. Nil in a callback.
	node *node
	// f is the callback. Taking the registration out of its slot sets it to nil, so that it can be
	// collected.
	f atomic.Plain[func()]
}

const (
	inFirst int32 = 0
	inBase  int32 = -1
)

type role uint8

const (
	owned role = 1 << iota // the source is closed with the node
	// The source is still needed after the trip, for its deadline or its values, or must be asked.
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

func newCallback(f func()) *registration {
	r := new(registration)
	r.f.Set(f)
	return r
}

// drop returns the function of a callback and forgets it. Call it only for a registration that is
// out of its slot, or never got one.
func (r *registration) drop() func() {
	f := r.f.Get()
	r.f.Set(nil)
	return f
}

// block is a run of slots. Base and directory have blocks of different lengths, each one
// allocation. A block of the directory that is empty and no longer wanted is sealed, and given up.
// Don't count the registrations for that: see docs/design.md, "A count in each block of the
// registry".
type block struct {
	slots []slot
	// crowded becomes 1 when a registration had to pass crowdedAt slots to get one. It becomes 0
	// when one leaves, and a quarter of the block is free from its slot on. The goroutine that
	// changes it counts that in the directory.
	crowded atomic.Uint32
	// sealed is 1 while a goroutine checks whether the block can be given up, and stays 1 once it
	// is. A registration put into a sealed block is taken back.
	sealed atomic.Uint32
	// number is the block's place in the directory. For the base it makes where equal inBase.
	number int32
}

type base struct {
	block
	// directories has one for links and one for callbacks, so that neither sweep goes through the
	// other's.
	directories [classes]atomic.Pointer[directory]
	// relay learns of the trip from Done. It is here because a breaker that needs one has
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
// New registrations go to the blocks below span, a power of two. span doubles when as many searches
// for a free slot have failed as there are blocks; they do when some two thirds of the slots are
// taken. It halves when few blocks are crowded, in proportion to span. Blocks from span on are no
// longer wanted, and are given up when they are empty. So memory is freed after a burst, as its
// registrations end. What stays is 8 bytes for each block of the peak.
type directory struct {
	span atomic.Uint32
	// crowded counts the crowded blocks.
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
	// blockTries is how many blocks a search tries: the one that the address says, then others. One
	// full neighborhood says nothing, because addresses cluster: growing at that, the directory
	// would double without end. One failed search says little, because there are so many: growing
	// at that, it would double at 10 % occupancy.
	blockTries = 8
)

// register enters r, and reports whether it did. If it returns true, the trip sweeps r, unless
// unregister takes it out before. If it returns false, the breaker isn't open any more, and Done is
// closed or about to be: the caller awaits it before it acts (the claimed window).
//
// register attaches a source that isn't attached yet.
func (b *Breaker) register(r *registration) bool {
	s := b.state.Load()
	if s&flagPoll != 0 {
		b.watch(s)
		s = b.state.Load()
	}
	for s&(phase|flagHeld) == open { // the first registration of a breaker that has no source
		if b.state.CompareAndSwap(s, s|flagHeld) {
			if live.On() {
				b.enlistUsed(s)
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
	// Dekker: the sweep may have seen the slot, or not. If r is still there, we take it back. A
	// directory made for r after the breaker had forgotten its own goes, too.
	back := at.CompareAndSwap(r, nil)
	if base := b.registry.base.Load(); base != nil && b.state.Load()&phase == closed {
		base.forget()
	}
	return !back
}

// unregister takes r out and reports whether it was still there (promise 7). It never blocks.
func (b *Breaker) unregister(r *registration) bool {
	g := &b.registry
	where := r.where.Get()
	if where <= 0 {
		s := &g.first[0]
		if where == inBase {
			s = &g.base.Load().slots[r.index.Get()]
		}
		// If we are too late, the load saves a locked instruction that would fail.
		return s.Load() == r && s.CompareAndSwap(r, nil)
	}
	dir := g.base.Load().directories[r.class()].Load()
	if dir == nil {
		return false // the breaker is closed, and has forgotten it
	}
	block := dir.at(uint32(where - 1)).Load()
	if block == nil {
		return false // it has been empty since
	}
	index := r.index.Get()
	s := &block.slots[index]
	if s.Load() != r || !s.CompareAndSwap(r, nil) {
		return false
	}
	if b.isOpen() { // otherwise nobody looks for room any more
		dir.left(&block.block, int(index))
	}
	return true
}

// handle is a callback and the breaker it is registered with.
type handle struct {
	b *Breaker
	r *registration
}

// stop is what OnTrip and the context view return.
func (h handle) stop() bool {
	if !h.b.unregister(h.r) {
		return false
	}
	h.r.f.Set(nil)
	return true
}

// isEmpty reports whether nothing is registered, and nothing has ever needed the base. After the
// claim the answer covers all registrations made before it.
func (g *registry) isEmpty() bool {
	return g.first[0].Load() == nil && g.base.Load() == nil
}

// forget drops the directory of a closed breaker: if you keep the breaker, you don't keep the room
// for its callbacks (promise 10). A late registrar has its block at hand, and takes back what it
// put there.
func (b *base) forget() {
	for c := range b.directories {
		if b.directories[c].Load() != nil {
			b.directories[c].Store(nil)
		}
	}
}

// claim takes a slot for r.
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
			// None, if the breaker has reached closed since: then r will be taken back, wherever it
			// is.
			if theirs := directory.Load(); theirs != nil {
				dir = theirs
			}
		}
	}
	return dir.claim(r)
}

// wide: there are more cores than the base has cache lines, so some cores meet in one.
var wide = runtime.NumCPU()*lineSlots > baseSlots

// claim tries to take a slot for r, looking at up to probes slots from the given one on.
func (b *block) claim(r *registration, from, probes int) *slot {
	r.where.Set(b.number + 1)
	for i, left := from, probes; left > 0; i, left = i+1, left-1 {
		if i >= len(b.slots) {
			i = 0
		}
		if b.slots[i].Load() != nil {
			continue
		}
		r.index.Set(uint8(i))
		if b.slots[i].CompareAndSwap(nil, r) {
			return &b.slots[i]
		}
		if wide && b.number < 0 {
			// Other cores are in this line. In the directory each has blocks of its own.
			return nil
		}
	}
	return nil
}

// distance returns how many slots r had to pass from the given one on.
func (b *block) distance(from int, r *registration) int {
	d := int(r.index.Get()) - from
	if d < 0 {
		d += len(b.slots)
	}
	return d
}

// freeFrom returns the length of the run of free slots that begins at index, and wraps around.
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

// minSpan has enough blocks that cores seldom meet in one.
var minSpan = uint32(1) << bits.Len(uint(4*runtime.NumCPU()-1))

// claim takes a slot for r in a block of the directory.
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
			// Another block, anywhere, but the same for all registrations of this place: so it is
			// in the cache.
			number = 5*number + 2*(place>>8) + 1
		}
		if d.failed.Inc() > span && span < 1<<(maxLevels-1) {
			d.resize(span, 2*span)
		}
	}
}

// takeBack takes r out of its block, which is sealed. If the block has been given up already, no
// sweep would see r. It reports whether r was still there: if not, a sweep has found it.
//
// Dekker: we have written the slot, then read sealed. The goroutine that seals the block writes
// sealed, then reads the slots.
func (d *directory) takeBack(r *registration, b *block) bool {
	index := r.index.Get()
	if !b.slots[index].CompareAndSwap(r, nil) {
		return false
	}
	d.left(b, int(index))
	return true
}

// left is called when a registration has left that slot of the block. What follows depends on how
// many slots are free from there on. left looks only if that matters, and stops at the first slot
// that is taken. So the last registration to leave looks at the whole block, and while a block
// drains each looks at a few slots on average. Counting would cost each registration two locked
// instructions (docs/design.md).
func (d *directory) left(b *block, index int) {
	number := uint32(b.number)
	// Dekker: the slot is nil, then we read span. The goroutine that makes span smaller writes it,
	// then looks at the slots.
	span := d.span.Load()
	if b.crowded.Load() == 0 && number < span {
		return
	}
	free := b.freeFrom(index)
	if number >= span && free == len(b.slots) {
		d.giveUp(number)
	}
	// Don't wait for an empty block: a few registrations of a burst may stay for long.
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

// giveUp takes the block of that number out of the directory if it is empty. If another goroutine
// has sealed it, that one looks again. The loop ends when the block is wanted: otherwise two
// goroutines, one that seals and one that takes back, could keep each other going.
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

// at returns the place of the block of that number. Level 0 has number 0; level n > 0 has the
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

// sweep goes through the slots that may hold registrations of one class. It is a struct and not a
// loop, because a callback that panics must not end it. The zero value starts at the first slot;
// next goes on from where the last one stopped.
type sweep struct {
	class   class
	slots   []slot // the block under way
	at      int    // the next of them
	stage   int    // 0: first; 1: base; then the level + 2
	level   []atomic.Pointer[directoryBlock]
	touched uintptr
}

// nextLink returns the next link, and nil at the end. It leaves links in their slots. The breaker
// that a link trips takes it out itself, after everything that depends on that breaker has been
// tripped. So if you find no link there, all that is done (promise 18).
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
			// A link here is a late one: its registrar is about to take it back.
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
// cache. Here the misses of several trips overlap; in the trips each locked instruction would wait
// for its own. That halves the cost.
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
