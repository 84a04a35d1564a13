package breakerrun

import (
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
)

const (
	defaultGrace      = 20 * time.Second
	defaultCutTimeout = 2 * time.Second
	defaultSignalGap  = time.Second

	// idleMoment is how long a part may take to return if it has no time to drain, and nothing to
	// drain either.
	idleMoment = 50 * time.Millisecond
)

// An Option configures a Runner.
type Option func(*Runner)

// WithGrace sets the grace period: how long all stages together may drain. With zero everything is
// cut at once, still stage by stage, except for parts that return within 50 milliseconds of their
// stop. By default it is 20 seconds. WithGrace panics if it is negative.
func WithGrace(grace time.Duration) Option {
	if grace < 0 {
		panic("breakerrun: WithGrace: the grace period is negative: " + grace.String())
	}
	return func(r *Runner) { r.grace = grace }
}

// WithCutTimeout sets how long the parts of a stage may take to return after the cut before they
// are left behind. By default it is 2 seconds. Make it longer than the cut timeout of a server in a
// part. WithCutTimeout panics if it is negative.
func WithCutTimeout(timeout time.Duration) Option {
	if timeout < 0 {
		panic("breakerrun: WithCutTimeout: the timeout is negative: " + timeout.String())
	}
	return func(r *Runner) { r.cutTimeout = timeout }
}

// WithCut adds a breaker that ends the grace period when it trips. It is never closed. Each further
// WithCut adds one more. WithCut panics if the breaker is nil.
func WithCut(cut breaker.Interface) Option {
	if isNil(cut) {
		panic("breakerrun: WithCut: the breaker is nil")
	}
	return func(r *Runner) { r.cuts = append(r.cuts, breaker.NopCloser(cut)) }
}

// WithSignals sets the signals that end the grace period. Run catches them from the beginning of
// the shutdown until the cut, or until it returns. Before and after that it leaves them alone.
// Inside a testing/synctest bubble it doesn't listen to signals.
//
// By default they are breaker.TerminationSignals, and the signal that tripped stop. Without an
// argument there are none. WithSignals panics if a signal is nil.
func WithSignals(sig ...os.Signal) Option {
	for i, s := range sig {
		if s == nil {
			panic("breakerrun: WithSignals: signal " + strconv.Itoa(i) + " is nil")
		}
	}
	sig = slices.Clone(sig)
	return func(r *Runner) { r.signals = func(error) []os.Signal { return sig } }
}

// WithSignalGap sets how soon after the first signal a second one counts. An earlier one is
// ignored, because a Ctrl-C that a wrapper forwards arrives twice. By default the gap is one
// second. WithSignalGap panics if it is negative.
func WithSignalGap(gap time.Duration) Option {
	if gap < 0 {
		panic("breakerrun: WithSignalGap: the gap is negative: " + gap.String())
	}
	return func(r *Runner) { r.gap = gap }
}

// A Runner is Run with options. It holds nothing else, and may be used more than once and
// concurrently.
type Runner struct {
	grace, cutTimeout, gap time.Duration
	signals                func(cause error) []os.Signal
	cuts                   []breaker.Interface
}

// New returns a Runner. It panics if an option is nil.
func New(options ...Option) *Runner {
	r := &Runner{grace: defaultGrace, cutTimeout: defaultCutTimeout, gap: defaultSignalGap, signals: usual}
	apply("New", r, options)
	return r
}

// Run is Run of a Runner without options.
func Run(stop breaker.Interface, parts ...Part) error { return New().run("Run", stop, parts) }

