package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// Several goroutines work on one breaker, and take down when each call began and returned, by a
// counter that they share. porcupine then looks for an order of all calls that respects who
// returned before whom began, in which a sequential breaker (step, below) gives the same answers.
// If there is none, a call has returned what it can't.

// call is one operation of a history.
type call struct {
	kind callKind
	who  int // a breaker: 0 is the one under test, the others are its children
	id   int // of a cause or a callback
}

type callKind int

const (
	callTrip    callKind = iota // → bool
	callClose                   //
	callErr                     // → bool: not nil
	callDone                    // → bool: closed
	callCause                   // → id of the cause, or open
	callOnTrip                  // → bool: it has run when OnTrip returns
	callStop                    // → bool
	callRan                     // → bool: the callback has run
	callRun                     // the callback itself, as it runs
	callSettled                 // by who won: all callbacks have run
	callFollow                  // a Multiplex trips after its child id
	callOwn                     // a child trips after the Multiplex that owns it
	callTouch                   // → bool: the time begins anew; of an Idle
	callReset                   // the same; with a timeout of zero it trips
	callFinal                   // → which callbacks have run, after everything
)

// Causes other than those given to Trip.
const (
	causeOpen   = -1
	causeClosed = -2
	causeOther  = -3
	causeTimed  = -4
)

// resetTo are the timeouts that Reset is called with, by the id of the call.
var resetTo = [...]time.Duration{2 * time.Hour, time.Minute, 0, time.Hour}

// specState is a sequential breaker with its children. It is a value, so that == compares it.
type specState struct {
	tripped [3]bool
	cause   [3]int
	calls   [maxCallbacks]callState
}

const maxCallbacks = 16

type callState uint8

const (
	unregistered callState = iota
	registered
	committed // stop has said false, or it was registered late: it must run
	stopped
	ran
)

func specInit() any {
	return specState{cause: [3]int{causeOpen, causeOpen, causeOpen}}
}

// specStep is the sequential specification: it reports whether a breaker in that state may give
// that answer, and its state afterwards.
func specStep(state, input, output any) (bool, any) {
	s, c := state.(specState), input.(call)
	f := &s.calls[c.id%maxCallbacks] // only for calls about a callback
	if c.kind < callOnTrip || c.kind > callRun {
		f = nil
	}
	switch c.kind {
	case callTrip: // promise 1
		if output.(bool) == s.tripped[c.who] {
			return false, s
		}
		s.trip(c.who, c.id)
		return true, s
	case callClose:
		s.trip(c.who, causeClosed)
		return true, s
	case callErr, callDone: // promise 2
		return output.(bool) == s.tripped[c.who], s
	case callCause: // promise 4
		return output.(int) == s.cause[c.who], s
	case callOnTrip: // promise 6: if it comes late, it runs before OnTrip returns
		if *f != unregistered || s.tripped[0] && !output.(bool) {
			return false, s
		}
		*f = registered
		if s.tripped[0] {
			*f = committed
		}
		return true, s
	case callStop: // promise 7
		if output.(bool) {
			ok := *f == registered
			*f = stopped
			return ok, s
		}
		switch *f {
		case stopped, ran, committed:
			return true, s
		case registered:
			// The trip has taken it out already, and will run it.
			*f = committed
			return s.tripped[0], s
		}
		return false, s
	case callRun: // promise 6: with Done already closed, once
		ok := s.tripped[0] && (*f == registered || *f == committed)
		*f = ran
		return ok, s
	case callRan:
		return output.(bool) == (*f == ran), s
	// Promise 6: on the goroutine that tripped. (What was registered late runs on another.)
	case callSettled:
		return !slices.Contains(s.calls[:], registered), s
	case callFollow: // promise 9
		if !s.tripped[c.id] {
			return false, s
		}
		s.trip(0, s.cause[c.id])
		return true, s
	case callOwn: // promise 9
		if !s.tripped[0] {
			return false, s
		}
		s.trip(c.id, causeClosed)
		return true, s
	case callTouch:
		return output.(bool) == !s.tripped[c.who], s
	case callReset:
		if resetTo[c.id] > 0 {
			return output.(bool) == !s.tripped[c.who], s
		}
		s.trip(c.who, causeTimed)
		return output == false, s
	case callFinal: // promise 6 and promise 7: nothing lost, nothing late
		for i, state := range s.calls {
			if state == committed || state == registered && s.tripped[0] || (state == ran) != output.([maxCallbacks]bool)[i] {
				return false, s
			}
		}
		return true, s
	}
	panic("no such call")
}

