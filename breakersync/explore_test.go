//go:build breaker_explore

package breakersync

import (
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/internal/atomic"
	"github.com/kamilsk/breaker/internal/explore"
)

// quickRun is how many schedules a program may take by default.
const quickRun = 100_000

// TestExplore runs small concurrent programs on every schedule of their accesses to shared memory,
// those of package breaker included:
//
//	go test -tags breaker_explore -run Explore -v ./breakersync
//
// A program takes at most as many schedules as BREAKER_SYNC_SCHEDULES says. A violation names its
// schedule, which BREAKER_SCHEDULE repeats. A program that doesn't end is a violation too, so a
// lock, a permit or a signal that is lost is seen by those that wait for it.
func TestExplore(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	limit := quickRun
	if text := os.Getenv("BREAKER_SYNC_SCHEDULES"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil {
			t.Fatalf("BREAKER_SYNC_SCHEDULES: %v", err)
		}
	}
	var programs, complete, schedules int
	for _, p := range explored {
		t.Run(p.name, func(t *testing.T) {
			program := func(r *explore.Run) {
				waiters = atomic.Pool[waiter]{}
				p.setup(r)
			}
			if schedule, ok := os.LookupEnv("BREAKER_SCHEDULE"); ok {
				explore.Replay(program, schedule).Report(t)
				return
			}
			begun := time.Now()
			got := explore.Explore(program, explore.Options{Schedules: limit})
			if got.Complete {
				complete++
			}
			programs++
			schedules += got.Schedules
			got.Report(t, "./breakersync", begun)
		})
	}
	t.Logf("%d programs, %d of them complete; %d schedules", programs, complete, schedules)
}

var errStop = errors.New("stop")

type exploredProgram struct {
	name  string
	setup func(r *explore.Run)
}

// section is what a lock guards: two threads in it at the same time are a violation.
type section struct {
	r      *explore.Run
	inside atomic.Plain[bool]
}

func (s *section) visit() {
	s.inside.Set(!s.inside.Get())
}

// mustBeFree fails if the mutex isn't free at the end, or its word still says that a waiter is
// queued.
func mustBeFree(r *explore.Run, s *weighted) {
	check := func() {
		if state := s.state.Load() &^ revisionMask; state != 0 || s.queued.first != nil {
			r.Failf("at the end the word is %#x, and the queue is empty: %v", state, s.queued.first == nil)
		}
	}
	r.AtEnd(func() { r.AtEnd(check) }) // after what the program gives back at the end
}

// lockBy starts a thread that locks, and unlocks if it could.
func lockBy(r *explore.Run, mu *Mutex, s *section, br breaker.Interface, times int) {
	r.Go(func() {
		for range times {
			err := mu.Lock(br)
			if err != nil {
				if err != errStop {
					r.Failf("the error is %v", err)
				}
				continue
			}
			s.visit()
			mu.Unlock()
		}
	})
}

// holderOf starts a thread that unlocks what was locked in the setup.
func holderOf(r *explore.Run, mu *Mutex, s *section) {
	mu.TryLock()
	r.Go(func() {
		s.visit()
		mu.Unlock()
	})
}

func tripBy(r *explore.Run, br *breaker.Breaker) { r.Go(func() { br.Trip(errStop) }) }

