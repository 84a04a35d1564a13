package breakersync

import (
	"runtime/debug"
	"sync"

	"github.com/kamilsk/breaker"
)

// A Group is a set of tasks that stop together: the first that fails trips the breaker of the
// group, which all of them are given. Wait waits for all.
//
// The zero value is an empty group that nothing but its tasks stops. Go, TryGo and Breaker may be
// called concurrently, also by tasks. Wait is called once, and its group isn't used again.
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

// NewGroup returns an empty group that the trip of br stops too. It never closes br. Until Wait has
// returned, it is registered with br. It panics if br is nil.
func NewGroup(br breaker.Interface) *Group {
	ask(br, "NewGroup")
	return &Group{watch: breaker.Any(br)}
}

// Breaker returns the breaker of the group. To trip it stops the group.
func (g *Group) Breaker() *breaker.Breaker {
	if g.watch != nil {
		return g.watch
	}
	return &g.own
}

// SetLimit lets at most n tasks run at the same time. It is called before the first task is
// started, and not concurrently: it panics if a task has been started, or if n isn't positive.
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

// Go runs the task in a goroutine of its own, with the breaker of the group. If so many run as the
// limit allows, Go waits until one of them has ended.
//
// It returns true iff it has started the task. Once the breaker of the group has tripped, it starts
// none, and doesn't wait any longer. A task that calls Go of its own group with a limit may wait
// for itself; TryGo doesn't. Go panics if the task is nil.
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

// TryGo is Go that doesn't wait: if so many run as the limit allows, or the breaker of the group
// has tripped, it returns false and the task isn't started. That alone doesn't make Wait return an
// error.
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

// Wait waits until all tasks have ended, and closes the breaker of the group. It can't be
// interrupted by itself: to stop the tasks is what the breaker is there for.
//
// It returns nil iff Go has started every task that it was given, and all of them have returned
// nil. Otherwise it returns the cause of the group's breaker: the error of the task that failed
// first, or what tripped the breaker before any failed. If a task has panicked, Wait panics with a
// *PanicError. If one called runtime.Goexit, its error is ErrGoexit.
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