// Run starts all parts and returns when all have ended. It shuts them down, stage by stage, when
// stop trips, or when a part fails, panics or returns StopAll. The package documentation describes
// the stages and the limits. Run returns
//
//   - nil, if every part ended well. stop.Cause says what tripped stop;
//   - an Errors otherwise, with the parts that failed, were cut or were abandoned, each with its
//     name.
//
// If a part panics, Run shuts the others down, and then panics with a *PanicError on the goroutine
// of its caller. A part that panics after it has been abandoned ends the process.
//
// A part's stop has the cause of stop. If a part has failed, it has a cause in which errors.As
// finds that part's *PartError. A part's cut has the cause that ended the grace period.
//
// Run starts every part, even if stop has already tripped, because only a server itself closes its
// listeners. All parts start at the same time. Run doesn't wait for a part to be ready.
//
// During the shutdown a second signal cuts; see WithSignals. The first signal is the one that
// tripped stop, or, after a part has failed, the first to arrive. The third has its default effect.
// This works however stop was made, even with signal.NotifyContext. Run never closes stop. Pass the
// result of BreakBySignal as it is: behind a Multiplex, a second signal within a millisecond of the
// first may kill the process.
//
// Run can't end a part that ignores its breakers. It leaves such a part behind, with its
// goroutines, and returns.
//
// Run costs one goroutine for each part, and up to three more for each during the shutdown. It
// panics if stop is nil, or if a part wasn't made by one of the functions of this package.
func (r *Runner) Run(stop breaker.Interface, parts ...Part) error { return r.run("Run", stop, parts) }

func (r *Runner) run(function string, stop breaker.Interface, parts []Part) error {
	if isNil(stop) {
		panic("breakerrun: " + function + ": the breaker stop is nil")
	}
	for i, p := range parts {
		if p.run == nil {
			panic("breakerrun: " + function + ": part " + strconv.Itoa(i) + " is the zero Part")
		}
	}
	insist := &insistence{Breaker: breaker.New(), signals: r.signals, gap: r.gap}
	defer insist.close()
	// In a callback, because that runs before what tripped stop releases its signals.
	forget := stop.OnTrip(func() { insist.ask(stop.Cause()) })
	defer forget()

	g := &group{Runner: r, failed: breaker.New(), idle: breaker.New()}
	defer g.failed.Close()
	defer g.idle.Close()
	g.start(parts)

	var cause error
	select {
	case <-g.idle.Done():
		cause = breaker.ErrClosed
	case <-g.failed.Done():
		cause = g.failed.Cause()
		insist.ask(nil)
	case <-stop.Done():
		cause = stop.Cause()
		insist.ask(cause) // other callbacks may have delayed ours
	}
	g.shutDown(cause, insist)
	return g.result()
}

// group is one call of Run.
type group struct {
	*Runner
	members []*member
	// failed trips when the first part fails, with the cause for the others.
	failed *breaker.Breaker
	// idle trips when the last part that isn't passive has ended.
	idle *breaker.Breaker

	mu sync.Mutex
	// active is how many parts haven't ended, not counting passive ones.
	active int
	// errs is in the order of time. panicked is the first panic.
	errs     Errors
	panicked *PanicError
}

// member is a part that runs.
type member struct {
	Part
	group     *group
	stop, cut *breaker.Breaker
	// done is closed when run has returned and its result has been noted.
	done chan struct{}

	// early says that run returned before stop tripped. Written after run.
	early bool
	// lost says that something was cut, whatever run returns. Written by run.
	lost bool

	// The rest is guarded by the mutex of the group.

	// cutBy is the cause of the cut.
	cutBy error
	// ended says that run has returned, abandoned that it hasn't returned in time. At most one of
	// them is ever set.
	ended, abandoned bool
	// failure is what fail was called with.
	failure error
	// tripping is how many goroutines of trip haven't ended. The part hasn't ended while its
	// callbacks run. calm is signalled when tripping changes.
	tripping int
	calm     sync.Cond
}

func (g *group) start(parts []Part) {
	for _, p := range parts {
		m := &member{Part: p, group: g, stop: breaker.New(), cut: breaker.New(), done: make(chan struct{})}
		m.calm.L = &g.mu
		g.members = append(g.members, m)
		if !p.passive {
			g.active++
		}
	}
	if g.active == 0 {
		g.idle.Close()
	}
	slices.SortStableFunc(g.members, func(a, b *member) int {
		switch {
		case a.stage < b.stage:
			return -1
		case a.stage > b.stage:
			return 1
		default:
			return 0
		}
	})
	// From the last stage to the first, so that readiness is set after the others have started.
	for _, m := range slices.Backward(g.members) {
		go m.live()
	}
}

