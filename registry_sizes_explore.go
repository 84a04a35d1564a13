//go:build breaker_explore

package breaker

// With sizes this small a few registrations reach every part of the registry.
const (
	baseSlots   = 2
	blockSlots  = 4
	blockProbes = 4
	crowdedAt   = 2
	shrinkAt    = 1
	touchAhead  = 2
)
