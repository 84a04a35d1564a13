package breakercluster

import (
	"context"
	"errors"
	"sync"
	"time"
)

// hubs are the hubs of the process, one for each store and prefix.
var hubs = struct {
	sync.Mutex
	byID map[hubID]*hub
}{byID: make(map[hubID]*hub)}

// hubID says what a hub watches, and through which client.
type hubID struct {
	store  any
	prefix string
}

// hub is shared by all breakers on one store and prefix. It begins with the first breaker and ends
// with the last. Its goroutines are in
//
//	watch.go   reads the updates, and starts a new watch when this one may have missed something
//	pulse.go   asks the store for the newest revision: an answer means contact, and says what the
//	           watch should have seen
//	queue.go   trips breakers
type hub struct {
	id    hubID
	store Store
	name  string
	// pattern matches the keys that are watched.
	pattern string
	queue   queue

	// begun is closed when the first watch is up, or failed with err.
	begun chan struct{}
	err   error
	// life is done when the hub has ended, or its client is closed for good.
	life context.Context
	end  context.CancelFunc
	// outdated asks for a new watch, quicken for a pulse at once. Both have room for one.
	outdated, quicken chan struct{}

	mu sync.Mutex
	// users counts the registrations, and the callers about to register. At 0 the hub ends for
	// good.
	users    int
	ended    bool
	registry registry
	// watch is the present one.
	watch *watch
	// contact is the last moment at which the watch is known to have seen all that was set.
	contact time.Time
	// why is the error of the last pulse, nil if it found contact.
	why    error
	counts Contact
	notice *notice
	// alarm fires when a registration may have been without contact for too long, and due says
	// when. They are nil and zero if all registrations allow any silence.
	alarm *time.Timer
	due   time.Time
}

// join returns the hub for the bucket, and takes a place in it. It starts a hub if there is none.
// Give the place back by leave, or by removing a registration.
func join(ctx context.Context, b *Bucket) (*hub, error) {
	for {
		h, first := enter(b)
		if first {
			h.begin(ctx) // its error says more than that of ctx, should that be done
		} else {
			select {
			case <-h.begun:
			case <-ctx.Done():
				h.leave()
				return nil, ctx.Err()
			}
		}
		if h.err == nil {
			return h, nil
		}
		h.leave()
		// The first caller has given up, but the others needn't.
		if first || !errors.Is(h.err, context.Canceled) && !errors.Is(h.err, context.DeadlineExceeded) {
			return nil, h.err
		}
	}
}

// enter takes a place in the hub, and reports whether the caller has to start it.
func enter(b *Bucket) (h *hub, first bool) {
	id := hubID{b.store.About().Identity, b.prefix}
	hubs.Lock()
	defer hubs.Unlock()
	if h := hubs.byID[id]; h != nil && h.enter() {
		return h, false
	}
	h = &hub{
		id: id, store: b.store, name: b.store.About().Name, pattern: b.prefix + Any, users: 1,
		begun: make(chan struct{}), outdated: make(chan struct{}, 1), quicken: make(chan struct{}, 1),
	}
	if b.hook != nil {
		h.notice = &notice{hook: b.hook}
	}
	h.life, h.end = context.WithCancel(context.Background())
	hubs.byID[id] = h
	return h, true
}

// running returns the hub if there is one. It takes no place.
func running(b *Bucket) *hub {
	hubs.Lock()
	defer hubs.Unlock()
	return hubs.byID[hubID{b.store.About().Identity, b.prefix}]
}

func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return false
	}
	h.users++
	return true
}

// begin starts the first watch and what goes with it.
func (h *hub) begin(ctx context.Context) {
	defer close(h.begun)
	contact := time.Now()
	var w *watch
	h.err = retry(ctx, func(ctx context.Context) (err error) {
		w, err = h.newWatch(ctx, 0)
		return err
	})
	if h.err != nil {
		h.fail()
		return
	}
	h.mu.Lock()
	h.watch, h.contact = w, contact
	h.counts.Watches++
	h.mu.Unlock()
	go h.keepWatch()
	go h.pulse()
}

