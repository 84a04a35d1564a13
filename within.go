package breaker

import (
	"context"
	"strconv"
	"time"

	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/live"
)

// Within returns the breaker of a request. It trips when ctx is done, after the timeout, or with
// one of the watched breakers, whichever comes first. Its cause is that of what tripped it. It owns
// none of them: its trip or Close leaves them alone. With a timeout of zero or less, or if ctx or a
// watched breaker has already ended, it is tripped on return. Close it when the work is done.
//
// ToContext of it returns a context with the values of ctx and the earliest deadline of all. Err
// asks ctx: once the cancel function of ctx has returned, Err isn't nil.
//
// It costs one allocation for up to two watched breakers and two for more, one registration with
// each of them, and no goroutine. If no stopped timer can be used again, a new one adds its
// allocations. Within registers with ctx at the first Done, OnTrip or Multiplex, by
// context.AfterFunc. If ctx never ends, it doesn't register. If ctx was returned by ToContext, it
// registers with the breaker behind it instead. Within panics if ctx or a watched breaker is nil.
func Within(ctx context.Context, timeout time.Duration, watched ...Interface) *Breaker {
	b := newRequest("Within", ctx, timeout, nil, watched)
	if live.On() {
		b.enlist()
	}
	return b
}

// WithinCause is Within with a cause of your own for the timeout, to say which timeout it was. The
// cause takes one more allocation. With a nil cause it is Within. After the timeout, Err of its
// ToContext is context.DeadlineExceeded, whatever the cause.
func WithinCause(ctx context.Context, timeout time.Duration, cause error, watched ...Interface) *Breaker {
	b := newRequest("WithinCause", ctx, timeout, cause, watched)
	if live.On() {
		b.enlist()
	}
	return b
}

// request is a Within: a node with a context and a timer of its own.
type request struct {
	node
	// ctx never changes: values and the deadline are looked up in it, also after the trip. It is
	// nil for a context returned by ToContext: then the first link leads to the breaker behind it.
	ctx context.Context
	// stop unregisters from ctx. Written under flagAttaching, then the winner's.
	stop atomic.Plain[func() bool]
	// alarm is written by the constructor, under flagAttaching, then the winner's.
	alarm *alarm
	// at is the deadline by the timeout, as in a timeoutBreaker.
	at time.Duration
}

type (
	request1 struct {
		request
		array [1]link
	}
	request2 struct {
		request
		array [2]link
	}
	requestN struct {
		request
		slice []link
	}
)

func (r *request1) links() []link { return r.array[:] }
func (r *request2) links() []link { return r.array[:] }
func (r *requestN) links() []link { return r.slice }

func allocateRequest(links int) (*request, []link) {
	switch links {
	case 0:
		r := new(request)
		r.source = r
		return r, nil
	case 1:
		r := new(request1)
		r.setSource(r, r.array[:])
		return &r.request, r.array[:]
	case 2:
		r := new(request2)
		r.setSource(r, r.array[:])
		return &r.request, r.array[:]
	default:
		r := &requestN{slice: make([]link, links)}
		r.setSource(r, r.slice)
		return &r.request, r.slice
	}
}

func newRequest(function string, ctx context.Context, timeout time.Duration, cause error, watched []Interface) *Breaker {
	if ctx == nil {
		panic("breaker: " + function + ": ctx is nil")
	}
	view, isView := ctx.(*contextView)
	n := len(watched)
	if isView {
		n++
	}
	r, links := allocateRequest(n)
	flags := flagLookUp
	if isView {
		source := (*Breaker)(view)
		source.ensureViewAttached()
		flags = links[0].listensTo(source, false, flags)
		links = links[1:]
	} else {
		r.ctx = ctx
		if ctx.Done() != nil {
			flags |= flagPoll | flagLazy | flagAsk
		}
	}
	// Everything is checked before the node is registered with anything (promise 15).
	for i, br := range watched {
		source := unwrap(br)
		if source == nil {
			panic("breaker: " + function + ": breaker " + strconv.Itoa(i) + " is nil")
		}
		source.checkCopy()
		flags = links[i].listensTo(source, false, flags)
		links[i].Tag.role |= blind // the request's values are its context's
	}
	at, bubble := after(timeout)
	r.at = at
	r.beginAttaching(kindWithin, flags|bubble)
	var own *error
	if cause != nil {
		kept := cause // so that Within doesn't allocate it
		own = &kept
	}
	r.construct(timeout, own, bubble)
	return &r.Breaker
}

// construct registers the request with everything it watches, and starts its timer last. If foreign
// code panics meanwhile, nothing is left behind.
func (r *request) construct(timeout time.Duration, cause *error, bubble uint32) {
	returned := false
	defer func() {
		if !returned {
			r.endAttaching(0, 0)
			r.Close()
		}
	}()
	open := true
	if r.ctx != nil && r.state.Load()&flagPoll != 0 {
		r.poll()
		open = r.isOpen()
	}
	if open && timeout <= 0 {
		open = false
		if s, won := r.claim(r.state.Load(), flagExpired, false); won {
			r.finish(s, causeAt(cause))
		}
	}
	links := r.source.links()
	for i := 0; open && i < len(links); i++ {
		open = r.listen(&links[i])
	}
	if open {
		arm(&r.alarm, &r.Breaker, timeout, cause, bubble)
	}
	returned = true
	r.endAttaching(0, 0)
}

// poll trips the request if ctx is done.
func (r *request) poll() {
	s := r.state.Load()
	if s&settled == 0 && s&flagAsk != 0 && r.ctx.Err() != nil {
		tripByContext(&r.Breaker, r.ctx, 0)
		return
	}
	if s&phase == open && s&flagPollOnly != 0 {
		r.pollLinks(r.source.links())
	}
}

// attach registers with ctx.
func (r *request) attach() (clear uint32) { return attach(r.ctx, r.poll, &r.stop) }

func (r *request) release() {
	disarm(&r.alarm, r.state.Load())
	unregister(&r.stop)
}

func (r *request) deadline() (at time.Time, ok bool) {
	at = timeAt(r.at, r.state.Load())
	if r.ctx != nil {
		if its, has := r.ctx.Deadline(); has && its.Before(at) {
			at = its
		}
	}
	return at, true
}

func (r *request) value(key any) any {
	if r.ctx == nil {
		return nil // the walk goes on to the breaker behind the view
	}
	return r.ctx.Value(key)
}
