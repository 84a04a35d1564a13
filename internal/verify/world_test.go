package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamilsk/breaker"
)

// A command is one step of a program. Its arguments select among what there is at the time, so
// every sequence of commands is a program, and what is left of one after some were taken out is one
// as well. That is what makes shrinking and fuzzing work.
type command struct {
	op operation
	x  [5]byte
}

type operation byte

const (
	opNew operation = iota
	opTimeout
	opDeadline
	opChannel
	opContextBreaker
	opMultiplex
	opContext
	opTrip
	opClose
	opOnTrip
	opStop
	opSend
	opCloseChannel
	opCancel
	opSleep
	opAsk
	opReveal
	opAny
	opWithin
	opTimeoutCause
	opIdle
	opTouch
	opReset
	operations
)

const maxDuration = time.Duration(math.MaxInt64)

// durations are what timeouts choose from: the first is the simplest, where shrinking ends.
var durations = []time.Duration{
	time.Second, 0, 3 * time.Second, -time.Second, 1, 10 * time.Second, time.Hour, maxDuration, 5 * time.Second,
}

// world runs a program on the library and on the model, side by side.
type world struct {
	model     *model
	log       []string
	breakers  []*realBreaker
	contexts  []*realContext
	channels  []*realChannel
	callbacks []*realCallback
	wrappers  []*countingCloser
	causes    int
	idle      *int // goroutines when there is no program, or nil if they aren't counted

	mu       sync.Mutex
	problems []string // seen by callbacks, which run in goroutines of the library
	attempts []attempt
}

type realBreaker struct {
	*breaker.Breaker
	m    *modelBreaker
	idle *breaker.Idle // if it is one

	quiet   bool // not to be asked while only being asked would trip it
	done    <-chan struct{}
	err     error // once it isn't nil
	view    *realContext
	cancels atomic.Int32
}

type realContext struct {
	context.Context
	m      *modelContext
	cancel func()
}

type realChannel struct {
	c chan struct{}
	m *modelChannel
}

type realCallback struct {
	m     *modelCallback
	take  atomic.Pointer[func() bool] // what OnTrip returned; nil while it isn't registered
	runs  atomic.Int32
	stops atomic.Int32 // that returned true
}

func (c *realCallback) registered(stop func() bool) { c.take.Store(&stop) }
func (c *realCallback) isRegistered() bool          { return c.take.Load() != nil }
func (c *realCallback) stop() bool                  { return (*c.take.Load())() }

// attempt is a Trip with a cause that nothing else uses.
type attempt struct {
	b     *realBreaker
	cause error
	won   bool
}

// countingCloser is a user's type: it embeds a breaker, and its Close does more.
type countingCloser struct {
	*breaker.Breaker
	closes atomic.Int32
	owner  *modelBreaker // nil if nothing owns it
}

func (c *countingCloser) Close() {
	c.closes.Add(1)
	c.Breaker.Close()
}

// deafCloser is a user's type whose Close does nothing. What is owned is closed all the same: the
// breaker inside.
type deafCloser struct{ *breaker.Breaker }

func (deafCloser) Close() {}

// embedding and viewEmbedding are user's types that change nothing.
type embedding struct{ *breaker.Breaker }
type viewEmbedding struct{ breaker.Interface }
type valueEmbedding struct {
	name string
	breaker.Breaker
}

// failure is what a failed check panics with.
type failure string

func (w *world) failf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

func (w *world) require(ok bool, format string, args ...any) {
	if !ok {
		w.failf(format, args...)
	}
}

