// Package breakerprof shows which breakers are alive, and where they were made: who forgot Close.
//
// It adds a profile named "breaker" to those of runtime/pprof, so that everything that shows profiles shows it: go tool
// pprof with its web page, and /debug/pprof/breaker of net/http/pprof. An entry is a breaker that
// one of the constructors of package breaker made, and that is neither closed nor collected; its stack begins with
// the constructor. A zero value has no constructor, and isn't recorded.
//
//	breakerprof.SetRate(1) // every breaker; in production perhaps 1 of 1,000
//
// As long as it is off, which it is until SetRate says otherwise, a breaker costs one load more. While it is on, each breaker that is
// recorded costs a stack trace and a lock that all of them share, at its construction and at its close: some microseconds (see BenchmarkNewClose).
package breakerprof

import (
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/live"
)

// Name is the profile's.
const Name = "breaker"

// SetRate records one of so many breakers made from now on, chosen in turn; 0 or less records none. It returns the
// rate before. What has been recorded stays in the profile until it is closed, or collected. SetRate may be called
// concurrently.
func SetRate(rate int) (before int) {
	rate = max(rate, 0)
	setting.Lock()
	defer setting.Unlock()
	if rate > 0 {
		start()
	}
	before = int(current.rate.Swap(int64(rate)))
	live.Switch(rate > 0)
	return before
}

var (
	setting sync.Mutex
	// start makes the profile when it is first needed, so that nobody sees it who never asked for it.
	start = sync.OnceFunc(func() {
		current.profile = pprof.NewProfile(Name)
		live.SetRecorder(&current)
	})
	current recorder
)

// recorder is who package breaker tells of breakers.
type recorder struct {
	profile *pprof.Profile
	rate    atomic.Int64
	made    atomic.Uint64
}

// key is a breaker that the profile doesn't keep from being collected.
type key = weak.Pointer[breaker.Breaker]

// frames are those before the constructor: pprof.Profile.Add, Made, and enlist of package breaker.
const frames = 3

func (r *recorder) Made(br any) bool {
	rate := r.rate.Load()
	if rate <= 0 || r.made.Add(1)%uint64(rate) != 0 {
		return false
	}
	b := br.(*breaker.Breaker)
	k := weak.Make(b)
	r.profile.Add(k, frames)
	// What is garbage isn't alive. (It held nothing but, perhaps, a cancel function.)
	runtime.AddCleanup(b, func(k key) { r.profile.Remove(k) }, k)
	return true
}

func (r *recorder) Closed(br any) { r.profile.Remove(weak.Make(br.(*breaker.Breaker))) }
