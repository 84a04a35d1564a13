package breakersync

import (
	"runtime/debug"
	"sync"

	"github.com/kamilsk/breaker"
)

// A Group is a set of tasks that stop together. Each task gets the breaker of the group, and the
// first task that fails trips it. Wait waits for all tasks.
//
// The zero value is an empty group that only its tasks can stop. Go, TryGo and Breaker may be
// called concurrently, also by tasks. Call Wait once, and don't use the group afterwards.
type Group struct {
	own    breaker.Breaker  // that of a zero value
	watch  *breaker.Breaker // that of NewGroup, or nil
	places *Semaphore       // nil if there is no limit

	tasks sync.WaitGroup

	mu       sync.Mutex
	started  bool
	failed   bool // a task has failed, or wasn't started
	panicked *PanicError
}

// NewGroup returns an empty group that also stops when br trips. It never closes br. It stays
// registered with br until Wait has returned. It panics if br is nil.
func NewGroup(br breaker.Interface) *Group {
	ask(br, "NewGroup")
	return &Group{watch: breaker.Any(br)}
}

// Breaker returns the breaker of the group. Trip it to stop the group.
func (g *Group) Breaker() *breaker.Breaker {
	if g.watch != nil {
		return g.watch
	}
	return &g.own
}

// SetLimit lets at most n tasks run at the same time. By default there is no limit. Call it before
// the first Go, and not concurrently. It panics if a task has been started, or if n isn't positive.
func (g *Group) SetLimit(n int) {
	if n <= 0 {
		panic("breakersync: SetLimit: n isn't positive")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.started {
		panic("breakersync: SetLimit: a task has been started")
	}
	g.places = NewSemaphore(n)
}

// Go runs the task in a goroutine of its own, with the breaker of the group. At the limit, Go waits
// until a running task has ended.
//
// It returns true iff it has started the task. Once the breaker of the group has tripped, Go
// returns false without waiting. In a group with a limit, a task that calls Go may wait for itself;
// use TryGo there. Go panics if the task is nil.
func (g *Group) Go(task func(br breaker.Interface) error) bool {
	if task == nil {
		panic("breakersync: Go: the task is nil")
	}
	br := g.Breaker()
	if g.places != nil && g.places.Acquire(br, 1) != nil || br.Err() != nil && g.release() {
		g.mu.Lock()
		g.failed = true
		g.mu.Unlock()
		return false
	}
	g.start(task)
	return true
}

// TryGo is Go without the wait. At the limit, or once the breaker of the group has tripped, it
// returns false and doesn't start the task. That alone doesn't make Wait return an error. TryGo
// panics if the task is nil.
func (g *Group) TryGo(task func(br breaker.Interface) error) bool {
	if task == nil {
		panic("breakersync: TryGo: the task is nil")
	}
	if g.Breaker().Err() != nil || g.places != nil && !g.places.TryAcquire(1) {
		return false
	}
	g.start(task)
	return true
}

func (g *Group) start(task func(br breaker.Interface) error) {
	g.mu.Lock()
	g.started = true
	g.mu.Unlock()
	g.tasks.Add(1)
	go func() {
		defer g.tasks.Done()
		defer g.release()
		returned := false
		defer func() {
			if returned {
				return
			}
			if value := recover(); value != nil {
				g.fail(&PanicError{Value: value, Stack: debug.Stack()})
			} else {
				g.fail(ErrGoexit)
			}
		}()
		err := task(g.Breaker())
		returned = true
		if err != nil {
			g.fail(err)
		}
	}()
}

// release gives a place back, and returns true.
func (g *Group) release() bool {
	if g.places != nil {
		g.places.Release(1)
	}
	return true
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	g.failed = true
	if p, ok := err.(*PanicError); ok && g.panicked == nil {
		g.panicked = p
	}
	g.mu.Unlock()
	g.Breaker().Trip(err)
}

// Wait waits until all tasks have ended, then closes the breaker of the group. Wait itself can't be
// interrupted: trip the breaker to stop the tasks.
//
// It returns nil iff every call of Go has started its task, and all tasks have returned nil.
// Otherwise it returns the cause of the group's breaker. That is the error of the task that failed
// first, or what tripped the breaker before. If a task has panicked, Wait panics with a
// *PanicError. If a task called runtime.Goexit, its error is ErrGoexit.
func (g *Group) Wait() error {
	g.tasks.Wait()
	br := g.Breaker()
	br.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.panicked != nil:
		panic(g.panicked)
	case g.failed:
		return br.Cause()
	default:
		return nil
	}
}