func (w *world) logf(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

// run runs a program in a bubble of its own and returns what went wrong. It doesn't use t for that:
// a failed T would end the search for a shorter program.
//
// If idle isn't nil, it is the least number of goroutines seen at the beginning of a program; it
// begins with 0 for none. Not each program can count for itself: some of the one before may be
// about to end, and still be counted.
func run(t *testing.T, program []command, idle *int) (err error) {
	synctest.Test(t, func(*testing.T) {
		w := &world{model: &model{now: time.Now()}, idle: idle}
		if idle != nil {
			if n := runtime.NumGoroutine(); *idle == 0 || n < *idle {
				*idle = n
			}
		}
		defer func() {
			if p := recover(); p != nil {
				what := fmt.Sprint(p)
				if _, expected := p.(failure); !expected {
					what = fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
				}
				err = fmt.Errorf("%s\nafter\n\t%s", what, strings.Join(w.log, "\n\t"))
			}
			w.abandon()
		}()
		for _, c := range program {
			w.model.step()
			w.do(c)
			w.settle()
		}
		w.finish()
	})
	return err
}

// abandon ends whatever may keep the bubble from ending.
func (w *world) abandon() {
	for _, b := range w.breakers {
		b.Close()
	}
	for _, c := range w.contexts {
		if c.cancel != nil {
			c.cancel()
		}
	}
}

// finish ends all there is, one after the other, and checks that nothing is held then (promise 10).
func (w *world) finish() {
	for _, b := range w.breakers {
		b.quiet = false
	}
	w.model.step()
	w.settle()
	for i := range w.breakers {
		w.model.step()
		w.closeBreaker(w.breakers[i])
		w.settle()
	}
}

func pick[T any](all []T, x byte) (t T, ok bool) {
	if len(all) == 0 {
		return t, false
	}
	return all[int(x)%len(all)], true
}

func (w *world) do(c command) {
	switch c.op % operations {
	case opNew:
		w.doNew(c)
	case opTimeout, opDeadline, opTimeoutCause:
		w.doTimer(c)
	case opIdle:
		w.doIdle(c)
	case opTouch, opReset:
		w.doTouch(c)
	case opWithin:
		w.doWithin(c)
	case opChannel:
		w.doChannel(c)
	case opContextBreaker:
		w.doContextBreaker(c)
	case opMultiplex, opAny:
		w.doMultiplex(c)
	case opContext:
		w.doContext(c)
	case opTrip:
		w.doTrip(c)
	case opClose:
		if b, ok := pick(w.breakers, c.x[0]); ok && c.x[1]%4 == 3 {
			w.logf("NopCloser(%s).Close()", b.m.name)
			breaker.NopCloser(b.Breaker).Close()
		} else if ok {
			w.closeBreaker(b)
		}
	case opOnTrip:
		w.doOnTrip(c)
	case opStop:
		w.doStop(c)
	case opSend:
		if ch, ok := pick(w.channels, c.x[0]); ok && !ch.m.closed && !ch.m.pending {
			w.logf("%s <- struct{}{}", ch.m.name)
			ch.c <- struct{}{}
			ch.m.pending = true
			w.model.deliver(ch.m)
		}
	case opCloseChannel:
		if ch, ok := pick(w.channels, c.x[0]); ok && !ch.m.closed && !ch.m.pending {
			w.logf("close(%s)", ch.m.name)
			close(ch.c)
			ch.m.closed = true
			w.model.deliver(ch.m)
		}
	case opCancel:
		if ctx, ok := pick(w.contexts, c.x[0]); ok && ctx.m.cancelable {
			w.logf("cancel of %s", ctx.m.name)
			if !ctx.m.ended {
				ctx.m.only = &ending{context.Canceled, ctx.m.cancelCause}
			}
			w.model.end(ctx.m)
			ctx.cancel()
		}
	case opSleep:
		if d, _ := pick(durations, c.x[0]); d < time.Hour {
			w.doSleep(d)
		}
	case opAsk:
		if b, ok := pick(w.breakers, c.x[0]); ok {
			w.askDone(b)
		}
	case opReveal:
		if b, ok := pick(w.breakers, c.x[0]); ok && b.quiet {
			w.logf("%s.Err()", b.m.name)
			b.quiet = false
		}
	}
}

// add enters a new breaker; the flags say how closely it is observed.
func (w *world) add(br *breaker.Breaker, m *modelBreaker, flags byte) *realBreaker {
	b := &realBreaker{Breaker: br, m: m}
	w.breakers = append(w.breakers, b)
	w.model.breakers = append(w.model.breakers, m)
	b.quiet = flags&1 != 0
	if flags&2 != 0 {
		w.askDone(b)
	}
	return b
}

func (w *world) newName() string { return fmt.Sprintf("b%d", len(w.breakers)) }

func (w *world) newCause() error {
	w.causes++
	return fmt.Errorf("cause %d", w.causes)
}

func (w *world) askDone(b *realBreaker) {
	if b.done == nil {
		w.logf("%s.Done()", b.m.name)
		b.done = b.Done()
	}
	w.model.watch(b.m)
}

func (w *world) doNew(c command) {
	m := &modelBreaker{name: w.newName(), watched: true}
	br := []func() *breaker.Breaker{
		breaker.New,
		func() *breaker.Breaker { return new(breaker.Breaker) },
		func() *breaker.Breaker { return &(&valueEmbedding{name: m.name}).Breaker },
	}[c.x[0]%3]()
	w.logf("%s := New()", m.name)
	w.add(br, m, c.x[4])
}

// instant returns the moment after d. It moves it on if something else happens then: what comes
// first of two things at the same instant, the runtime decides.
func (w *world) instant(d time.Duration) time.Time {
	at := w.model.now.Add(d)
	if d > 0 && d < time.Hour {
		for w.model.taken(at) {
			at = at.Add(1)
		}
	}
	return at
}

func (w *world) doTimer(c command) {
	d, _ := pick(durations, c.x[0])
	at := w.instant(d)
	m := &modelBreaker{name: w.newName(), watched: true, timed: true, deadline: at}
	var br *breaker.Breaker
	switch c.op % operations {
	case opTimeoutCause:
		d = at.Sub(w.model.now)
		m.limit = w.newCause()
		w.logf("%s := BreakByTimeoutCause(%v, %v)", m.name, d, m.limit)
		br = breaker.BreakByTimeoutCause(d, m.limit)
	case opTimeout:
		d = at.Sub(w.model.now)
		w.logf("%s := BreakByTimeout(%v)", m.name, d)
		br = breaker.BreakByTimeout(d)
	default:
		if d == maxDuration {
			at = time.Unix(1<<40, 0)
			m.deadline = at
		}
		w.logf("%s := BreakByDeadline(now+%v)", m.name, at.Sub(w.model.now))
		br = breaker.BreakByDeadline(at)
	}
	b := w.add(br, m, c.x[4])
	if d <= 0 {
		w.require(b.Err() != nil, "BreakByTimeout: %s isn't tripped on return", m.name)
		w.expire(m)
	}
}

func (w *world) expire(m *modelBreaker) {
	m.only = &reason{madeExpired, true}
	if m.limit != nil {
		m.only.cause = m.limit
	}
	m.ranOut = true
	w.model.trip(m)
}

func (w *world) doIdle(c command) {
	d, _ := pick(durations, c.x[0])
	at := w.instant(d)
	d = at.Sub(w.model.now)
	m := &modelBreaker{name: w.newName(), watched: true, timed: d > 0, deadline: at, idle: d}
	w.logf("%s := BreakByIdle(%v)", m.name, d)
	idle := breaker.BreakByIdle(d)
	w.add(&idle.Breaker, m, c.x[4]).idle = idle
	if d <= 0 {
		w.require(idle.Err() != nil, "BreakByIdle: %s isn't tripped on return", m.name)
		w.expire(m)
	}
}

// doTouch moves the deadline of an Idle, by Touch or by Reset.
func (w *world) doTouch(c command) {
	var all []*realBreaker
	for _, b := range w.breakers {
		if b.idle != nil {
			all = append(all, b)
		}
	}
	b, ok := pick(all, c.x[0])
	if !ok {
		return
	}
	open := !b.m.tripped
	if c.op%operations == opTouch {
		at := w.model.now.Add(b.m.idle)
		if open && !at.Equal(b.m.deadline) && w.model.taken(at) {
			return // something else happens at that instant
		}
		w.logf("%s.Touch()", b.m.name)
		w.require(b.idle.Touch() == open, "Touch of %s returned %v", b.m.name, !open)
		if open {
			b.m.deadline = at
		}
		return
	}
	d, _ := pick(durations, c.x[1])
	at := w.instant(d)
	d = at.Sub(w.model.now)
	w.logf("%s.Reset(%v)", b.m.name, d)
	if open && d <= 0 {
		b.m.only = &reason{madeExpired, true}
		w.model.trip(b.m)
	}
	w.require(b.idle.Reset(d) == (open && d > 0), "Reset of %s returned %v", b.m.name, !(open && d > 0))
	switch {
	case open && d > 0:
		b.m.idle, b.m.deadline = d, at
	default:
		w.require(b.Err() != nil, "%s has no Err after Reset returned false", b.m.name)
	}
}

func (w *world) doWithin(c command) {
	ctx := w.pickContext(c.x[0])
	d, _ := pick(durations, c.x[1])
	m := &modelBreaker{name: w.newName(), blind: true, timed: true}
	real, from := context.Background(), "Background()"
	if ctx != nil {
		real, m.ctx, from = ctx.Context, ctx.m, ctx.m.name
		w.waitFor(ctx.m)
	}
	var args []breaker.Interface
	var names []string
	for _, x := range c.x[2:4] {
		b, ok := pick(w.breakers, x>>2)
		if !ok || x&3 == 3 {
			continue
		}
		// Whether a Within that is born tripped still makes them wait for their sources is left
		// open.
		if !b.m.watched && !b.m.tripped {
			w.askDone(b)
			w.settle()
			w.model.step()
		}
		switch x & 3 {
		case 0:
			args, names = append(args, b.Breaker), append(names, b.m.name)
		case 1:
			args, names = append(args, breaker.NopCloser(b.Breaker)), append(names, "NopCloser("+b.m.name+")")
		case 2:
			closer := &countingCloser{Breaker: b.Breaker}
			w.wrappers = append(w.wrappers, closer)
			args, names = append(args, closer), append(names, "closer{"+b.m.name+"}")
		}
		m.children = append(m.children, modelChild{b.m, false})
	}
	at := w.instant(d)
	m.deadline = at
	d = at.Sub(w.model.now)
	m.watched = ctx == nil || ctx.m.view != nil // there it is registered at once
	var br *breaker.Breaker
	if c.x[4]&4 != 0 {
		m.limit = w.newCause()
		w.logf("%s := WithinCause(%s, %v, %v, %s)", m.name, from, d, m.limit, strings.Join(names, ", "))
		br = breaker.WithinCause(real, d, m.limit, args...)
	} else {
		w.logf("%s := Within(%s, %v, %s)", m.name, from, d, strings.Join(names, ", "))
		br = breaker.Within(real, d, args...)
	}
	w.model.breakers = append(w.model.breakers, m)
	b := &realBreaker{Breaker: br, m: m, quiet: c.x[4]&1 != 0}
	w.breakers = append(w.breakers, b)
	w.watchView(m.ctx)
	w.model.ask(m) // the context of others comes first
	if !m.tripped && d <= 0 {
		w.expire(m)
	}
	if m.ctx != nil && m.ctx.ended {
		w.model.trip(m)
	}
	for _, child := range m.children {
		if child.b.tripped {
			w.model.trip(m)
		}
	}
	w.require(!m.tripped || br.Err() != nil, "promise 9: %s isn't tripped on return", m.name)
	if c.x[4]&2 != 0 {
		w.askDone(b)
	}
}

func (w *world) doChannel(c command) {
	m := &modelBreaker{name: w.newName()}
	if c.x[0] == 255 {
		m.watched = true // nothing to ask
		w.logf("%s := BreakByChannel(nil)", m.name)
		w.add(breaker.BreakByChannel(nil), m, c.x[4])
		return
	}
	ch, ok := pick(w.channels, c.x[0]>>1)
	if !ok || c.x[0]&1 == 0 {
		ch = &realChannel{make(chan struct{}, 1), &modelChannel{name: fmt.Sprintf("ch%d", len(w.channels))}}
		w.channels = append(w.channels, ch)
		w.model.channels = append(w.model.channels, ch.m)
		w.logf("%s := make(chan struct{}, 1)", ch.m.name)
	}
	m.channel = ch.m
	w.logf("%s := BreakByChannel(%s)", m.name, ch.m.name)
	br := breaker.BreakByChannel(ch.c)
	w.model.ask(m)
	w.add(br, m, c.x[4])
}

// viewOf returns the context of a breaker, always the same.
func (w *world) viewOf(b *realBreaker) *realContext {
	if b.view == nil {
		b.view = &realContext{
			Context: breaker.ToContext(b.Breaker),
			m:       &modelContext{name: "ToContext(" + b.m.name + ")", view: b.m, ended: b.m.tripped},
		}
		w.contexts = append(w.contexts, b.view)
		w.model.contexts = append(w.model.contexts, b.view.m)
	}
	return b.view
}

// pickContext returns one of the contexts, or the view of a breaker, or nil.
func (w *world) pickContext(x byte) *realContext {
	switch i := int(x) % (1 + len(w.breakers) + len(w.contexts)); {
	case i == 0:
		return nil
	case i <= len(w.breakers):
		return w.viewOf(w.breakers[i-1])
	default:
		return w.contexts[i-1-len(w.breakers)]
	}
}

// rootView returns the breaker that a context is a mere view of, also through values.
func (w *world) rootView(c *modelContext) *realBreaker {
	for c != nil && c.transparent {
		c = c.parent
	}
	if c == nil || c.view == nil {
		return nil
	}
	return w.breakers[slices.IndexFunc(w.breakers, func(b *realBreaker) bool { return b.m == c.view })]
}

// waitFor makes sure that the breaker behind a context is watched. When a constructor of package
// context does so, and when one of the package, is left open.
func (w *world) waitFor(c *modelContext) {
	if b := w.rootView(c); b != nil && !b.m.watched {
		w.askDone(b)
		w.settle()
		w.model.step()
	}
}

func (w *world) doContext(c command) {
	parent := w.pickContext(c.x[0])
	ctx, m := context.Background(), &modelContext{name: fmt.Sprintf("ctx%d", len(w.contexts))}
	from := "Background()"
	if parent != nil {
		w.waitFor(parent.m)
		ctx, m.parent, from = parent.Context, parent.m, parent.m.name
	}
	d, _ := pick(durations, c.x[2])
	at := w.instant(d)
	r := &realContext{m: m}
	m.cancelable = true
	m.cancelCause = context.Canceled
	m.timerCause = context.DeadlineExceeded
	deadline := false
	switch c.x[1] % 6 {
	case 0:
		w.logf("%s := WithCancel(%s)", m.name, from)
		r.Context, r.cancel = context.WithCancel(ctx)
	case 1:
		w.logf("%s := WithValue(%s, %q, …)", m.name, from, m.name)
		m.cancelable, m.transparent, m.key = false, true, m.name
		r.Context = context.WithValue(ctx, key(m.name), m.name)
		m.key = key(m.name)
	case 2:
		w.logf("%s := WithTimeout(%s, %v)", m.name, from, at.Sub(w.model.now))
		r.Context, r.cancel = context.WithTimeout(ctx, at.Sub(w.model.now))
		deadline = true
	case 3:
		w.logf("%s := WithCancelCause(%s)", m.name, from)
		m.cancelCause = w.newCause()
		var cancel context.CancelCauseFunc
		r.Context, cancel = context.WithCancelCause(ctx)
		r.cancel = func() { cancel(m.cancelCause) }
	case 4:
		m.timerCause = w.newCause()
		w.logf("%s := WithDeadlineCause(%s, now+%v, %v)", m.name, from, at.Sub(w.model.now), m.timerCause)
		r.Context, r.cancel = context.WithDeadlineCause(ctx, at, m.timerCause)
		deadline = true
	case 5:
		w.logf("%s := WithCancel(WithValue(%s, %q, …))", m.name, from, m.name)
		m.key = key(m.name)
		r.Context, r.cancel = context.WithCancel(context.WithValue(ctx, m.key, m.name))
	}
	w.contexts = append(w.contexts, r)
	w.model.contexts = append(w.model.contexts, m)
	if m.parent != nil {
		m.deadline, m.timed = w.model.deadlineOfContext(m.parent)
	}
	if deadline && (!m.timed || !m.deadline.Before(at)) {
		m.deadline, m.timed, m.armed = at, true, true
	}
	switch {
	case m.parent != nil && m.parent.ended:
		w.model.end(m)
	case m.armed && !at.After(w.model.now):
		m.only = &ending{context.DeadlineExceeded, m.timerCause}
		w.model.end(m)
	}
}

type key string

// watchView is what happens to the breaker behind a view when another one is made of it: if it is
// made of a view itself, it is watched from there on, so that a chain of them takes linear time
// (promise 25).
func (w *world) watchView(c *modelContext) {
	if c != nil && c.view != nil && c.view.ctx != nil && c.view.ctx.view != nil {
		w.model.watch(c.view)
	}
}

func (w *world) doContextBreaker(c command) {
	ctx := w.pickContext(c.x[0])
	m := &modelBreaker{name: w.newName(), bare: true}
	real, from := context.Background(), "Background()"
	if ctx != nil {
		if ctx.m.transparent {
			w.waitFor(ctx.m)
		}
		real, m.ctx, from = ctx.Context, ctx.m, ctx.m.name
	} else {
		m.watched = true // nothing to ask
	}
	b := &realBreaker{m: m}
	var cancel context.CancelFunc
	how := "nil"
	switch c.x[1] % 3 {
	case 1:
		how = "cancel"
		m.cancels = true
		if ctx != nil && ctx.m.cancelable {
			m.cancel = ctx.m
			cancel = func() { w.cancelled(b); ctx.cancel() }
			break
		}
		cancel = func() { w.cancelled(b) }
	case 2:
		how = "another's cancel"
		m.cancels = true
		cancel = func() { w.cancelled(b) }
		if other, ok := pick(w.contexts, c.x[2]); ok && other.m.cancelable {
			how = "cancel of " + other.m.name
			m.cancel = other.m
			cancel = func() { w.cancelled(b); other.cancel() }
		}
	}
	w.logf("%s := BreakByContext(%s, %s)", m.name, from, how)
	b.Breaker = breaker.BreakByContext(real, cancel)
	w.watchView(m.ctx)
	w.breakers = append(w.breakers, b)
	w.model.breakers = append(w.model.breakers, m)
	w.model.ask(m)
	b.quiet = c.x[4]&1 != 0
	if c.x[4]&2 != 0 {
		w.askDone(b)
	}
}

// cancelled is what a breaker's cancel function does first. It is called last of all, by a breaker
// that is closed. While the constructor runs there is none to ask.
func (w *world) cancelled(b *realBreaker) {
	if b.cancels.Add(1); b.Breaker != nil && b.State() != breaker.Closed {
		w.problemf("promise 18: the cancel function of %s is called in the state %v", b.m.name, b.State())
	}
}

// doMultiplex is for Multiplex, and for Any, which is the same and owns nothing.
func (w *world) doMultiplex(c command) {
	own := c.op%operations == opMultiplex
	function, construct := "Multiplex", breaker.Multiplex
	if !own {
		function, construct = "Any", breaker.Any
	}
	m := &modelBreaker{name: w.newName(), watched: true}
	var children []*realBreaker
	var modes []byte
	for _, x := range c.x[1 : 1+c.x[0]%5 : 5][:min(int(c.x[0]%5), 4)] {
		if b, ok := pick(w.breakers, x>>3); ok {
			children = append(children, b)
			modes = append(modes, x&7)
		}
	}
	// Two that are about to be watched, and one value that trips whoever is first: let them ask, in
	// order.
	lazy := func(b *realBreaker) bool { return !b.m.watched && !b.m.tripped }
	pending := slices.ContainsFunc(w.channels, func(ch *realChannel) bool { return ch.m.pending })
	if pending && len(children) > 1 {
		for _, b := range children {
			if lazy(b) {
				b.quiet = false
				w.settle()
				w.model.step()
			}
		}
	}
	// Whether a Multiplex that is born tripped still makes a child wait for its own source is left
	// open.
	for _, b := range children {
		if lazy(b) && b.m.ctx != nil {
			w.waitFor(b.m.ctx)
		}
	}
	born := false
	var late []*realBreaker
	var args []breaker.Interface
	var names []string
	for i, b := range children {
		var arg breaker.Interface
		owned, name := true, b.m.name
		switch modes[i] {
		default:
			arg = b.Breaker
		case 1:
			owned, arg, name = false, breaker.NopCloser(b.Breaker), "NopCloser("+name+")"
		case 2:
			arg, name = embedding{b.Breaker}, "embedding{"+name+"}"
		case 3:
			closer := &countingCloser{Breaker: b.Breaker}
			if own {
				closer.owner = m
			}
			w.wrappers = append(w.wrappers, closer)
			arg, name = closer, "closer{"+name+"}"
		case 4:
			owned, arg, name = false, viewEmbedding{breaker.NopCloser(b.Breaker)}, "embedding{NopCloser("+name+")}"
		case 5:
			owned, arg, name = false, breaker.NopCloser(breaker.NopCloser(embedding{b.Breaker})), "NopCloser(NopCloser(embedding{"+name+"}))"
		case 6:
			arg, name = deafCloser{b.Breaker}, "deafCloser{"+name+"}"
		}
		m.children = append(m.children, modelChild{b.m, owned && own})
		args, names = append(args, arg), append(names, name)
		born = born || b.m.tripped
		if lazy(b) {
			late = append(late, b)
		}
	}
	w.logf("%s := %s(%s)", m.name, function, strings.Join(names, ", "))
	given := slices.Clone(args)
	br := construct(given...)
	w.require(slices.Equal(given, args), "promise 9: the slice was written to (D6)")
	clear(given)
	w.model.breakers = append(w.model.breakers, m)
	w.breakers = append(w.breakers, &realBreaker{Breaker: br, m: m})
	if len(args) == 0 {
		m.only = &reason{madeNothing, false}
		w.model.trip(m)
		born = true
	}
	if born {
		w.require(br.Err() != nil, "promise 9: %s isn't tripped on return", m.name)
		w.model.trip(m)
	}
	for _, child := range m.children {
		w.model.watch(child.b)
		if child.b.tripped {
			w.model.trip(m)
		}
	}
	if m.tripped {
		// Whether the rest is still watched is left open.
		for _, b := range late {
			w.askDone(b)
		}
	}
	if c.x[4]&2 != 0 {
		w.askDone(w.breakers[len(w.breakers)-1])
	}
}

func (w *world) doTrip(c command) {
	b, ok := pick(w.breakers, c.x[0])
	if !ok {
		return
	}
	cause := w.newCause()
	unique := cause
	switch c.x[1] % 5 {
	case 1:
		cause, unique = nil, nil
	case 2:
		cause = fmt.Errorf("%w: %w", cause, context.DeadlineExceeded)
		unique = cause
	case 3:
		cause, unique = context.Canceled, nil
	case 4:
		cause, unique = breaker.ErrClosed, nil
	}
	seen := reasonOf(cause)
	if cause == nil {
		seen = reasonOf(breaker.Interrupted)
	}
	wins := w.because(b, seen)
	w.model.trip(b.m)
	w.logf("%s.Trip(%v)", b.m.name, cause)
	w.tripped(b, cause, unique, wins)
}

// because says that the command trips a breaker, if it is open, and for which reason. It returns
// what that decides. If the breaker's source has ended since it was asked, that counts, and the
// command comes too late (promise 19).
func (w *world) because(b *realBreaker, r reason) func(won bool) bool {
	w.model.ask(b.m)
	if b.m.tripped {
		return func(won bool) bool { return !won }
	}
	b.m.only = &r
	return func(won bool) bool { return won }
}

// tripped calls Trip and checks all that holds as soon as it returns.
func (w *world) tripped(b *realBreaker, cause, unique error, right func(won bool) bool) {
	var before []*realCallback
	for _, c := range w.callbacks {
		if c.m.b == b.m && c.isRegistered() && c.stops.Load() == 0 {
			before = append(before, c)
		}
	}
	won := b.Trip(cause)
	w.require(right(won), "promise 1: %s.Trip returned %v", b.m.name, won)
	w.require(b.Err() != nil, "promise 3: %s has no Err after Trip", b.m.name)
	w.require(isClosed(b.Done()), "promise 3: %s isn't done after Trip", b.m.name)
	if !won {
		return
	}
	if unique != nil {
		w.attempt(attempt{b, unique, won})
	}
	for _, c := range before {
		w.require(c.runs.Load()+c.stops.Load() == 1, "promise 6: %s didn't run before Trip returned", c.m.name)
	}
	// What hangs on the breaker without a context of others in between has ended on this goroutine.
	if b.view != nil {
		w.endedWith(b.view.m)
	}
}

// endedWith checks that a context, and all derived from it, has ended.
func (w *world) endedWith(m *modelContext) {
	for _, c := range w.contexts {
		if c.m != m && c.m.parent != m {
			continue
		}
		w.require(c.Err() != nil, "promise 13: %s isn't done at the same instant as its breaker", c.m.name)
		if c.m != m {
			w.endedWith(c.m)
		}
	}
}

func (w *world) attempt(a attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts = append(w.attempts, a)
}

func (w *world) problemf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *world) closeBreaker(b *realBreaker) {
	w.because(b, reason{breaker.ErrClosed, false})
	w.model.trip(b.m)
	w.logf("%s.Close()", b.m.name)
	b.Close()
	w.require(b.Err() != nil, "promise 3: %s has no Err after Close", b.m.name)
}

