// Package atomic is the one door through which package breaker reaches shared memory.
//
// In a normal build everything here is an alias of go.uber.org/atomic or a function that inlines to
// the operation it names, so the seam costs nothing. Under the build tag breaker_explore an
// instrumented twin takes its place, which hands control to a scheduler before every access.
package atomic

import "go.uber.org/atomic"

// Hint is a Uint32 that nothing depends on but speed, such as one that remembers what the clock
// said. No scheduler sees it.
type Hint = atomic.Uint32
