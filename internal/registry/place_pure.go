//go:build breaker_pure && !breaker_explore

package registry

import "math/rand/v2"

// Without the address of an entry its place is random. That takes 5-10 ns more, and misses the
// cache (docs/design.md).

func heapPlace[N, T any](*Entry[N, T]) uint32 { return rand.Uint32() >> 12 }

func heapSlot[N, T any](*Entry[N, T]) int { return rand.IntN(blockSlots) }