func (w *world) doOnTrip(c command) {
	b, ok := pick(w.breakers, c.x[0])
	if !ok {
		return
	}
	cb := w.newCallback(b)
	target := b
	if c.x[1]%5 != 0 {
		target, _ = pick(w.breakers, c.x[2])
	}
	name := cb.m.name
	var act func()
	switch action(c.x[1] % 5) {
	case actNone:
		act = func() {}
	case actTrip:
		cause := w.newCause()
		name += fmt.Sprintf(": %s.Trip(%v)", target.m.name, cause)
		cb.m.action, cb.m.target, cb.m.cause = actTrip, target.m, cause
		act = func() {
			won := target.Trip(cause)
			w.attempt(attempt{target, cause, won})
			if target.Err() == nil {
				w.problemf("promise 3: %s has no Err after Trip in a callback", target.m.name)
			}
		}
	case actClose:
		name += fmt.Sprintf(": %s.Close()", target.m.name)
		cb.m.action, cb.m.target = actClose, target.m
		act = target.Close
	case actRegister:
		// It is watched from here on, so that it doesn't depend on the order of callbacks from when
		// on.
		w.askDone(target)
		w.settle()
		w.model.step()
		nested := w.newCallback(target)
		name += fmt.Sprintf(": %s.OnTrip(%s)", target.m.name, nested.m.name)
		cb.m.action, cb.m.target, cb.m.nested = actRegister, target.m, nested.m
		act = func() {
			late := target.Err() != nil
			nested.registered(target.OnTrip(w.body(nested, target, func() {})))
			if late && nested.runs.Load() != 1 {
				w.problemf("promise 6: %s, registered late, didn't run before OnTrip returned", nested.m.name)
			}
		}
	case actStop:
		other, _ := pick(w.callbacks, c.x[2])
		if other.m.action != actNone || other == cb || !other.isRegistered() {
			act = func() {} // what another callback does must not depend on the order of two
			break
		}
		name += ": stop " + other.m.name
		cb.m.action = actStop
		act = func() {
			if other.stop() {
				other.stops.Add(1)
			}
		}
	}
	open := !b.m.tripped
	w.logf("%s.OnTrip(%s)", b.m.name, name)
	w.model.onTrip(cb.m)
	lazy := b.m.channel != nil || b.m.ctx != nil
	cb.registered(b.OnTrip(w.body(cb, b, act)))
	w.require(open || cb.runs.Load() == 1, "promise 6: %s, registered late, didn't run before OnTrip returned", cb.m.name)
	w.require(!open || lazy || cb.runs.Load() == 0, "promise 6: %s ran on an open breaker", cb.m.name)
}

