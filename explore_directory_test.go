//go:build breaker_explore

package breaker

import "github.com/kamilsk/breaker/internal/explore"

// directories has the programs in which a directory shrinks, which takes more registrations than other programs have.
func directories() []program {
	return []program{{"directory: claim vs claim vs shrink", func(r *explore.Run) {
		const unwanted = 1 // the number of a block that is beyond span when the directory has shrunk
		placeOfAll = unwanted
		r.AtEnd(func() { placeOfAll = 0 })
		b := New()
		r.Name("b", b)
		dir := newDirectory()
		dir.span.Store(2)
		b.registry.more().directory.Store(dir)
		register := func() *registration {
			reg := new(registration)
			dir.claim(reg)
			return reg
		}
		var there [blockLimit - 1]*registration
		for i := range there {
			there[i] = register()
		}
		// There is room for one of the two.
		for range 2 {
			r.Go(func() {
				r.Label("claim")
				b.unregister(register())
			})
		}
		r.Go(func() {
			r.Label("shrink")
			dir.span.Store(unwanted)
			dir.giveUp(unwanted + 1) // which isn't there
			for _, reg := range there {
				b.unregister(reg)
			}
		})
		r.AtEnd(func() {
			if dir.at(unwanted).Load() != nil {
				r.Failf("promise 17: an empty block that nobody wants is left")
			}
			mustHold(r, b, 0)
		})
	}}}
}
