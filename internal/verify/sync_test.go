package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
	"github.com/kamilsk/breaker/retry"
)

// Random programs of packages breakersync and retry, each beside a model that is as plain as can
// be. A program runs in a bubble. After each of its steps, when all goroutines are blocked, all
// that can be observed is what the model says.

const (
	syncBreakers = 3
	syncSteps    = 30
)

// syncStep is a step, drawn before the program runs.
type syncStep struct{ op, n, br int }

func drawSteps(r *rapid.T, ops, most int) []syncStep {
	step := rapid.Custom(func(r *rapid.T) syncStep {
		return syncStep{
			op: rapid.IntRange(0, ops-1).Draw(r, "op"),
			n:  rapid.IntRange(0, most).Draw(r, "n"),
			br: rapid.IntRange(0, syncBreakers-1).Draw(r, "br"),
		}
	})
	return rapid.SliceOfN(step, syncSteps, syncSteps).Draw(r, "steps")
}

// outcome is what has become of a wait.
type outcome string

const (
	waits       outcome = "waits"
	has         outcome = "has it"
	interrupted outcome = "is interrupted"
	refused     outcome = "is refused"
)

func outcomeOf(err error, cause error) outcome {
	switch {
	case err == nil:
		return has
	case err == breakersync.ErrCapacity:
		return refused
	case err == cause:
		return interrupted
	default:
		return outcome("has another error: " + err.Error())
	}
}

// syncWorld is what a program works on: breakers that can trip, and the outcomes of all waits, as
// they are and as the model says.
type syncWorld struct {
	breakers [syncBreakers]*breaker.Breaker
	causes   [syncBreakers]error
	got      []outcome
	want     []outcome
}

func newSyncWorld() *syncWorld {
	w := new(syncWorld)
	for i := range w.breakers {
		w.breakers[i] = breaker.New()
		w.causes[i] = fmt.Errorf("cause %d", i)
	}
	return w
}

// wait starts a wait for the step's breaker, in each of the three ways to pass one, and returns its
// number.
func (w *syncWorld) wait(s syncStep, f func(br breaker.Interface) error) int {
	id := len(w.got)
	br := breaker.Interface(w.breakers[s.br])
	if s.n%2 == 1 {
		br = breaker.NopCloser(br)
	}
	w.got, w.want = append(w.got, waits), append(w.want, waits)
	go func() {
		o := outcomeOf(f(br), w.causes[s.br])
		w.got[id] = o
	}()
	synctest.Wait()
	return id
}

func (w *syncWorld) tripped(br int) bool { return w.breakers[br].Err() != nil }

// check compares when all goroutines are blocked.
func (w *syncWorld) check(step int, s syncStep, more ...any) error {
	synctest.Wait()
	if !slices.Equal(w.got, w.want) {
		return fmt.Errorf("step %d, %+v: the outcomes are\n%q, and should be\n%q", step, s, w.got, w.want)
	}
	for i := 0; i < len(more); i += 3 {
		if more[i+1] != more[i+2] {
			return fmt.Errorf("step %d, %+v: %v is %v, and should be %v", step, s, more[i], more[i+1], more[i+2])
		}
	}
	return nil
}

// end wakes all waiters.
func (w *syncWorld) end() {
	for i, br := range w.breakers {
		br.Trip(w.causes[i])
	}
	synctest.Wait()
}

// panics reports whether f does.
func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// inBubble runs a program in one, and fails with what it returns.
func inBubble(t *testing.T, r *rapid.T, program func() error) {
	var err error
	synctest.Test(t, func(*testing.T) { err = program() })
	if err != nil {
		r.Fatal(err)
	}
}

// permitModel is the model of a semaphore, and so of the locks.
type permitModel struct {
	w               *syncWorld
	capacity, taken int
	queue           []permitWait
}

type permitWait struct{ id, n, br int }

// acquire returns whether it can be had at once.
func (m *permitModel) try(n int) bool {
	if len(m.queue) > 0 || m.taken+n > m.capacity {
		return false
	}
	m.taken += n
	return true
}