// fail keeps others from joining.
func (h *hub) fail() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	h.forget()
}

// leave gives a place back.
func (h *hub) leave() {
	h.mu.Lock()
	h.unlock()
}

// unlock gives a place back and unlocks. The last place ends the hub.
//
// It never waits, because it may run in a callback. Goroutines of the hub end on their own.
func (h *hub) unlock() {
	h.users--
	last := h.users == 0
	if last {
		h.ended = true
		if h.alarm != nil {
			h.alarm.Stop()
		}
	}
	h.mu.Unlock()
	if last {
		h.forget()
		h.end()
	}
}

func (h *hub) forget() {
	hubs.Lock()
	defer hubs.Unlock()
	if hubs.byID[h.id] == h {
		delete(hubs.byID, h.id)
	}
}

// add registers, in the place that was taken by join.
func (h *hub) add(r *registration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shortest := h.registry.shortest()
	h.registry.add(r)
	if r.silence > 0 {
		h.alert(r.since.Add(r.silence))
	}
	if h.registry.shortest() != shortest {
		signal(h.quicken)
	}
}

// remove removes a registration, and gives its place back.
func (h *hub) remove(r *registration) {
	h.mu.Lock()
	if h.registry.remove(r) {
		h.unlock()
		return
	}
	h.mu.Unlock()
}

// settle compares a new registration with the state of its key as it was read, and returns the
// Entry that trips it, if there is one.
func (h *hub) settle(r *registration, read Entry, found bool) (Entry, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.settled, r.since = true, time.Now()
	if found && !read.Deleted {
		return read, true
	}
	if found {
		r.floor = &read
	}
	late := r.late
	r.late = nil
	if late == nil || !late.isAfter(r.floor) {
		return Entry{}, false
	}
	return *late, true
}

// meant returns the registrations that the Entry trips. They stay in the registry until they have
// tripped, so that a Trip finds them even if the watch was faster. The lock is held.
func (h *hub) meant(e Entry) (rs []*registration) {
	if e.Deleted {
		return nil // a deletion changes no breaker
	}
	for r := h.registry.heads[e.Key]; r != nil; r = r.next {
		switch {
		case r.settled && e.isAfter(r.floor):
			rs = append(rs, r)
		case !r.settled && e.isAfter(r.late):
			r.late = &e
		}
	}
	return rs
}

// deliver is called by the watch for each update.
func (h *hub) deliver(e Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rs := h.meant(e)
	if len(rs) == 0 {
		return
	}
	cause, _ := decode(h.name, e)
	verdicts := make([]verdict, 0, len(rs))
	for _, r := range rs {
		if !r.judged {
			r.judged = true
			verdicts = append(verdicts, verdict{r, cause})
		}
	}
	h.counts.Tripped += uint64(len(verdicts))
	h.queue.push(verdicts...)
}

// disconnect trips the registrations that don't hold, because the client is closed for good.
func (h *hub) disconnect(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(err)
	var verdicts []verdict
	for _, head := range h.registry.heads {
		for r := head; r != nil; r = r.next {
			if !r.holds && !r.judged {
				r.judged = true
				verdicts = append(verdicts, verdict{r, ConnectionError{h.name, r.key, err}})
			}
		}
	}
	h.queue.push(verdicts...)
}

// tripHere trips the registrations of the Entry on the calling goroutine, that of Trip.
func (h *hub) tripHere(e Entry, cause TripError) {
	h.mu.Lock()
	rs := h.meant(e)
	h.mu.Unlock()
	tripAll(rs, cause)
}

// tripAll trips all of them, even if a callback panics.
func tripAll(rs []*registration, cause error) {
	i := 0
	defer func() {
		if i < len(rs) {
			tripAll(rs[i:], cause)
		}
	}()
	for i < len(rs) {
		r := rs[i]
		i++
		r.Trip(cause)
	}
}

// signal puts a token into a channel that has room for one, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
