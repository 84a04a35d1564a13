//go:build breaker_explore

package breaker

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/explore"
)

// subject is a breaker that the threads of a program work on, with a ledger of what they saw of it.
// Threads write to the ledger and never read it: what one thread does must not depend on another
// but by the breaker.
type subject struct {
	*Breaker
	r *explore.Run

	trips    int // calls of Trip and Close
	wins     []error
	causes   []error
	channels []<-chan struct{}
	probes   []*probe
	// shared is a callback registered in the setup.
	shared *probe
	// owns are those that trip with it.
	owns []*subject
}

// probe is a callback and what came of it.
type probe struct {
	s       *subject
	ran     int
	stopped int
	stop    func() bool
}

var (
	errA   = errors.New("a")
	errB   = errors.New("b")
	errEnd = errors.New("nothing tripped it")
)

// explored makes a breaker the subject of a program. When that ends, everything about it must be as
// promised. This is checked after all that the program itself checks, because it trips what nothing
// has tripped.
func explored(r *explore.Run, name string, b *Breaker) *subject {
	s := &subject{Breaker: b, r: r}
	r.Name(name, b)
	r.AtEnd(func() { r.AtEnd(s.end) })
	return s
}

// trip is Trip, or Close without a cause.
func (s *subject) trip(cause error) {
	s.trips++
	if cause == nil {
		s.Close()
		s.mustBeDone("promise 3: Close returned")
		return
	}
	won := s.Trip(cause)
	s.mustBeDone("promise 3: Trip returned")
	if won {
		s.wins = append(s.wins, cause)
		if s.state.Load()&(flagAttaching|flagHandedOver) == 0 && s.State() != Closed {
			s.r.Failf("promise 10: the winner returned, and the state is %v", s.State())
		}
		for _, child := range s.owns {
			if child.Err() == nil {
				s.r.Failf("promise 3: the winner returned, and Err of what it owns is nil")
			}
		}
	}
}

// mustBeDone fails if Done isn't closed, or Err is nil.
func (s *subject) mustBeDone(when string) {
	if s.Err() == nil {
		s.r.Failf("%s, and Err is nil", when)
	}
	if !atomic.Closed(s.done1()) {
		s.r.Failf("%s, and Done is open", when)
	}
}

// done1 is Done, and remembers the channel.
func (s *subject) done1() <-chan struct{} {
	c := s.Done()
	if c == nil {
		s.r.Failf("promise 2: Done is nil")
	}
	if len(s.channels) == 0 || s.channels[len(s.channels)-1] != c {
		s.channels = append(s.channels, c)
	}
	return c
}

// seeDone looks at Done, then at Err and Cause.
func (s *subject) seeDone() {
	if atomic.Closed(s.done1()) {
		if s.Err() == nil {
			s.r.Failf("promise 2: Done is closed, and Err is nil")
		}
		if s.Cause() == nil {
			s.r.Failf("promise 4: Done is closed, and Cause is nil")
		}
	}
}

// seeErr looks at Err, then at Done and Cause.
func (s *subject) seeErr() {
	err := s.Err()
	if err == nil {
		return
	}
	if !errors.Is(err, Interrupted) {
		s.r.Failf("promise 5: Err is %v", err)
	}
	if !atomic.Closed(s.done1()) {
		s.r.Failf("promise 2: Err is %v, and Done is open", err)
	}
	cause := s.Cause()
	if cause == nil {
		s.r.Failf("promise 4: Err is %v, and Cause is nil", err)
	}
	s.causes = append(s.causes, cause)
}

// seeCause looks at Cause, then at Err and Done.
func (s *subject) seeCause() {
	cause := s.Cause()
	if cause == nil {
		return
	}
	if s.State() == Open {
		s.r.Failf("there is a cause, and the state is open")
	}
	s.causes = append(s.causes, cause)
	s.mustBeDone("promise 4: there is a cause")
}

// seeState looks at State twice.
func (s *subject) seeState() {
	first := s.State()
	if second := s.State(); second < first {
		s.r.Failf("the state went from %v back to %v", first, second)
	}
	if first == Closed {
		s.mustBeDone("the state is closed")
	}
}