func (s *specState) trip(who, cause int) {
	if !s.tripped[who] {
		s.tripped[who], s.cause[who] = true, cause
	}
}

var spec = porcupine.Model{Init: specInit, Step: specStep}

// linearizable reports whether a history is. A history that takes too long to decide counts as
// neither.
func linearizable(t *testing.T, history []porcupine.Operation) bool {
	t.Helper()
	result := porcupine.CheckOperationsTimeout(spec, history, time.Minute)
	require.NotEqual(t, porcupine.Unknown, result, "undecided:\n%s", describe(history))
	return result == porcupine.Ok
}

func describe(history []porcupine.Operation) string {
	var b strings.Builder
	for _, op := range slices.SortedFunc(slices.Values(history), func(x, y porcupine.Operation) int { return cmp.Compare(x.Call, y.Call) }) {
		fmt.Fprintf(&b, "\t[%3d, %3d] %d: %v(%d, %d) = %v\n", op.Call, op.Return, op.ClientId,
			[]string{"Trip", "Close", "Err", "Done", "Cause", "OnTrip", "stop", "ran?", "run", "settled", "follow", "own", "Touch", "Reset", "final"}[op.Input.(call).kind],
			op.Input.(call).who, op.Input.(call).id, op.Output)
	}
	return b.String()
}

// subject is what is under test: a breaker, or one that is broken on purpose.
type subject interface {
	Trip(cause error) bool
	Close()
	Err() error
	Done() <-chan struct{}
	Cause() error
	OnTrip(f func()) (stop func() bool)
}

// moving is what only an Idle has.
type moving interface {
	Touch() bool
	Reset(timeout time.Duration) bool
}

// numbered is a cause that tells which Trip it came from.
type numbered int

func (n numbered) Error() string { return fmt.Sprintf("cause %d", int(n)) }

func causeID(err error) int {
	var n numbered
	switch {
	case err == nil:
		return causeOpen
	case err == breaker.ErrClosed:
		return causeClosed
	case errors.As(err, &n):
		return int(n)
	case errors.Is(err, context.DeadlineExceeded):
		return causeTimed
	default:
		return causeOther
	}
}

// recorder takes down a history.
type recorder struct {
	subjects []subject
	clock    atomic.Int64
	// One for each client, so that they don't wait for each other.
	histories [4][]porcupine.Operation

	mu   sync.Mutex
	runs []porcupine.Operation

	callbacks [maxCallbacks]struct {
		stop atomic.Pointer[func() bool]
		runs atomic.Int32
	}
}

// record runs an operation of a client and takes it down.
func (r *recorder) record(client int, c call, f func() any) (output any) {
	op := r.timed(client, c, f)
	r.histories[client] = append(r.histories[client], op)
	return op.Output
}

func (r *recorder) timed(client int, c call, f func() any) porcupine.Operation {
	op := porcupine.Operation{ClientId: client, Input: c, Call: r.clock.Add(1)}
	op.Output = f()
	op.Return = r.clock.Add(1)
	return op
}

// recordRun takes down that a callback runs. It is a client of its own: it runs within another
// call, of whoever trips.
//
// It lets others run: on few processors, that is what makes the sweep of a trip meet a stop or a
// late registration.
func (r *recorder) recordRun(id int) {
	op := r.timed(100+id, call{kind: callRun, id: id}, func() any { r.callbacks[id].runs.Add(1); return nil })
	defer runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, op)
}

