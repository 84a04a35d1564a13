package registry

import (
	"math/bits"

	"github.com/kamilsk/breaker/internal/atomic"
)

type directoryBlock[N, T any] struct {
	block[N, T]
	_     [16]byte // on 64 bits, the slots begin with a cache line
	array [blockSlots]Slot[N, T]
}

// directory holds the blocks beyond the base: levels of 1, 1, 2, 4, 8 … of them, made on demand and
// never moved.
//
// New entries go to the blocks below span, a power of two. span doubles when as many searches for a
// free slot have failed as there are blocks; they do when some two thirds of the slots are taken.
// It halves when few blocks are crowded, in proportion to span. Blocks from span on are no longer
// wanted, and are given up when they are empty. So memory is freed after a burst, as its entries
// end (promise 17). What stays is 8 bytes for each block of the peak.
type directory[N, T any] struct {
	span atomic.Uint32
	// crowded counts the crowded blocks.
	crowded atomic.Int32
	// failed counts the searches that failed since span last changed.
	failed atomic.Uint32
	// swept becomes 1 when a sweep gets here. From then on nobody needs room, so those that leave
	// don't look for blocks to give up.
	swept  atomic.Uint32
	levels [maxLevels]atomic.Pointer[level[N, T]]
}

type level[N, T any] struct {
	blocks []atomic.Pointer[directoryBlock[N, T]]
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

func newDirectory[N, T any]() *directory[N, T] {
	d := new(directory[N, T])
	d.span.Store(minSpan)
	return d
}

// claim takes a slot for e in a block of the directory.
func (d *directory[N, T]) claim(e *Entry[N, T]) *Slot[N, T] {
	place, from := heapPlace(e), heapSlot(e)
	number := place
	for {
		span := d.span.Load()
		for range blockTries {
			number &= span - 1
			b := d.block(number)
			if s := b.block.claim(e, from, blockProbes); s != nil {
				if b.crowded.Load() == 0 && b.distance(from, e) >= crowdedAt && b.crowded.CompareAndSwap(0, 1) {
					d.crowded.Inc()
				}
				if b.sealed.Load() == 0 || !d.takeBack(e, &b.block) {
					return s
				}
			}
			// Another block, anywhere, but the same for all entries of this place: so it is in the
			// cache.
			number = 5*number + 2*(place>>8) + 1
		}
		if d.failed.Inc() > span && span < 1<<(maxLevels-1) {
			d.resize(span, 2*span)
		}
	}
}

// takeBack takes e out of its block, which is sealed. If the block has been given up already, no
// sweep would see e. It reports whether e was still there: if not, a sweep has found it.
//
// Dekker: we have written the slot, then read sealed. The goroutine that seals the block writes
// sealed, then reads the slots.
func (d *directory[N, T]) takeBack(e *Entry[N, T], b *block[N, T]) bool {
	index := e.index.Get()
	if !b.slots[index].CompareAndSwap(e, nil) {
		return false
	}
	d.left(b, int(index))
	return true
}

// left is called when an entry has left that slot of the block. What follows depends on how many
// slots are free from there on. left looks only if that matters, and stops at the first slot that
// is taken. So the last entry to leave looks at the whole block, and while a block drains each
// looks at a few slots on average. Counting would cost each entry two locked instructions
// (docs/design.md).
func (d *directory[N, T]) left(b *block[N, T], index int) {
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
	// Don't wait for an empty block: a few entries of a burst may stay for long.
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
func (d *directory[N, T]) resize(from, to uint32) bool {
	if !d.span.CompareAndSwap(from, to) {
		return false
	}
	d.failed.Store(0)
	return true
}

// giveUp takes the block of that number out of the directory if it is empty. If another goroutine
// has sealed it, that one looks again. The loop ends when the block is wanted: otherwise two
// goroutines, one that seals and one that takes back, could keep each other going.
func (d *directory[N, T]) giveUp(number uint32) {
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
func (d *directory[N, T]) block(number uint32) *directoryBlock[N, T] {
	at := d.at(number)
	for {
		if b := at.Load(); b != nil {
			return b
		}
		b := &directoryBlock[N, T]{block: block[N, T]{number: int32(number)}}
		b.slots = b.array[:]
		if at.CompareAndSwap(nil, b) {
			return b
		}
	}
}

// at returns the place of the block of that number. Level 0 has number 0; level n > 0 has the
// numbers of n bits.
func (d *directory[N, T]) at(number uint32) *atomic.Pointer[directoryBlock[N, T]] {
	n := bits.Len32(number)
	size := uint32(1) << max(n-1, 0)
	l := d.levels[n].Load()
	if l == nil {
		l = &level[N, T]{blocks: make([]atomic.Pointer[directoryBlock[N, T]], size)}
		if !d.levels[n].CompareAndSwap(nil, l) {
			l = d.levels[n].Load()
		}
	}
	return &l.blocks[number&(size-1)]
}
