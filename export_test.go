package breaker

// Slots returns how many slots a breaker's registry has, and how many of them are taken. That
// nothing stays registered (promise 10), and how much room it takes (promise 17), can't be seen
// from outside.
func Slots(br Interface) (all, taken int) {
	g := &unwrap(br).registry
	for c := range classes {
		for w := (sweep{class: c}); ; {
			stage := w.stage
			slots := w.block(g)
			if slots == nil {
				break
			}
			if c > 0 && stage < 2 {
				continue // first and base are shared
			}
			all += len(slots)
			for i := range slots {
				if slots[i].Load() != nil {
					taken++
				}
			}
		}
	}
	return all, taken
}

// Span returns how many blocks of a breaker's directory new registrations go to.
func Span(br Interface) int {
	return int(unwrap(br).registry.base.Load().directories[ofCallbacks].Load().span.Load())
}

// MinSpan returns how many that is at the least, on this machine.
func MinSpan() int { return int(minSpan) }
