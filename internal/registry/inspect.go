package registry

// Slots returns how many slots there are, and how many of them are taken. It is for tests: that
// nothing stays registered (promise 10), and how much room there is (promise 17), can't be seen
// from outside. While others put and take, it is a guess.
func (g *Registry[N, T, X]) Slots() (all, taken int) {
	count := func(slots []Slot[N, T]) {
		all += len(slots)
		for i := range slots {
			if slots[i].Load() != nil {
				taken++
			}
		}
	}
	count(g.first[:])
	base := g.base.Load()
	if base == nil {
		return all, taken
	}
	count(base.slots)
	for c := range base.directories {
		dir := base.directories[c].Load()
		if dir == nil {
			continue
		}
		for i := range dir.levels {
			l := dir.levels[i].Load()
			if l == nil {
				continue
			}
			for j := range l.blocks {
				if b := l.blocks[j].Load(); b != nil {
					count(b.slots)
				}
			}
		}
	}
	return all, taken
}
