//go:build breaker_explore

package registry

// What the programs of an explorer set and see, besides Slots.

const (
	BaseSlots  = baseSlots
	BlockSlots = blockSlots
)

// SetWide says whether there are more cores than the base has cache lines. The next programs begin
// with it.
func SetWide(w bool) { wide = w }

// First returns the entry in the registry's own slot.
func (g *Registry[N, T, X]) First() *Entry[N, T] { return g.first[0].Load() }

// HasDirectory reports whether there is a directory.
func (g *Registry[N, T, X]) HasDirectory() bool {
	b := g.base.Load()
	return b != nil && (b.directories[Links].Load() != nil || b.directories[Callbacks].Load() != nil)
}