// do runs one call of a client.
func (r *recorder) do(client int, c call) {
	s := r.subjects[c.who]
	switch c.kind {
	case callTrip:
		won := r.record(client, c, func() any { return s.Trip(numbered(c.id)) })
		if won == true && causeID(r.subjects[0].Cause()) == c.id {
			// This call tripped the breaker under test, by itself or by a child.
			r.record(client, call{kind: callSettled}, func() any { return nil })
		}
	case callClose:
		r.record(client, c, func() any { s.Close(); return nil })
	case callErr:
		r.record(client, c, func() any { return s.Err() != nil })
	case callDone:
		r.record(client, c, func() any { return isClosed(s.Done()) })
	case callTouch:
		r.record(client, c, func() any { return s.(moving).Touch() })
	case callReset:
		r.record(client, c, func() any { return s.(moving).Reset(resetTo[c.id]) })
	case callCause:
		r.record(client, c, func() any { return causeID(s.Cause()) })
	case callOnTrip:
		cb := &r.callbacks[c.id]
		r.record(client, c, func() any {
			stop := s.OnTrip(func() { r.recordRun(c.id) })
			cb.stop.Store(&stop)
			return cb.runs.Load() > 0
		})
	case callStop:
		if stop := r.callbacks[c.id].stop.Load(); stop != nil {
			r.record(client, c, func() any { return (*stop)() })
		}
	case callRan:
		r.record(client, c, func() any { return r.callbacks[c.id].runs.Load() > 0 })
	default:
		panic("not a call of a client")
	}
}

// play lets each client run its calls, and returns the history. The clients wait for each other
// before each call: it takes less time than it takes to wake another goroutine, so on their own one
// would be done before the next begins.
func (r *recorder) play(clients [][]call) []porcupine.Operation {
	var rounds []*gate
	for range clients[0] {
		rounds = append(rounds, newGate(len(clients)))
	}
	var wg sync.WaitGroup
	for client, calls := range clients {
		wg.Go(func() {
			for round, c := range calls {
				rounds[round].pass()
				r.do(client, c)
			}
		})
	}
	wg.Wait()
	var final [maxCallbacks]bool
	for i := range r.callbacks {
		final[i] = r.callbacks[i].runs.Load() > 0
	}
	r.record(0, call{kind: callFinal}, func() any { return final })
	return append(slices.Concat(r.histories[:]...), r.runs...)
}

// overlaps counts the calls of different clients that were under way at the same time as one that
// tripped.
func overlaps(history []porcupine.Operation) (n int) {
	for _, x := range history {
		if in := x.Input.(call); in.kind != callTrip || x.Output != true {
			continue
		}
		for _, y := range history {
			// Of a callback, the call that it runs in counts already.
			if y.ClientId != x.ClientId && y.ClientId < 100 && x.Call < y.Return && y.Call < x.Return {
				n++
			}
		}
	}
	return n
}

// randomClients returns what 3 or 4 clients do, 6 calls each.
func randomClients(r *rand.Rand, breakers int) [][]call {
	clients := make([][]call, 3+r.IntN(2))
	next := 0 // callback
	for i := range clients {
		for j := range 6 {
			c := call{who: r.IntN(breakers), id: 10*i + j}
			switch r.IntN(10) {
			case 0, 1:
				c.kind = callTrip
			case 2:
				c.kind = callErr
			case 3:
				c.kind = callDone
			case 4:
				c.kind = callCause
			case 5, 6:
				c.kind, c.who, c.id = callOnTrip, 0, next
				if next == maxCallbacks {
					c.kind = callErr
					break
				}
				next++
			case 7, 8:
				c.kind, c.who, c.id = callStop, 0, r.IntN(max(next, 1))
			case 9:
				c.kind, c.who, c.id = callRan, 0, r.IntN(max(next, 1))
				if r.IntN(4) == 0 {
					c.kind, c.who = callClose, r.IntN(breakers)
				}
			}
			clients[i] = append(clients[i], c)
		}
	}
	return clients
}

// collect plays programs on what makes, and has each history checked.
func collect(t *testing.T, breakers int, makes func() []subject, complete func([]porcupine.Operation) []porcupine.Operation) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	collectOf(t, makes, func() [][]call { return randomClients(r, breakers) }, complete)
}

// collectOf is collect with other programs.
func collectOf(t *testing.T, makes func() []subject, clients func() [][]call, complete func([]porcupine.Operation) []porcupine.Operation) {
	t.Helper()
	histories, overlapping, calls := setting("BREAKER_HISTORIES", 500), 0, 0
	for i := range histories {
		rec := &recorder{subjects: makes()}
		history := complete(rec.play(clients()))
		for _, b := range rec.subjects {
			b.Close()
		}
		require.True(t, linearizable(t, history), "history %d isn't linearizable:\n%s", i, describe(history))
		calls += len(history)
		if overlaps(history) > 0 {
			overlapping++
		}
	}
	t.Logf("%d histories, %d calls, %d histories with other calls during the trip", histories, calls, overlapping)
	require.Positive(t, overlapping, "nothing ever happened during a trip: this proved nothing")
}

