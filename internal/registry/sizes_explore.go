//go:build breaker_explore

package registry

// With sizes this small a few entries reach every part of the registry.
const (
	baseSlots   = 2
	blockSlots  = 4
	blockProbes = 4
	crowdedAt   = 2
	shrinkAt    = 1
	lookAhead   = 2
)

// They don't follow from the machine.
var (
	minSpan uint32 = 1
	wide           = true
)
