package registry

import "github.com/kamilsk/breaker/internal/atomic"

// Sweep goes through the slots that may hold entries of one class. It is a struct and not a loop,
// because a callback that panics must not end it. It starts at the first slot; Next goes on from
// where the last one stopped.
//
// One goroutine uses a Sweep. Several sweeps may be under way.
type Sweep[N, T, X any] struct {
	Class Class

	slots []Slot[N, T] // the block under way
	at    int          // the next of them
	begun bool         // a run of them begins before at, see Ahead
	stage int          // 0: first; 1: base; then the level + 2
	level []atomic.Pointer[directoryBlock[N, T]]
}

// NextLink returns the next link, and nil at the end. It leaves links in their slots. The node that
// a link leads to takes it out itself, after all that depends on that node has been told. So if you
// find no link there, all that is done (promise 18).
func (w *Sweep[N, T, X]) NextLink(g *Registry[N, T, X]) *Entry[N, T] {
	for {
		for w.at < len(w.slots) {
			if w.at%lookAhead == 0 && len(w.slots) > baseSlots {
				w.begun = true
			}
			e := w.slots[w.at].Load()
			w.at++
			if e != nil && e.Node != nil {
				return e
			}
		}
		if !w.advance(g) {
			return nil
		}
	}
}

// Ahead returns slots that NextLink is about to go through, from the one of the link that it has
// just returned on. It does so once for each run of them, and otherwise returns nil.
//
// In a large fan-out nothing of what the links lead to is in the cache. If you read it for a whole
// run at a time, the misses overlap.
func (w *Sweep[N, T, X]) Ahead() []Slot[N, T] {
	if !w.begun {
		return nil
	}
	w.begun = false
	from := w.at - 1
	return w.slots[from:min(from-from%lookAhead+lookAhead, len(w.slots))]
}

// NextCallback takes the next callback out of its slot, and returns nil at the end.
func (w *Sweep[N, T, X]) NextCallback(g *Registry[N, T, X]) *Entry[N, T] {
	for {
		for w.at < len(w.slots) {
			s := &w.slots[w.at]
			w.at++
			// A link here is a late one: Put's caller is about to take it back. The CAS decides
			// between running and stopping (promise 6 and promise 7).
			if e := s.Load(); e != nil && e.Node == nil && s.CompareAndSwap(e, nil) {
				return e
			}
		}
		if !w.advance(g) {
			return nil
		}
	}
}

func (w *Sweep[N, T, X]) advance(g *Registry[N, T, X]) bool {
	w.slots, w.at = w.block(g), 0
	return w.slots != nil
}

// block returns the slots of the next block, or nil at the end.
func (w *Sweep[N, T, X]) block(g *Registry[N, T, X]) []Slot[N, T] {
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
		dir := base.directories[w.Class].Load()
		if dir == nil || stage-2 >= maxLevels {
			return nil
		}
		if stage == 2 {
			dir.swept.Store(1)
		}
		if l := dir.levels[stage-2].Load(); l != nil {
			w.level = l.blocks
		}
	}
}