// await waits for Done.
func (s *subject) await() {
	atomic.Wait(s.done1())
	s.seeDone()
}

// onTrip registers a callback.
func (s *subject) onTrip() *probe {
	p := &probe{s: s}
	s.probes = append(s.probes, p)
	p.stop = s.OnTrip(p.run)
	return p
}

func (p *probe) run() {
	p.ran++
	p.s.mustBeDone("promise 6: a callback runs")
}

func (p *probe) off() {
	if p.stop() {
		p.stopped++
	}
}

// end checks what must hold when all threads have ended.
func (s *subject) end() {
	if s.Err() == nil {
		if s.trips > 0 {
			s.r.Failf("promise 1: tripped %d times, and Err is nil", s.trips)
		}
		if !s.Trip(errEnd) {
			s.r.Failf("promise 1: Err was nil, and Trip returned false")
		}
		s.wins = append(s.wins, errEnd)
	}
	s.mustBeDone("at the end")
	if s.Trip(errEnd) {
		s.r.Failf("promise 1: tripped twice")
	}
	if s.State() != Closed {
		s.r.Failf("promise 10: at the end the state is %v", s.State())
	}
	for _, c := range s.channels {
		if c != s.Done() {
			s.r.Failf("promise 2: Done isn't always the same")
		}
	}
	cause := s.Cause()
	if len(s.wins) > 1 {
		s.r.Failf("promise 1: two winners: %v", s.wins)
	}
	if len(s.wins) == 1 && cause != s.wins[0] {
		s.r.Failf("promise 4: the winner's cause is %v, and Cause is %v", s.wins[0], cause)
	}
	for _, c := range s.causes {
		if c != cause {
			s.r.Failf("promise 4: Cause was %v, and is %v", c, cause)
		}
	}
	for _, p := range s.probes {
		switch {
		case p.ran > 1:
			s.r.Failf("promise 6: a callback ran %d times", p.ran)
		case p.stopped > 1:
			s.r.Failf("promise 7: a callback was stopped %d times", p.stopped)
		case p.ran+p.stopped == 2:
			s.r.Failf("promise 7: a callback was stopped and ran")
		case p.ran+p.stopped == 0:
			s.r.Failf("promise 6: a callback was lost")
		// Nil if the callback ran before OnTrip returned, and panicked.
		case p.stop != nil && p.stop():
			s.r.Failf("promise 7: a callback that had run or been stopped was stopped")
		}
	}
	mustHold(s.r, s.Breaker, 0)
	if s.registry.HasDirectory() {
		s.r.Failf("promise 10: a closed breaker has a directory")
	}
}

// mustHold fails if so many registrations aren't what the breaker has.
func mustHold(r *explore.Run, b *Breaker, want int) {
	if _, got := Slots(b); got != want {
		r.Failf("promise 10: %d registrations are left, should be %d", got, want)
	}
}

// touch is an access to something that doesn't go through the seam, for the sake of the search: it
// makes the step that begins with it depend on all that access the same object.
func touch(object *atomic.Uint32) { explore.Access(unsafe.Pointer(object), explore.Write) }

// op is an operation on a subject, by its name.
type op string

// do runs the operations, one after the other, in the calling thread.
func (s *subject) do(ops []op) {
	var own *probe
	for _, o := range ops {
		s.r.Label(string(o))
		switch o {
		case "TripA":
			s.trip(errA)
		case "TripB":
			s.trip(errB)
		case "Close":
			s.trip(nil)
		case "Done":
			s.seeDone()
		case "Err":
			s.seeErr()
		case "Cause":
			s.seeCause()
		case "State":
			s.seeState()
		case "await":
			s.await()
		case "OnTrip":
			own = s.onTrip()
		case "stop":
			own.off()
		case "stopShared":
			s.shared.off()
		default:
			panic(fmt.Sprintf("no operation %q", o))
		}
	}
}

// chain returns the name of a thread that does these, one after the other.
func chain(ops []op) (text string) {
	for i, o := range ops {
		if i > 0 {
			text += "."
		}
		text += string(o)
	}
	return text
}
