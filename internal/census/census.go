// Package census keeps the list of live breakers that packages breakerprof and breakertest show.
// internal/live reports breakers to one recorder only, so both share this one.
//
//	census.Sample(1000)  // breakerprof: one of 1,000
//	census.KeepAll()     // breakertest: each, also if it has become garbage
//	census.Entries()     // what is there
//
// All functions may be called concurrently.
package census

import (
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/live"
)

// An Entry is a recorded breaker that isn't closed. Unless KeepAll was called, it also isn't
// garbage.
type Entry struct {
	// Ref is weak: it doesn't keep the breaker alive.
	Ref weak.Pointer[breaker.Breaker]
	// Made is when the breaker was constructed or, if it has no constructor, first used.
	Made time.Time
	// Rate is the rate of Sample when the entry was made, or 0 if only KeepAll has recorded it.
	Rate int

	// number orders the entries by age.
	number uint64
	// pcs is the whole stack, inside how many functions of it are below the constructor.
	pcs    []uintptr
	inside int
}

// Stack returns the callers at the construction. It begins with the constructor, the outermost
// function of this module.
func (e *Entry) Stack() []runtime.Frame { return frames(e.pcs)[e.inside:] }

// Source returns the name of the function that made the breaker, without the path of its package.
func (e *Entry) Source() string { return shortName(e.Stack()[0].Function) }

// Sample records one of rate breakers made from now on, chosen at random, also in the profile. With
// 0 or less it records none. It returns the previous rate. There is one profile, which the caller
// has to pass only with a rate.
func Sample(rate int, profile *pprof.Profile) (before int) {
	setting.Lock()
	defer setting.Unlock()
	rate = max(rate, 0)
	if profile != nil { // what was sampled leaves it later on
		current.profile.Store(profile)
	}
	before = int(current.rate.Swap(int64(rate)))
	apply()
	return before
}

// KeepAll records each breaker made from now on, until it is closed.
func KeepAll() {
	setting.Lock()
	defer setting.Unlock()
	current.all.Store(true)
	apply()
}

// apply makes package breaker report breakers iff one of the two packages wants to know.
func apply() {
	wanted := current.rate.Load() > 0 || current.all.Load()
	if wanted {
		listen()
	}
	live.Switch(wanted)
}

// Entries returns the recorded breakers, the oldest first.
func Entries() []*Entry {
	var all []*Entry
	for i := range current.shards {
		s := &current.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			all = append(all, e)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return all
}

// Forget removes an entry, and reports whether it was there. It doesn't close the breaker.
func Forget(e *Entry) bool { return current.remove(e.Ref) }

var (
	setting sync.Mutex
	listen  = sync.OnceFunc(func() { live.SetRecorder(&current) })
	current recorder
	seed    = maphash.MakeSeed()
)

// recorder implements live.Recorder.
type recorder struct {
	profile atomic.Pointer[pprof.Profile]
	rate    atomic.Int64
	all     atomic.Bool
	number  atomic.Uint64
	shards  [shards]shard
}

// shards is how many locks share the entries. With every breaker recorded, one lock would be the
// bottleneck.
const shards = 32

type shard struct {
	mu      sync.Mutex
	entries map[weak.Pointer[breaker.Breaker]]*Entry
	_       [64]byte // the next one's lock is in another cache line
}

func (r *recorder) shard(k weak.Pointer[breaker.Breaker]) *shard {
	return &r.shards[maphash.Comparable(seed, k)%shards]
}

// depth is how much of a stack is kept: what is inside of breaker, and as much above it as
// runtime/pprof shows.
const depth = 40

// Made records a breaker, or doesn't. Each breaker has the same chance, whatever was made before
// it: the gaps between those that are recorded are geometric, as those of the heap profile are
// exponential. Counting instead (each 1,000th) would see nothing of a leak, or nothing else, where
// the program makes breakers in a cycle whose length shares a factor with the rate.
func (r *recorder) Made(br any) bool {
	rate := int(r.rate.Load())
	sampled := rate == 1 || rate > 1 && rand.IntN(rate) == 0
	all := r.all.Load()
	if !sampled && !all {
		return false
	}
	b := br.(*breaker.Breaker)
	k := weak.Make(b)
	var buffer [depth]uintptr
	pcs := buffer[:runtime.Callers(1, buffer[:])]
	e := &Entry{Ref: k, Made: time.Now(), number: r.number.Add(1), pcs: slices.Clone(pcs), inside: constructor(pcs)}
	if sampled {
		e.Rate = rate
		r.profile.Load().Add(k, e.inside+1) // Add itself is on the stack, too
	}
	s := r.shard(k)
	s.mu.Lock()
	if s.entries == nil {
		s.entries = make(map[weak.Pointer[breaker.Breaker]]*Entry)
	}
	s.entries[k] = e
	s.mu.Unlock()
	if !all {
		// A garbage breaker isn't alive. (It held at most a cancel function.)
		runtime.AddCleanup(b, func(k weak.Pointer[breaker.Breaker]) { r.remove(k) }, k)
	}
	return true
}

// Closed removes a breaker.
func (r *recorder) Closed(br any) { r.remove(weak.Make(br.(*breaker.Breaker))) }

func (r *recorder) remove(k weak.Pointer[breaker.Breaker]) bool {
	s := r.shard(k)
	s.mu.Lock()
	e := s.entries[k]
	delete(s.entries, k)
	s.mu.Unlock()
	if e != nil && e.Rate > 0 {
		r.profile.Load().Remove(k)
	}
	return e != nil
}