// Promises 1 to 4, 6 and 7: every concurrent history of one breaker is one of a sequential breaker.
func TestLinearizability_LinearizableBreaker(t *testing.T) {
	process := breaker.New()
	defer process.Close()
	kinds := []struct {
		name string
		make func() *breaker.Breaker
	}{
		{"New", breaker.New},
		{"BreakByTimeout", func() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) }},
		{"BreakByChannel", func() *breaker.Breaker { return breaker.BreakByChannel(make(chan struct{})) }},
		{"BreakByContext", func() *breaker.Breaker { return breaker.BreakByContext(t.Context(), func() {}) }},
		{"BreakByContext of a view", func() *breaker.Breaker { return breaker.BreakByContext(breaker.ToContext(breaker.New()), nil) }},
		{"Multiplex", func() *breaker.Breaker { return breaker.Multiplex(breaker.New(), breaker.New()) }},
		{"Any", func() *breaker.Breaker { return breaker.Any(process, process) }},
		{"BreakByTimeoutCause", func() *breaker.Breaker { return breaker.BreakByTimeoutCause(time.Hour, numbered(1000)) }},
		{"Within", func() *breaker.Breaker { return breaker.Within(context.Background(), time.Hour) }},
		{"Within, of a context", func() *breaker.Breaker { return breaker.Within(t.Context(), time.Hour, process) }},
		{"Within, of a view", func() *breaker.Breaker {
			return breaker.WithinCause(breaker.ToContext(process), time.Hour, numbered(1000), process, process)
		}},
		{"BreakByIdle", func() *breaker.Breaker { return &breaker.BreakByIdle(time.Hour).Breaker }},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			collect(t, 1, func() []subject { return []subject{kind.make()} }, slices.Clone)
		})
	}
}

// Promise 9, of a Multiplex of two, whose children are tripped as well.
//
// A child and its Multiplex don't trip at one instant: a goroutine that looks at both may see the
// one tripped and the other open. What is promised is when, at the latest: within the call that
// tripped the child. So the history is completed by a call of its own for that, which may take
// place at any time during the call that tripped the child; the same for the children that are
// closed with the Multiplex.
//
// That holds for each call that trips a child, also if another one, on the other child, is just
// tripping the Multiplex: the second waits for its Done as a loser's Trip does (promise 3). Of the
// other children that is not promised: the one that tripped the Multiplex closes them, callbacks
// come first, and the second doesn't wait for that.
func TestLinearizability_LinearizableMultiplex(t *testing.T) {
	view := breaker.NopCloser
	for _, tt := range []struct {
		name  string
		owned bool
		make  func(one, two *breaker.Breaker) subject
	}{
		{"children owned", true, func(one, two *breaker.Breaker) subject { return breaker.Multiplex(one, two) }},
		{"children behind NopCloser", false, func(one, two *breaker.Breaker) subject { return breaker.Multiplex(view(one), view(two)) }},
		{"Any", false, func(one, two *breaker.Breaker) subject { return breaker.Any(one, two) }},
		{"Within", false, func(one, two *breaker.Breaker) subject {
			return breaker.Within(context.Background(), time.Hour, one, two)
		}},
		{"Within, of a context", false, func(one, two *breaker.Breaker) subject { return breaker.Within(t.Context(), time.Hour, one, two) }},
		{"Within, of a view", false, func(one, two *breaker.Breaker) subject {
			return breaker.Within(breaker.ToContext(one), time.Hour, two)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			collect(t, 3, func() []subject {
				one, two := breaker.New(), breaker.New()
				return []subject{tt.make(one, two), one, two}
			}, func(history []porcupine.Operation) []porcupine.Operation { return follow(history, tt.owned) })
		})
	}
}

// An Idle that is touched and reset while others trip it: what Touch and Reset say fits to what Err
// says, and a Reset to zero is a trip.
func TestLinearizability_LinearizableIdle(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	collectOf(t, func() []subject { return []subject{breaker.BreakByIdle(time.Hour)} }, func() [][]call { return idleClients(r) }, slices.Clone)
}