func (w *world) newCallback(b *realBreaker) *realCallback {
	c := &realCallback{m: &modelCallback{name: fmt.Sprintf("f%d", len(w.callbacks)), b: b.m}}
	w.callbacks = append(w.callbacks, c)
	return c
}

// body returns the function that is registered: it checks what holds whenever a callback runs, then
// acts.
func (w *world) body(c *realCallback, b *realBreaker, act func()) func() {
	return func() {
		c.runs.Add(1)
		if !isClosed(b.Done()) || b.Err() == nil || b.Cause() == nil || b.State() == breaker.Open {
			w.problemf("promise 6: %s runs before %s has tripped", c.m.name, b.m.name)
		}
		if ctx := breaker.ToContext(b.Breaker); ctx.Err() == nil || context.Cause(ctx) != viewCause(b.Cause()) {
			w.problemf("promise 13: %s runs before the context of %s has ended", c.m.name, b.m.name)
		}
		if c.isRegistered() && c.stop() {
			w.problemf("promise 7: %s runs and was stopped by itself", c.m.name)
		}
		act()
	}
}

func (w *world) doStop(c command) {
	cb, ok := pick(w.callbacks, c.x[0])
	if !ok || !cb.isRegistered() {
		return
	}
	want := !cb.m.b.tripped && !cb.m.stopped
	w.logf("stop %s", cb.m.name)
	got := cb.stop()
	w.require(got == want, "promise 7: stop of %s returned %v", cb.m.name, got)
	if got {
		cb.stops.Add(1)
		cb.m.stopped = true
	}
}