func (m *permitModel) acquire(id, n, br int) {
	switch {
	case m.w.tripped(br):
		m.w.want[id] = interrupted
	case n > m.capacity:
		m.w.want[id] = refused
	case m.try(n):
		m.w.want[id] = has
	default:
		m.queue = append(m.queue, permitWait{id, n, br})
	}
}

// settle removes interrupted and refused waiters from the queue, and then grants from the front.
func (m *permitModel) settle() {
	m.queue = slices.DeleteFunc(m.queue, func(w permitWait) bool {
		switch {
		case m.w.tripped(w.br):
			m.w.want[w.id] = interrupted
		case w.n > m.capacity:
			m.w.want[w.id] = refused
		default:
			return false
		}
		return true
	})
	for len(m.queue) > 0 && m.taken+m.queue[0].n <= m.capacity {
		m.taken += m.queue[0].n
		m.w.want[m.queue[0].id] = has
		m.queue = m.queue[1:]
	}
}

func TestSync_RandomSemaphore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := drawSteps(r, 8, 4)
		capacity := rapid.IntRange(0, 4).Draw(r, "capacity")
		inBubble(t, r, func() error {
			w := newSyncWorld()
			defer w.end()
			m := &permitModel{w: w, capacity: capacity}
			s := breakersync.NewSemaphore(capacity)
			for i, step := range steps {
				got, want := true, true
				switch step.op {
				case 0, 1, 2:
					id := w.wait(step, func(br breaker.Interface) error { return s.Acquire(br, step.n) })
					m.acquire(id, step.n, step.br)
				case 3:
					got, want = s.TryAcquire(step.n), m.try(step.n)
				case 4, 5:
					got, want = panics(func() { s.Release(step.n) }), step.n > m.taken
					if !want {
						m.taken -= step.n
					}
				case 6:
					s.Resize(step.n)
					m.capacity = step.n
				case 7:
					if step.n == 0 { // seldom: each of them trips only once
						w.breakers[step.br].Trip(w.causes[step.br])
					}
				}
				m.settle()
				// A waiter that is granted and interrupted at the same time gives back what it got.
				synctest.Wait()
				if err := w.check(i, step, "the result", got, want, "Acquired", s.Acquired(), m.taken, "Capacity", s.Capacity(), m.capacity); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// locker is what Mutex and RWMutex have in common: a Mutex has no readers.
type locker interface {
	Lock(br breaker.Interface) error
	TryLock() bool
	Unlock()
}

type readLocker interface {
	RLock(br breaker.Interface) error
	TryRLock() bool
	RUnlock()
}

func TestSync_RandomMutex(t *testing.T) {
	randomLock(t, 6, func() locker { return new(breakersync.Mutex) })
}

func TestSync_RandomRWMutex(t *testing.T) {
	randomLock(t, 10, func() locker { return new(breakersync.RWMutex) })
}

func randomLock(t *testing.T, ops int, make func() locker) {
	const writer = 1000 // more than there are readers
	rapid.Check(t, func(r *rapid.T) {
		steps := drawSteps(r, ops, 3)
		inBubble(t, r, func() error {
			w := newSyncWorld()
			defer w.end()
			m := &permitModel{w: w, capacity: writer}
			mu := make()
			rw, _ := mu.(readLocker)
			for i, step := range steps {
				got, want := true, true
				switch step.op {
				case 0, 1:
					m.acquire(w.wait(step, mu.Lock), writer, step.br)
				case 2:
					got, want = mu.TryLock(), m.try(writer)
				case 3, 4:
					got, want = panics(mu.Unlock), m.taken < writer
					if !want {
						m.taken -= writer
					}
				case 5:
					if step.n == 0 {
						w.breakers[step.br].Trip(w.causes[step.br])
					}
				case 6, 7:
					m.acquire(w.wait(step, rw.RLock), 1, step.br)
				case 8:
					got, want = rw.TryRLock(), m.try(1)
				case 9:
					got, want = panics(rw.RUnlock), m.taken == 0 || m.taken == writer
					if !want {
						m.taken--
					}
				}
				m.settle()
				if err := w.check(i, step, "the result", got, want); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func TestSync_RandomCond(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := drawSteps(r, 5, 3)
		inBubble(t, r, func() error {
			w := newSyncWorld()
			defer w.end()
			var (
				mu    breakersync.Mutex
				c     = breakersync.NewCond(mu.Locker())
				queue []permitWait // the waiters, in order
			)
			for i, step := range steps {
				switch step.op {
				case 0, 1:
					id := w.wait(step, func(br breaker.Interface) error {
						c.L.Lock()
						defer c.L.Unlock() // panics if it isn't locked
						return c.Wait(br)
					})
					if w.tripped(step.br) {
						w.want[id] = interrupted
					} else {
						queue = append(queue, permitWait{id: id, br: step.br})
					}
				case 2:
					c.Signal()
					if len(queue) > 0 {
						w.want[queue[0].id] = has
						queue = queue[1:]
					}
				case 3:
					if step.n == 0 {
						c.Broadcast()
						for _, one := range queue {
							w.want[one.id] = has
						}
						queue = nil
					}
				case 4:
					if step.n == 0 {
						w.breakers[step.br].Trip(w.causes[step.br])
					}
					queue = slices.DeleteFunc(queue, func(one permitWait) bool {
						if w.tripped(one.br) {
							w.want[one.id] = interrupted
						}
						return w.tripped(one.br)
					})
				}
				if err := w.check(i, step); err != nil {
					return err
				}
				if free := mu.TryLock(); !free {
					return fmt.Errorf("step %d, %+v: the lock isn't free", i, step)
				}
				mu.Unlock()
			}
			return nil
		})
	})
}

func TestSync_RandomWaitGroup(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := drawSteps(r, 5, 3)
		inBubble(t, r, func() error {
			w := newSyncWorld()
			defer w.end()
			var (
				g     breakersync.WaitGroup
				count int
				queue []permitWait
			)
			for i, step := range steps {
				got, want := true, true
				switch step.op {
				case 0, 1:
					id := w.wait(step, g.Wait)
					switch {
					case count == 0:
						w.want[id] = has
					case w.tripped(step.br):
						w.want[id] = interrupted
					default:
						queue = append(queue, permitWait{id: id, br: step.br})
					}
				case 2:
					g.Add(step.n)
					count += step.n
				case 3:
					got, want = panics(func() { g.Add(-step.n) }), step.n > count
					if !want {
						count -= step.n
					}
				case 4:
					if step.n == 0 {
						w.breakers[step.br].Trip(w.causes[step.br])
					}
				}
				queue = slices.DeleteFunc(queue, func(one permitWait) bool {
					switch {
					case w.tripped(one.br):
						w.want[one.id] = interrupted
					case count == 0:
						w.want[one.id] = has
					default:
						return false
					}
					return true
				})
				if err := w.check(i, step, "the result", got, want); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Tasks that sleep for different times, and then fail or don't.
func TestSync_RandomGroup(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		durations := rapid.SliceOfNDistinct(rapid.IntRange(1, 50), 0, 8, rapid.ID[int]).Draw(r, "durations")
		fails := rapid.SliceOfN(rapid.Bool(), len(durations), len(durations)).Draw(r, "fails")
		timeout := rapid.SampledFrom([]time.Duration{10*time.Second + 1, time.Hour}).Draw(r, "timeout")
		inBubble(t, r, func() error {
			var (
				begun    = time.Now()
				errLimit = errors.New("timeout")
				br       = breaker.BreakByTimeoutCause(timeout, errLimit)
				g        = breakersync.NewGroup(br)
				want     error
				end      time.Duration
			)
			defer br.Close()
			first := timeout
			for i, seconds := range durations {
				d := time.Duration(seconds) * time.Second
				err := fmt.Errorf("task %d", i)
				if end = max(end, d); fails[i] && d < first {
					first, want = d, err
				}
				g.Go(func(br breaker.Interface) error {
					if cause := breakersync.Sleep(br, d); cause != nil {
						return cause
					}
					if fails[i] {
						return err
					}
					return nil
				})
			}
			if end > timeout && want == nil {
				want = errLimit
			}
			if want != nil {
				end = min(end, first)
			}
			if err := g.Wait(); err != want {
				return fmt.Errorf("Wait is %v, and should be %v", err, want)
			}
			if d := time.Since(begun); d != end {
				return fmt.Errorf("it took %v, and should take %v", d, end)
			}
			return nil
		})
	})
}

func TestSync_RandomRetry(t *testing.T) {
	var (
		errCause     = errors.New("the cause")
		errTry       = errors.New("temporary")
		errHopeless  = errors.New("not worth it")
		errPermanent = errors.New("permanent")
	)
	rapid.Check(t, func(r *rapid.T) {
		results := rapid.SliceOfN(rapid.SampledFrom([]error{errTry, errTry, errTry, errTry, nil, errHopeless, errPermanent}), 1, 12).Draw(r, "results")
		limit := rapid.IntRange(0, 8).Draw(r, "limit")
		base := time.Duration(rapid.IntRange(0, 5).Draw(r, "base")) * time.Second
		factor := rapid.SampledFrom([]float64{1, 2, 3}).Draw(r, "factor")
		most := base + time.Duration(rapid.IntRange(0, 60).Draw(r, "most"))*time.Second
		// How long an attempt takes.
		last := time.Duration(rapid.IntRange(0, 2).Draw(r, "attempt")) * time.Second
		// Never at the same moment as anything.
		timeout := time.Duration(rapid.IntRange(0, 100).Draw(r, "timeout"))*time.Second + time.Second/2

		how := []retry.How{retry.Backoff(base, factor, most, 0), retry.On(func(err error) bool { return !errors.Is(err, errHopeless) })}
		if limit > 0 {
			how = append(how, retry.Limit(limit))
		}
		inBubble(t, r, func() error {
			// The model: when each attempt begins, and how it ends.
			var (
				want      []time.Duration
				wantErr   error
				wantCause bool
				now       time.Duration
				wait      = base
			)
			for i := 0; ; i++ {
				want = append(want, now)
				now += last
				err := results[min(i, len(results)-1)]
				if i > 100 { // without time to pass, it would never end
					err = nil
				}
				wantErr = err
				if err == nil || err == errPermanent {
					break
				}
				if now > timeout {
					wantCause = true
					break
				}
				if i+1 == limit || err == errHopeless {
					break
				}
				if now += wait; now > timeout {
					now, wantCause = timeout, true
					break
				}
				wait = min(most, time.Duration(float64(wait)*factor))
			}

			var got []time.Duration
			begun := time.Now()
			br := breaker.BreakByTimeoutCause(timeout, errCause)
			err := retry.Retry(br, func(context.Context) error {
				i := len(got)
				got = append(got, time.Since(begun))
				time.Sleep(last)
				switch err := results[min(i, len(results)-1)]; {
				case i > 100:
					return nil
				case err == errPermanent:
					return retry.Permanent(err)
				default:
					return err
				}
			}, how...)
			synctest.Wait() // the timer that tripped the breaker may still be about to close it
			switch {
			case !slices.Equal(got, want):
				return fmt.Errorf("the attempts were at %v, and should be at %v", got, want)
			case time.Since(begun) != now:
				return fmt.Errorf("it took %v, and should take %v", time.Since(begun), now)
			case wantErr == nil && err != nil, !errors.Is(err, wantErr), errors.Is(err, errCause) != wantCause, !wantCause && err != wantErr:
				return fmt.Errorf("the error is %v, and should be %v, with the cause: %v", err, wantErr, wantCause)
			case br.State() != breaker.Closed:
				return fmt.Errorf("the breaker is %v", br.State())
			}
			return nil
		})
	})
}