// idleClients is randomClients for an Idle.
func idleClients(r *rand.Rand) [][]call {
	clients := randomClients(r, 1)
	for _, calls := range clients {
		for i := range calls {
			switch kind := calls[i].kind; {
			case kind == callErr || kind == callDone && r.IntN(2) == 0 || kind == callTrip && r.IntN(2) == 0:
				calls[i] = call{kind: callTouch}
			case kind == callCause && r.IntN(2) == 0 || kind == callRan || kind == callClose:
				calls[i] = call{kind: callReset, id: r.IntN(len(resetTo))}
			}
		}
	}
	return clients
}

// follow completes the history of a Multiplex by what follows from the calls in it.
func follow(history []porcupine.Operation, owned bool) []porcupine.Operation {
	trips := func(op porcupine.Operation) bool {
		c := op.Input.(call)
		return c.kind == callTrip && op.Output == true || c.kind == callClose
	}
	all := slices.Clone(history)
	add := func(op porcupine.Operation, kind callKind, id int) {
		op.ClientId, op.Input, op.Output = 200+len(all), call{kind: kind, id: id}, nil
		all = append(all, op)
	}
	for _, op := range history {
		if !trips(op) {
			continue
		}
		limit := op
		for _, other := range history {
			if trips(other) && other.Call < op.Return && op.Call < other.Return {
				limit.Return = max(limit.Return, other.Return)
			}
		}
		if c := op.Input.(call); c.who != 0 {
			first := op
			if c.kind == callClose {
				first = limit // it may have lost to one that is still at work, and doesn't say so
			}
			add(first, callFollow, c.who)
		}
		for _, child := range []int{1, 2} {
			if owned {
				add(limit, callOwn, child)
			}
		}
	}
	return all
}

// The breakers below are broken on purpose, each in a way that breakers have been broken before.
// The checker has to find each of them out, or it proves nothing of the real one.

// errAhead decides first and closes Done then, with Err reading the decision (golang/go#75533).
type errAhead struct {
	*breaker.Breaker
	decided atomic.Bool
}

func (b *errAhead) Trip(cause error) bool {
	b.decided.Store(true)
	runtime.Gosched()
	return b.Breaker.Trip(cause)
}

func (b *errAhead) Err() error {
	if b.decided.Load() {
		return breaker.Interrupted
	}
	return b.Breaker.Err()
}

// errBehind closes Done first, and stores what Err reads then (D3).
type errBehind struct {
	*breaker.Breaker
	stored atomic.Bool
}

func (b *errBehind) Trip(cause error) bool {
	won := b.Breaker.Trip(cause)
	runtime.Gosched()
	b.stored.Store(true)
	return won
}

func (b *errBehind) Err() error {
	if !b.stored.Load() {
		return nil
	}
	return b.Breaker.Err()
}

// asyncClose leaves the close to a goroutine (D4).
type asyncClose struct{ *breaker.Breaker }

func (b asyncClose) Close() { go b.Breaker.Close() }

// loserFirst doesn't wait for the winner: promise 3, for the loser.
type loserFirst struct {
	*breaker.Breaker
	claimed atomic.Bool
}

func (b *loserFirst) Trip(cause error) bool {
	if !b.claimed.CompareAndSwap(false, true) {
		return false
	}
	runtime.Gosched()
	return b.Breaker.Trip(cause)
}

// everyoneWins returns true to every Trip.
type everyoneWins struct{ *breaker.Breaker }

func (b everyoneWins) Trip(cause error) bool {
	b.Breaker.Trip(cause)
	return true
}

// lastCause keeps the last cause, not the winner's.
type lastCause struct {
	*breaker.Breaker
	last atomic.Pointer[error]
}

func (b *lastCause) Trip(cause error) bool {
	b.last.Store(&cause)
	return b.Breaker.Trip(cause)
}

func (b *lastCause) Cause() error {
	if last := b.last.Load(); last != nil && b.Err() != nil {
		return *last
	}
	return b.Breaker.Cause()
}

// lostCallback looks whether the breaker is open, then registers, and doesn't look again.
type lostCallback struct {
	*breaker.Breaker
	mu        sync.Mutex
	callbacks []func()
}