// doSleep goes from one instant to the next at which something ends, and looks one nanosecond
// before each as well.
func (w *world) doSleep(d time.Duration) {
	if d <= 0 {
		return
	}
	until := w.model.now.Add(d)
	for {
		at, b, c := w.model.next()
		if at.IsZero() || at.After(until) {
			break
		}
		w.sleepTo(at.Add(-1))
		w.settle()
		w.model.step()
		w.sleepTo(at)
		if b != nil {
			w.expire(b)
		} else {
			c.only = &ending{context.DeadlineExceeded, c.timerCause}
			w.model.end(c)
		}
		w.settle()
		w.model.step()
	}
	w.sleepTo(until)
}

func (w *world) sleepTo(at time.Time) {
	if !at.After(w.model.now) {
		return
	}
	w.logf("sleep(%v)", at.Sub(w.model.now))
	time.Sleep(at.Sub(w.model.now)) // fake: nobody waits for real
	w.model.now = at
}

// silent reports whether looking at a breaker would change it, and the program doesn't want that
// yet.
func (w *world) silent(b *realBreaker) bool { return b.quiet && !b.m.watched && !b.m.tripped }

// settle lets everything come to rest, asks those who have to be asked, and compares.
func (w *world) settle() {
	synctest.Wait()
	for before := -1; before != w.ended(); {
		before = w.ended()
		for _, b := range w.breakers {
			if !w.silent(b) {
				w.model.ask(b.m)
				_ = b.Err() // the observation itself
				synctest.Wait()
			}
		}
	}
	w.adoptStops()
	for _, b := range w.breakers {
		w.observe(b)
	}
	for _, c := range w.contexts {
		w.observeContext(c)
	}
	if err := w.model.explain(); err != nil {
		w.failf("%v", err)
	}
	for _, b := range w.breakers {
		w.compare(b)
	}
	w.compareRest()
}

