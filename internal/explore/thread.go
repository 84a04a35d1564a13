package explore

import (
	"iter"
	"unsafe"
)

// maxThreads is how many threads a program may have: sets of threads are bytes, and schedules one
// letter for each.
const maxThreads = 8

// thread is a logical thread. Its coroutine goes from schedule to schedule: to make one costs more
// than a short schedule.
type thread struct {
	run    *Run
	id     uint8
	daemon bool
	body   func()
	label  string // what it is doing, for the trace

	resume func() (struct{}, bool)
	cancel func()
	yield  func(struct{}) bool

	// next is the access that the thread is about to make.
	next     access
	finished bool
	// clock is that of its last event, or of the event that started it.
	clock clock
}

// access is what a step begins with.
type access struct {
	object unsafe.Pointer
	kind   Kind
	ready  Ready // nil if the access never blocks
}

// Ready says whether an access that may block can be made. That depends on its object alone.
type Ready interface{ Ready() bool }

// Kind is what an access does to its object.
type Kind uint8

const (
	start Kind = iota // the first step of a thread started by another; it has no object
	Read              // doesn't change it
	Write             // may change it
	Swap              // a compare-and-swap: changes it, unless Unchanged is called afterwards
)

func (k Kind) writes() bool { return k == Write || k == Swap }

func (k Kind) String() string {
	switch k {
	case start:
		return "start"
	case Read:
		return "read"
	case Write:
		return "write"
	case Swap:
		return "swap"
	default:
		panic("explore: unknown kind of access")
	}
}

// unwinding is what a thread that is aborted panics with.
var unwinding any = new(struct{ _ byte })

// Go starts a thread. It may be called from the setup and from threads.
func (r *Run) Go(body func()) { r.start(body) }

// Daemon starts a thread that needn't end: it may wait forever.
func (r *Run) Daemon(body func()) { r.start(body).daemon = true }

func (r *Run) start(body func()) *thread {
	if len(r.plains) > r.settled {
		// The step under way has plain accesses: it ends here, so that they are known to be before
		// what the new thread does.
		r.step(access{})
	}
	if r.started == maxThreads {
		panic("explore: too many threads")
	}
	if r.started == len(r.threads) {
		r.threads = append(r.threads, nil)
	}
	t := r.threads[r.started]
	if t == nil {
		t = &thread{run: r, id: uint8(r.started)}
		t.resume, t.cancel = iter.Pull(t.loop)
		r.threads[r.started] = t
	}
	r.started++
	t.body, t.label, t.next, t.finished, t.daemon, t.clock = body, "", access{}, false, false, clock{}
	if r.phase == running {
		r.events[r.depth-1].starts |= 1 << t.id
	}
	return t
}

// Go starts a thread if the caller is one, and reports whether it did.
func Go(body func()) bool {
	if active == nil {
		return false
	}
	active.start(body)
	return true
}

// loop is the coroutine.
func (t *thread) loop(yield func(struct{}) bool) {
	t.yield = yield
	for {
		t.run.guard(t.body)
		t.finished = true
		r := t.run
		if r.phase == aborting {
			return
		}
		if r.phase == running {
			r.next = r.decide()
		}
		if !yield(struct{}{}) {
			return
		}
	}
}

// resume goes on with t until it yields.
func (r *Run) resume(t *thread) {
	r.current = t
	t.resume()
}

// Access is called by a thread before each access to shared memory; called by others, it does
// nothing.
func Access(object unsafe.Pointer, kind Kind) {
	if active != nil {
		active.step(access{object: object, kind: kind})
	}
}

// Await is Access for one that may block: the thread goes on when it is ready.
func Await(object unsafe.Pointer, kind Kind, ready Ready) {
	if active != nil {
		active.step(access{object: object, kind: kind, ready: ready})
	}
}

// Unseen runs f as part of the step under way: its accesses are plain ones.
func Unseen(f func()) {
	self := active
	active = nil
	defer func() { active = self }()
	f()
}

// Unchanged says that the access just made, announced as one that may write, has only read.
func Unchanged() {
	if active != nil && active.phase == running {
		active.events[active.depth-1].kind = Read
	}
}

// Label says what the calling thread does from here on, for the trace.
func (r *Run) Label(label string) {
	if active != nil {
		r.current.label = label
	}
}

// step yields to the thread that makes the next step. It returns when that is the calling thread.
func (r *Run) step(a access) {
	t := r.current
	if r.phase == aborting {
		panic(unwinding)
	}
	t.next = a
	if r.phase == running {
		if r.next = r.decide(); r.next == t {
			return
		}
	}
	if !t.yield(struct{}{}) {
		panic(unwinding)
	}
}

// abort unwinds the threads that haven't ended.
func (r *Run) abort() {
	for i, t := range r.threads[:r.started] {
		if !t.finished {
			active, r.phase, r.current = r, aborting, t
			t.cancel()
			active, r.phase = nil, ended
			r.threads[i] = nil
		}
	}
}

// stop ends the coroutines.
func (r *Run) stop() {
	for _, t := range r.threads {
		if t != nil {
			t.cancel()
		}
	}
}
