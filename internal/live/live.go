// Package live tells a recorder, if there is one, which breakers are made and closed. With it
// package breaker does without runtime/pprof, which would make each program that uses it larger.
package live

import "go.uber.org/atomic"

// A Recorder is told about breakers. Its methods are called concurrently.
type Recorder interface {
	// Made says that br has been made, a *breaker.Breaker, and reports whether Closed is to be
	// called for it. It is called by enlist, which the constructor calls.
	Made(br any) bool
	// Closed says that br is closed. It is called once for each br that Made returned true for.
	Closed(br any)
}

var (
	on       atomic.Uint32
	recorder atomic.Pointer[Recorder]
)

// SetRecorder sets the recorder. It can't be replaced, because Closed has to reach the recorder
// that Made has told.
func SetRecorder(r Recorder) {
	if !recorder.CompareAndSwap(nil, &r) {
		panic("live: there is a recorder already")
	}
}

// Switch sets whether the recorder is told about breakers made from now on.
func Switch(to bool) {
	if to {
		on.Store(1)
	} else {
		on.Store(0)
	}
}

// On returns what Switch has set. It is one load.
func On() bool { return on.Load() != 0 }

// Get returns the recorder. There is one if On ever returned true.
func Get() Recorder { return *recorder.Load() }