func (w *world) ended() (n int) {
	for _, b := range w.model.breakers {
		if b.tripped {
			n++
		}
	}
	return n
}

// adoptStops tells the model what a stop in a callback came to: if it met the trip, either is
// right.
func (w *world) adoptStops() {
	for _, c := range w.callbacks {
		if c.stops.Load() > 0 && !c.m.stopped {
			c.m.stopped, c.m.ran = true, false
		}
	}
}

// observe compares what ends a breaker, and takes down why.
func (w *world) observe(b *realBreaker) {
	m := b.m
	if w.silent(b) {
		return
	}
	w.require(b.Err() != nil == m.tripped, "promise 2: %s has Err %v, tripped is %v", m.name, b.Err(), m.tripped)
	w.require(b.Cause() != nil == m.tripped, "promise 4: %s has Cause %v, tripped is %v", m.name, b.Cause(), m.tripped)
	if m.tripped && !m.explained {
		ctx := breaker.ToContext(b.Breaker)
		w.require(ctx.Err() != nil, "promise 13: the context of %s isn't done", m.name)
		m.seen = reason{b.Cause(), ctx.Err() == context.DeadlineExceeded}
	}
}

func (w *world) observeContext(c *realContext) {
	if root := w.rootView(c.m); root != nil && w.silent(root) {
		return
	}
	w.require(c.Err() != nil == c.m.ended, "promise 13: %s has Err %v, ended is %v", c.m.name, c.Err(), c.m.ended)
	if c.m.ended {
		seen := ending{c.Err(), context.Cause(c)}
		w.require(!c.m.explained || c.m.seen == seen, "promise 13: %s changed from %v to %v", c.m.name, c.m.seen, seen)
		c.m.seen = seen
		w.require(isClosed(c.Done()), "promise 13: %s has Err %v and isn't done", c.m.name, c.Err())
	}
	at, ok := c.Deadline()
	wantAt, want := w.model.deadlineOfContext(c.m)
	w.require(ok == want && at.Equal(wantAt), "promise 14: %s has Deadline %v %v, not %v %v", c.m.name, at, ok, wantAt, want)
}