func (b *lostCallback) Trip(cause error) bool {
	won := b.Breaker.Trip(cause)
	if won {
		b.mu.Lock()
		callbacks := b.callbacks
		b.mu.Unlock()
		for _, f := range callbacks {
			f()
		}
	}
	return won
}

func (b *lostCallback) OnTrip(f func()) func() bool {
	if b.Err() != nil {
		f()
		return func() bool { return false }
	}
	runtime.Gosched()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.callbacks = append(b.callbacks, f)
	return func() bool { return false }
}

// hastyStop says that it has prevented a callback that is about to run.
type hastyStop struct{ *breaker.Breaker }

func (b hastyStop) OnTrip(f func()) func() bool {
	var once sync.Once
	stop := b.Breaker.OnTrip(f)
	return func() bool {
		stop()
		first := false
		once.Do(func() { first = true })
		return first
	}
}

// touchBehind doesn't look whether it is still open.
type touchBehind struct{ *breaker.Idle }

func (b touchBehind) Touch() bool {
	b.Idle.Touch()
	return true
}

// resetAsync leaves the trip of Reset(0) to a goroutine.
type resetAsync struct{ *breaker.Idle }

func (b resetAsync) Reset(timeout time.Duration) bool {
	if timeout > 0 {
		return b.Idle.Reset(timeout)
	}
	go b.Idle.Reset(0)
	return false
}

func TestLinearizability_CheckerRejects(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func() subject
	}{
		{"Err ahead of Done", func() subject { return &errAhead{Breaker: breaker.New()} }},
		{"Err behind Done", func() subject { return &errBehind{Breaker: breaker.New()} }},
		{"Close in a goroutine", func() subject { return asyncClose{breaker.New()} }},
		{"loser returns first", func() subject { return &loserFirst{Breaker: breaker.New()} }},
		{"everyone wins", func() subject { return everyoneWins{breaker.New()} }},
		{"last cause", func() subject { return &lastCause{Breaker: breaker.New()} }},
		{"lost callback", func() subject { return &lostCallback{Breaker: breaker.New()} }},
		{"hasty stop", func() subject { return hastyStop{breaker.New()} }},
		{"Touch that always came in time", func() subject { return touchBehind{breaker.BreakByIdle(time.Hour)} }},
		{"Reset to zero in a goroutine", func() subject { return resetAsync{breaker.BreakByIdle(time.Hour)} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			_, moves := tt.make().(moving)
			const limit = 20_000 // a hundred times what the rarest of them took
			for i := range limit {
				rec := &recorder{subjects: []subject{tt.make()}}
				clients := randomClients(r, 1)
				if moves {
					clients = idleClients(r)
				}
				history := rec.play(clients)
				rec.subjects[0].Close()
				if !linearizable(t, history) {
					t.Logf("rejected history %d", i)
					return
				}
			}
			t.Fatalf("%d histories, and none was rejected", limit)
		})
	}
}

