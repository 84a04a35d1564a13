//go:build breaker_explore

package breaker

import "github.com/kamilsk/breaker/internal/explore"

// What callbacks may do (promise 8), against what others do meanwhile.

// boom is what they panic with.
const boom = "boom"

// inCallback has what a callback does, besides being one.
var inCallback = map[string]func(s *subject){
	"nothing":  func(*subject) {},
	"panic":    func(*subject) { panic(boom) },
	"register": func(s *subject) { s.onTrip() },
	"stop":     func(s *subject) { s.shared.off() },
	"trip":     func(s *subject) { s.trip(errB) },
	"close":    func(s *subject) { s.trip(nil) },
}

// onTripDo registers a callback that does something.
func (s *subject) onTripDo(f func(s *subject)) {
	p := &probe{s: s}
	s.probes = append(s.probes, p)
	p.stop = s.OnTrip(func() {
		p.run()
		f(s)
	})
}

// mayPanic runs f, which may panic with boom.
func mayPanic(f func()) {
	defer func() {
		if p := recover(); p != nil && p != boom {
			panic(p)
		}
	}()
	f()
}

// panicsWhileAttached returns the program in which a callback panics out of the first Done of a
// breaker over a view.
func panicsWhileAttached() program {
	return program{"callbacks panic while a view is attached: Done vs OnTrip.p.Close", func(r *explore.Run) {
		p := explored(r, "p", New())
		canceled := 0
		s := explored(r, "b", BreakByContext(ToContext(p), func() { canceled++ }))
		r.AtEnd(func() {
			r.AtEnd(func() {
				r.AtEnd(func() {
					if canceled != 1 {
						r.Failf("promise 10: cancel was called %d times", canceled)
					}
				})
			})
		})
		r.Go(func() { mayPanic(func() { s.do([]op{"Done"}) }) })
		r.Go(func() {
			r.Label("OnTrip")
			mayPanic(func() { s.onTripDo(inCallback["panic"]) })
			mayPanic(func() { p.do([]op{"Close"}) })
		})
	}}
}