// compare compares all that can be seen of a breaker.
func (w *world) compare(b *realBreaker) {
	m, name := b.m, b.m.name

	at, ok := b.Deadline()
	wantAt, want := w.model.deadlineOf(m)
	w.require(ok == want && at.Equal(wantAt), "promise 14: %s has Deadline %v %v, not %v %v", name, at, ok, wantAt, want)

	ctx := breaker.ToContext(b.Breaker)
	at, ok = ctx.Deadline()
	w.require(ok == want && at.Equal(wantAt), "promise 13: the context of %s has Deadline %v %v", name, at, ok)
	for _, c := range w.contexts {
		if c.m.key == nil {
			continue
		}
		found := ctx.Value(c.m.key) != nil
		w.require(found == w.model.sees(m, c.m.key), "promise 13: the context of %s: value %v: %v", name, c.m.key, found)
	}

	wantCancels := int32(0)
	if m.cancels && m.tripped {
		wantCancels = 1
	}
	w.require(b.cancels.Load() == wantCancels, "promise 10: %s called cancel %d times", name, b.cancels.Load())
	if w.silent(b) {
		return
	}

	if b.done != nil {
		w.require(isClosed(b.done) == m.tripped, "promise 2: Done of %s is closed: %v", name, isClosed(b.done))
		w.require(b.Done() == b.done, "%s has another Done than before", name)
	}
	w.require(ctx.Err() != nil == m.tripped, "promise 13: the context of %s has Err %v", name, ctx.Err())
	if !m.tripped {
		w.require(b.State() == breaker.Open, "%s is %v, not open", name, b.State())
		w.require(!isReleased(b), "%s is released", name)
		if m.watched {
			w.require(context.Cause(ctx) == nil, "promise 13: the context of %s has the cause %v", name, context.Cause(ctx))
		}
		return
	}

	if b.done == nil {
		b.done = b.Done()
		w.require(isClosed(b.done), "promise 2: Done of %s, asked for late, is open", name)
	}
	w.require(b.State() == breaker.Closed, "promise 10: %s is %v at rest, not closed", name, b.State())
	w.require(isReleased(b), "%s isn't released", name)
	w.require(context.Cause(ctx) == viewCause(b.Cause()), "promise 13 and promise 22: the context of %s has the cause %v", name, context.Cause(ctx))
	w.require(b.Cause() == m.seen.cause, "promise 4: the cause of %s changed to %v", name, b.Cause())
	w.require(ctx.Err() == context.Canceled || ctx.Err() == context.DeadlineExceeded, "promise 13: the context of %s has Err %v", name, ctx.Err())
	if m.only != nil && *m.only == (reason{madeExpired, true}) || m.seen.cause == breaker.ErrClosed {
		w.require(errors.Is(b.Cause(), breaker.Interrupted) && errors.Is(b.Cause(), ctx.Err()), "promise 4: the cause of %s matches too little", name)
	}
	w.compareErr(b)
}