// lend returns stop and cut for the part's function, which may give them to a Multiplex as they
// are.
func (m *member) lend() (stop, cut breaker.Interface) {
	return breaker.NopCloser(m.stop), breaker.NopCloser(m.cut)
}

func (m *member) live() {
	m.protect(func() error { return m.run(m) }, func(err error) {
		if m.stop.Err() == nil {
			m.early = true
		}
		// This drops what the part has registered. Callbacks of the part that haven't run yet run
		// now, as a part of it.
		m.protect(func() error { m.stop.Close(); return nil }, m.note)
		m.protect(func() error { m.cut.Close(); return nil }, m.note)
		m.settle(err)
	})
}

// settle notes the result of the part, and tells the others.
func (m *member) settle(err error) {
	g := m.group
	g.mu.Lock()
	for m.tripping > 0 {
		m.calm.Wait()
	}
	if m.abandoned {
		g.mu.Unlock()
		if isPanic(err) {
			panic(err) // Run has returned, or is about to, so it can't report the panic
		}
		return // Run has reported it as abandoned
	}
	m.ended = true
	part := m.judge(err)
	if part != nil {
		g.errs = append(g.errs, part)
	}
	if !m.passive {
		g.active--
	}
	idle := g.active == 0
	failed := m.failure != nil
	g.mu.Unlock()

	switch {
	case part != nil && !failed:
		g.failed.Trip(&endError{part: part})
	case part == nil && isStopAll(err):
		g.failed.Trip(StopAll)
	}
	if idle {
		g.idle.Close()
	}
	close(m.done)
}

// fail stops the other parts before this one has returned.
func (m *member) fail(err error) {
	m.group.mu.Lock()
	m.failure = err
	m.group.mu.Unlock()
	m.group.failed.Trip(&endError{part: &PartError{Part: m.name, Outcome: Failed, Err: err}})
}

// judge returns what is to be reported of a part that has returned err, or nil. The caller holds
// the mutex.
func (m *member) judge(err error) *PartError {
	p := panicOf(err)
	switch {
	case p != nil:
		if m.group.panicked == nil {
			m.group.panicked = p
		}
		return &PartError{Part: m.name, Outcome: Failed, Err: err, Cause: m.cutBy}
	case isStopAll(err):
		return nil
	case m.failure != nil:
		return &PartError{Part: m.name, Outcome: Failed, Err: err, Cause: m.cutBy}
	case m.cutBy != nil && (err != nil || !m.reports || m.lost):
		return &PartError{Part: m.name, Outcome: Cut, Err: err, Cause: m.cutBy}
	case err == nil, !m.reports && m.stoppedBy(err):
		return nil
	default:
		return &PartError{Part: m.name, Outcome: Failed, Err: err}
	}
}

// stoppedBy reports whether err says no more than that stop has tripped.
func (m *member) stoppedBy(err error) bool {
	if m.early {
		return false
	}
	var inner *PartError
	if errors.As(err, &inner) && !errors.Is(err, m.stop.Cause()) {
		return false // a Run within this one has more to say
	}
	return errors.Is(err, breaker.Interrupted) || errors.Is(err, m.stop.Cause()) ||
		errors.Is(err, breaker.ToContext(m.stop).Err())
}

// shutDown ends the parts stage by stage.
func (g *group) shutDown(cause error, insist *insistence) {
	patience := breaker.Multiplex(
		append(slices.Clone(g.cuts), breaker.NopCloser(insist), breaker.BreakByTimeout(g.grace))...)
	defer patience.Close()

	for rest := g.members; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].stage == rest[0].stage {
			n++
		}
		var wg sync.WaitGroup
		for _, m := range rest[:n] {
			wg.Go(func() { m.end(cause, patience) })
		}
		wg.Wait()
		rest = rest[n:]
	}
}