var explored = []exploredProgram{
	{"Mutex: Lock vs Lock", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 1)
		lockBy(r, mu, s, br, 1)
	}},
	{"Mutex: Lock vs Trip, and it is never unlocked", func(r *explore.Run) {
		mu, br := new(Mutex), breaker.New()
		mu.TryLock()
		r.Go(func() {
			if err := mu.Lock(br); err != errStop {
				r.Failf("the error is %v", err)
			}
		})
		tripBy(r, br)
		r.AtEnd(mu.Unlock)
		r.AtEnd(func() {
			if !mu.TryLock() {
				r.Failf("it isn't free")
			}
		})
	}},
	{"Mutex: Lock vs Unlock", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 1)
		holderOf(r, mu, s)
	}},
	{"Mutex: Lock vs Unlock vs Trip", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 1)
		holderOf(r, mu, s)
		tripBy(r, br)
	}},
	// The second wait may have the first one's waiter.
	{"Mutex: Lock.Lock vs Unlock.Trip", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 2)
		mu.TryLock()
		r.Go(func() {
			mu.Unlock()
			br.Trip(errStop)
		})
	}},
	{"Mutex: Lock vs Lock without a breaker vs Unlock.Trip", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 1)
		r.Go(func() {
			mu.Locker().Lock()
			s.visit()
			mu.Unlock()
		})
		mu.TryLock()
		r.Go(func() {
			mu.Unlock()
			br.Trip(errStop)
		})
	}},
	{"Mutex: Lock vs Lock vs Trip.Unlock, one breaker", func(r *explore.Run) {
		mu, br, s := new(Mutex), breaker.New(), &section{r: r}
		mustBeFree(r, &mu.w)
		lockBy(r, mu, s, br, 1)
		lockBy(r, mu, s, br, 1)
		mu.TryLock()
		r.Go(func() {
			br.Trip(errStop)
			mu.Unlock()
		})
	}},
	{"RWMutex: Lock vs RLock without a breaker vs Trip, a reader stays", func(r *explore.Run) {
		mu, br := new(RWMutex), breaker.New()
		mustBeFree(r, &mu.w)
		mu.TryRLock()
		r.Go(func() {
			if err := mu.Lock(br); err != errStop {
				r.Failf("the error is %v", err)
			}
		})
		r.Go(func() { // it ends: the writer gives up
			mu.RLocker().Lock()
			mu.RUnlock()
		})
		tripBy(r, br)
		r.AtEnd(mu.RUnlock)
	}},
	{"RWMutex: Lock vs RLock vs RUnlock", func(r *explore.Run) {
		mu, s := new(RWMutex), &section{r: r}
		mustBeFree(r, &mu.w)
		mu.TryRLock()
		r.Go(func() {
			mu.Locker().Lock()
			s.visit()
			mu.Unlock()
		})
		r.Go(func() {
			mu.RLocker().Lock()
			s.inside.Get()
			mu.RUnlock()
		})
		r.Go(mu.RUnlock)
	}},
	{"Semaphore: Acquire 2 vs Trip vs Acquire 1, one of two is taken", func(r *explore.Run) {
		sem, br := NewSemaphore(2), breaker.New()
		mustBeFree(r, &sem.w)
		sem.TryAcquire(1)
		r.Go(func() {
			if err := sem.Acquire(br, 2); err != errStop {
				r.Failf("the error is %v", err)
			}
		})
		r.Go(func() { // it ends: the waiter for two gives up
			_ = sem.w.take(nil, 1, 0)
			sem.Release(1)
		})
		tripBy(r, br)
		r.AtEnd(func() { sem.Release(1) })
	}},
	{"Semaphore: Acquire vs Release vs Trip", func(r *explore.Run) {
		sem, br := NewSemaphore(2), breaker.New()
		mustBeFree(r, &sem.w)
		sem.TryAcquire(2)
		r.Go(func() {
			if sem.Acquire(br, 2) == nil {
				sem.Release(2)
			}
		})
		r.Go(func() {
			sem.Release(1)
			sem.Release(1)
		})
		tripBy(r, br)
	}},
	{"Semaphore: Acquire vs Resize", func(r *explore.Run) {
		sem, br := NewSemaphore(1), breaker.New()
		mustBeFree(r, &sem.w)
		sem.TryAcquire(1)
		r.Go(func() {
			if err := sem.Acquire(br, 1); err != nil {
				r.Failf("the error is %v", err)
			}
			sem.Release(1)
		})
		r.Go(func() { sem.Resize(2) })
		r.AtEnd(func() { sem.Release(1) })
	}},
	{"Semaphore: Acquire vs Resize to less", func(r *explore.Run) {
		sem, br := NewSemaphore(2), breaker.New()
		mustBeFree(r, &sem.w)
		sem.TryAcquire(1)
		r.Go(func() {
			if err := sem.Acquire(br, 2); err != ErrCapacity {
				r.Failf("the error is %v", err)
			}
		})
		r.Go(func() { sem.Resize(1) })
		r.AtEnd(func() { sem.Release(1) })
	}},
	// A compare-and-swap that finds the word as it was.
	{"Semaphore: TryAcquire vs TryAcquire.Resize.Release", func(r *explore.Run) {
		sem := NewSemaphore(2)
		mustBeFree(r, &sem.w)
		sem.TryAcquire(1)
		var one, other bool
		r.Go(func() { one = sem.TryAcquire(1) })
		r.Go(func() {
			if other = sem.TryAcquire(1); other {
				sem.Resize(1)
				sem.Release(1)
			}
		})
		r.AtEnd(func() {
			if one && other {
				r.Failf("one permit too many: there was none left for the first until the second had resized, and none afterwards")
			}
			sem.Release(sem.Acquired())
		})
	}},
	{"Semaphore: Acquire vs Release vs Resize vs Trip", func(r *explore.Run) {
		sem, br := NewSemaphore(2), breaker.New()
		mustBeFree(r, &sem.w)
		sem.TryAcquire(2)
		r.Go(func() {
			switch err := sem.Acquire(br, 2); err {
			case nil:
				sem.Release(2)
			case errStop, ErrCapacity:
			default:
				r.Failf("the error is %v", err)
			}
		})
		r.Go(func() { sem.Release(2) })
		r.Go(func() { sem.Resize(1) })
		tripBy(r, br)
	}},
	{"Cond: Wait vs Signal", func(r *explore.Run) { condition(r, nil, false) }},
	{"Cond: Wait vs Signal vs Trip", func(r *explore.Run) { condition(r, breaker.New(), false) }},
	{"Cond: Wait vs Wait vs Signal.Trip", func(r *explore.Run) { condition(r, breaker.New(), true) }},
	{"Cond: Wait vs Trip", func(r *explore.Run) {
		mu, br := new(Mutex), breaker.New()
		c := NewCond(mu.Locker())
		mustBeFree(r, &mu.w)
		r.Go(func() {
			c.L.Lock()
			if err := c.Wait(br); err != errStop {
				r.Failf("the error is %v", err)
			}
			c.L.Unlock()
		})
		tripBy(r, br)
		r.AtEnd(func() {
			if c.waiting.Load() != 0 || c.queued.first != nil {
				r.Failf("a waiter is still queued")
			}
		})
	}},
	{"WaitGroup: Wait vs Done vs Trip", func(r *explore.Run) {
		g, br := new(WaitGroup), breaker.New()
		g.Add(1)
		r.Go(func() {
			if err := g.Wait(br); err != nil && err != errStop {
				r.Failf("the error is %v", err)
			}
		})
		r.Go(g.Done)
		tripBy(r, br)
		r.AtEnd(func() {
			if state := g.state.Load(); state != 0 || g.queued.first != nil {
				r.Failf("at the end the word is %#x", state)
			}
		})
	}},
	{"WaitGroup: Wait vs Wait vs Done.Done", func(r *explore.Run) {
		g, br, s := new(WaitGroup), breaker.New(), &section{r: r}
		g.Add(2)
		for range 2 {
			r.Go(func() {
				if err := g.Wait(br); err != nil {
					r.Failf("the error is %v", err)
				}
				s.inside.Get()
			})
		}
		r.Go(func() {
			g.Done()
			s.visit()
			g.Done()
		})
	}},
}

// condition is the program of a flag that one thread sets, and signals once. With two waiters, the
// first that finds it set signals again. So if an interrupted waiter takes the signal with it, the
// other one never ends. The breaker is the first waiter's.
func condition(r *explore.Run, br *breaker.Breaker, two bool) {
	var (
		mu   Mutex
		c    = NewCond(mu.Locker())
		flag bool
	)
	mustBeFree(r, &mu.w)
	wait := func(br breaker.Interface) {
		c.L.Lock()
		defer c.L.Unlock()
		for !flag {
			if err := c.Wait(br); err != nil {
				if err != errStop {
					r.Failf("the error is %v", err)
				}
				return
			}
		}
		if two {
			c.Signal()
		}
	}
	set := func() {
		c.L.Lock()
		flag = true
		c.L.Unlock()
		c.Signal()
	}
	first := br
	if first == nil {
		first = breaker.New()
	}
	r.Go(func() { wait(first) })
	switch {
	case br == nil:
		r.Go(set)
	case two:
		r.Go(func() { wait(breaker.New()) })
		r.Go(func() {
			set()
			br.Trip(errStop)
		})
	default:
		r.Go(set)
		tripBy(r, br)
	}
}
