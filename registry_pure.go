//go:build breaker_pure && !breaker_explore

package breaker

import "math/rand/v2"

// Without the address of a registration its place is random. That takes 5-10 ns more, and misses
// the cache (docs/design.md).

func heapPlace(*registration) uint32 { return rand.Uint32() >> 12 }

func heapSlot(*registration) int { return rand.IntN(blockSlots) }