// end drains the part until patience trips, then cuts it, then abandons it.
func (m *member) end(cause error, patience *breaker.Breaker) {
	cutTimeout := m.group.cutTimeout
	limit := patience
	if m.limited {
		limit = breaker.Multiplex(breaker.NopCloser(patience), breaker.BreakByTimeout(m.limit))
		defer limit.Close()
	}
	moment := breaker.BreakByTimeout(0)
	if limit.Err() != nil {
		// It has no time to drain. But an idle part isn't reported as cut.
		d := min(idleMoment, cutTimeout/2)
		cutTimeout -= d
		moment = breaker.BreakByTimeout(d)
		defer moment.Close()
	}
	m.trip(m.stop, cause)
	for _, br := range [...]*breaker.Breaker{limit, moment} {
		select {
		case <-m.done:
			return
		case <-br.Done():
		}
	}

	if !m.beCut(limit.Cause()) {
		<-m.done
		return
	}
	m.trip(m.cut, limit.Cause())
	unwind := breaker.BreakByTimeout(cutTimeout)
	defer unwind.Close()
	select {
	case <-m.done:
	case <-unwind.Done():
		if !m.abandon() {
			<-m.done
		}
	}
}

// beCut notes the cause of the cut, and reports whether the part is still running.
func (m *member) beCut(cause error) bool {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if m.ended {
		return false
	}
	m.cutBy = cause
	return true
}

// abandon reports whether the part is left behind: it is if it hasn't returned.
func (m *member) abandon() bool {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.ended {
		return false
	}
	m.abandoned = true
	g.errs = append(g.errs, &PartError{Part: m.name, Outcome: Abandoned, Err: m.failure, Cause: m.cutBy})
	return true
}

// trip trips the breaker on a goroutine of its own, because the part's callbacks run there. A
// callback that blocks must not hold up other parts, and a panic must be reported as the part's.
func (m *member) trip(br *breaker.Breaker, cause error) {
	g := m.group
	g.mu.Lock()
	m.tripping++
	g.mu.Unlock()
	go m.protect(func() error {
		br.Trip(cause)
		return nil
	}, func(err error) {
		m.note(err)
		g.mu.Lock()
		defer g.mu.Unlock()
		m.tripping--
		m.calm.Broadcast()
	})
	<-br.Done()
}

// note notes what a callback of the part did wrong.
func (m *member) note(err error) {
	if err == nil {
		return
	}
	g := m.group
	part := &PartError{Part: m.name, Outcome: Failed, Err: err}
	g.mu.Lock()
	if m.abandoned && isPanic(err) {
		g.mu.Unlock()
		panic(err) // as in settle
	}
	if p := panicOf(err); p != nil && g.panicked == nil {
		g.panicked = p
	}
	g.errs = append(g.errs, part)
	g.mu.Unlock()
	g.failed.Trip(&endError{part: part})
}

// protect calls f, and passes its error or panic to then. If f calls runtime.Goexit, protect
// doesn't return.
func (m *member) protect(f func() error, then func(error)) {
	var err error
	returned := false
	defer func() {
		if !returned {
			err = ErrGoexit
			if v := recover(); v != nil {
				err = &PanicError{Part: m.name, Value: v, Stack: debug.Stack()}
			}
		}
		then(err)
	}()
	err = f()
	returned = true
}

// call runs f on a goroutine of its own.
func (m *member) call(f func() error) chan error {
	result := make(chan error, 1)
	go m.protect(f, func(err error) { result <- err })
	return result
}

// result returns what Run returns.
func (g *group) result() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	errs := slices.Clone(g.errs)
	if p := g.panicked; p != nil {
		for _, part := range errs {
			if panicOf(part.Err) != p {
				p.Others = append(p.Others, part)
			}
		}
		panic(p)
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}

func isStopAll(err error) bool {
	return err == StopAll || errors.Is(err, StopAll) && !isPanic(err)
}

func isPanic(err error) bool { return panicOf(err) != nil }

// panicOf returns the panic in err, or nil.
func panicOf(err error) (p *PanicError) {
	errors.As(err, &p)
	return p
}

// join is errors.Join that leaves a single error as it is.
func join(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// apply applies the options to the target. Its panic names the function.
func apply[T any, O ~func(T)](function string, target T, options []O) {
	for i, option := range options {
		if option == nil {
			panic("breakerrun: " + function + ": option " + strconv.Itoa(i) + " is nil")
		}
		option(target)
	}
}

// isNil reports whether the breaker is nil, or a nil pointer.
func isNil(br breaker.Interface) (yes bool) {
	defer func() { yes = recover() != nil }()
	breaker.NopCloser(br)
	return false
}
