package hub

// Holds reports whether something is in the map for the key, joined or not.
func (m *Map[E]) Holds(key any) bool {
	_, ok := m.entries.Load(key)
	return ok
}