// causeIn is the cause of a breaker as its context tells it.
func causeIn(c *modelContext, m *modelBreaker) error {
	if c.view != nil {
		return viewCause(m.seen.cause)
	}
	return m.seen.cause
}

// compareErr is promise 5.
func (w *world) compareErr(b *realBreaker) {
	m, err := b.m, b.Err()
	if b.err == nil {
		b.err = err
		w.require(m.bare || err == breaker.Interrupted, "promise 5: %s has Err %v", m.name, err)
		// Its context ended it, or it ended its context. If the cause is ErrClosed, an owner may
		// have been faster.
		byContext := m.only == nil && m.seen.cause != breaker.ErrClosed
		if c := m.ctx; m.bare && c != nil && c.ended && (byContext && c.seen.cause == causeIn(c, m) || m.cancel == c) {
			w.require(errors.Is(err, c.seen.err), "promise 5: %s has Err %v, and its context %v", m.name, err, c.seen.err)
		}
	}
	w.require(err == b.err, "promise 5: %s has Err %v, and had %v", m.name, err, b.err)
	w.require(errors.Is(err, breaker.Interrupted), "promise 5: %s has Err %v", m.name, err)
}

// compareRest compares what belongs to no one breaker.
func (w *world) compareRest() {
	for _, c := range w.callbacks {
		runs, stops := c.runs.Load(), c.stops.Load()
		switch {
		case !c.isRegistered():
			w.require(runs == 0, "%s ran and was never registered", c.m.name)
		case c.m.b.tripped:
			w.require(runs+stops == 1, "promise 6 and promise 7: %s ran %d times, and was stopped %d times", c.m.name, runs, stops)
		default:
			w.require(runs == 0 && stops <= 1, "promise 6: %s ran %d times on an open breaker, and was stopped %d times", c.m.name, runs, stops)
		}
	}
	for _, c := range w.wrappers {
		want := int32(0)
		if c.owner != nil && c.owner.tripped {
			want = 1
		}
		w.require(c.closes.Load() == want, "promise 9: a child was closed %d times, not %d", c.closes.Load(), want)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.require(len(w.problems) == 0, "%s", strings.Join(w.problems, "\n"))
	for _, a := range w.attempts {
		w.require(a.won == (a.b.Cause() == a.cause), "promise 1: Trip(%v) of %s returned %v, and the cause is %v", a.cause, a.b.m.name, a.won, a.b.Cause())
	}
	w.compareGoroutines()
}

func (w *world) compareGoroutines() {
	if w.idle == nil {
		return
	}
	// One that has ended is still counted until its thread has put it away, however long the system
	// keeps that from running. To stop the world, as a collection does, waits for just that.
	want, got := w.model.goroutines(), 0
	for try := range 1_000 {
		if got = runtime.NumGoroutine() - *w.idle; got == want {
			return
		}
		runtime.Gosched()
		if try%100 == 99 {
			runtime.GC()
		}
	}
	w.failf("promise 11: %d goroutines, not %d", got, want)
}

// isReleased calls a deprecated method, which is to go on working.
func isReleased(b interface{ IsReleased() bool }) bool { return b.IsReleased() }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