// Histories written by hand, to see that the specification itself says what the contract does.
func TestLinearizability_Specification(t *testing.T) {
	op := func(client int, from, to int64, c call, output any) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Call: from, Return: to, Input: c, Output: output}
	}
	trip := call{kind: callTrip, id: 1}
	var none, first [maxCallbacks]bool
	first[0] = true
	for _, tt := range []struct {
		name    string
		ok      bool
		history []porcupine.Operation
	}{
		{"trip, then Err", true, []porcupine.Operation{op(0, 1, 2, trip, true), op(1, 3, 4, call{kind: callErr}, true)}},
		{"trip, then no Err (promise 3)", false, []porcupine.Operation{op(0, 1, 2, trip, true), op(1, 3, 4, call{kind: callErr}, false)}},
		{"no Err during a trip", true, []porcupine.Operation{op(0, 1, 4, trip, true), op(1, 2, 3, call{kind: callErr}, false)}},
		{"Err, then not done (promise 2)", false, []porcupine.Operation{
			op(0, 1, 6, trip, true), op(1, 2, 3, call{kind: callErr}, true), op(1, 4, 5, call{kind: callDone}, false),
		}},
		{"two winners (promise 1)", false, []porcupine.Operation{op(0, 1, 4, trip, true), op(1, 2, 3, trip, true)}},
		{"no winner (promise 1)", false, []porcupine.Operation{op(0, 1, 4, trip, false), op(1, 2, 3, trip, false)}},
		{"cause of the loser (promise 4)", false, []porcupine.Operation{
			op(0, 1, 4, trip, true), op(1, 2, 3, call{kind: callTrip, id: 2}, false), op(1, 5, 6, call{kind: callCause}, 2),
		}},
		{"callback before the trip (promise 6)", false, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(100, 3, 4, call{kind: callRun}, nil), op(0, 5, 6, trip, true),
		}},
		{"late callback that runs after OnTrip (promise 6)", false, []porcupine.Operation{
			op(0, 1, 2, trip, true), op(0, 3, 4, call{kind: callOnTrip}, false), op(100, 5, 6, call{kind: callRun}, nil),
		}},
		{"lost callback (promise 6)", false, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(0, 3, 4, trip, true), op(0, 9, 10, call{kind: callFinal}, none),
		}},
		{"callback not run when the winner returns (promise 6)", false, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(0, 3, 4, trip, true), op(0, 5, 6, call{kind: callSettled}, nil),
			op(100, 7, 8, call{kind: callRun}, nil), op(0, 9, 10, call{kind: callFinal}, first),
		}},
		{"stop and run (promise 7)", false, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(0, 3, 6, trip, true), op(1, 3, 6, call{kind: callStop}, true),
			op(100, 4, 5, call{kind: callRun}, nil),
		}},
		{"stop prevented nothing, and nothing ran (promise 7)", false, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(1, 3, 4, call{kind: callStop}, false), op(0, 9, 10, call{kind: callFinal}, none),
		}},
		{"stop during the trip, which runs it", true, []porcupine.Operation{
			op(0, 1, 2, call{kind: callOnTrip}, false), op(0, 3, 8, trip, true), op(1, 4, 5, call{kind: callStop}, false),
			op(100, 6, 7, call{kind: callRun}, nil), op(0, 9, 10, call{kind: callFinal}, first),
		}},
		{"Multiplex behind its child for a moment", true, follow([]porcupine.Operation{
			op(0, 1, 6, call{kind: callTrip, who: 1, id: 1}, true), op(1, 2, 3, call{kind: callErr, who: 1}, true),
			op(1, 4, 5, call{kind: callErr}, false), op(1, 7, 8, call{kind: callCause}, 1),
		}, true)},
		{"Multiplex open after the trip of its child (promise 9)", false, follow([]porcupine.Operation{
			op(0, 1, 2, call{kind: callTrip, who: 1, id: 1}, true), op(1, 3, 4, call{kind: callErr}, false),
		}, true)},
		{"Multiplex ahead of its child (promise 9)", false, follow([]porcupine.Operation{
			op(0, 1, 6, call{kind: callTrip, who: 1, id: 1}, true), op(1, 2, 3, call{kind: callErr}, true),
			op(1, 4, 5, call{kind: callErr, who: 1}, false),
		}, true)},
		{"child open after its owner (promise 9)", false, follow([]porcupine.Operation{
			op(0, 1, 2, trip, true), op(1, 3, 4, call{kind: callErr, who: 1}, false),
		}, true)},
		{"Touch during a trip", true, []porcupine.Operation{op(0, 1, 4, trip, true), op(1, 2, 3, call{kind: callTouch}, true)}},
		{"Touch in time after the trip", false, []porcupine.Operation{op(0, 1, 2, trip, true), op(1, 3, 4, call{kind: callTouch}, true)}},
		{"Touch too late, then open", false, []porcupine.Operation{
			op(0, 1, 6, trip, true), op(1, 2, 3, call{kind: callTouch}, false), op(1, 4, 5, call{kind: callErr}, false),
		}},
		{"Reset to zero, then a trip", false, []porcupine.Operation{op(0, 1, 2, call{kind: callReset, id: 2}, false), op(1, 3, 4, trip, true)}},
		{"Reset to zero is the cause", true, []porcupine.Operation{
			op(0, 1, 2, call{kind: callReset, id: 2}, false), op(1, 3, 4, call{kind: callCause}, causeTimed),
		}},
		{"child closed by who doesn't own it (promise 9)", false, follow([]porcupine.Operation{
			op(0, 1, 2, trip, true), op(1, 3, 4, call{kind: callErr, who: 1}, true),
		}, false)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.ok, linearizable(t, tt.history))
		})
	}
}
