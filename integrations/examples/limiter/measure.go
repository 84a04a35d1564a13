package main

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// scene is a limiter, and what is done with it. It is used once.
type scene struct {
	rate *rate.Limiter
	wait func() error // by each request
	trip func()       // by the owner of the limiter
}

// waiting returns how many wait: to so many the limiter owes a permission.
func (s *scene) waiting() int { return int(-s.rate.Tokens() + 0.999) }

// result is what a scene has cost.
type result struct {
	woken      int           // how many have returned with the cause
	goroutines float64       // while all wait, for each, besides its own
	bytes      float64       // of the heap, for each, while all wait
	begin      time.Duration // until all wait
	wake       time.Duration // from the trip until all have returned
}

// measure lets so many requests wait, and wakes them.
func measure(s *scene, waiters int) (r result) {
	_ = s.wait() // takes the permission that is there from the beginning
	errs := make([]error, waiters)
	goroutines, bytes := inUse()

	var all sync.WaitGroup
	began := time.Now()
	for i := range errs {
		all.Go(func() { errs[i] = s.wait() })
	}
	for s.waiting() < waiters {
		runtime.Gosched()
	}
	r.begin = time.Since(began)
	moreGoroutines, moreBytes := inUse()
	r.goroutines = float64(moreGoroutines-goroutines)/float64(waiters) - 1
	r.bytes = float64(moreBytes-bytes) / float64(waiters)

	tripped := time.Now()
	s.trip()
	all.Wait()
	r.wake = time.Since(tripped)
	for _, err := range errs {
		if err == errShutdown {
			r.woken++
		}
	}
	awaitEnd(goroutines)
	return r
}

// inUse returns how many goroutines there are, and how many bytes of the heap they use. The runtime
// counts goroutines that have ended as well while it collects garbage, so that comes first.
func inUse() (goroutines int, bytes int64) {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return runtime.NumGoroutine(), int64(stats.HeapAlloc)
}

// awaitEnd yields until no more goroutines are left than there were: those that only had to say
// that they are done. It gives up after a while, as the next measurement isn't worth more.
func awaitEnd(goroutines int) {
	for began := time.Now(); runtime.NumGoroutine() > goroutines && time.Since(began) < 10*time.Second; {
		runtime.Gosched()
	}
}
