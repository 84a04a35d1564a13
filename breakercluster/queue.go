package breakercluster

import (
	"sync"
	"time"
)

// stuckAfter is how long callbacks of one breaker hold up the others.
const stuckAfter = 10 * time.Millisecond

// queue trips breakers on goroutines of its own, which live only while there are breakers to trip.
// Callbacks run there, because the goroutine that reads the watch has to go on reading. Otherwise
// the server takes it for a slow consumer.
//
// Callbacks must not block. If one does, its worker counts as stuck after stuckAfter, and twice as
// many workers as are stuck go on. So a breaker behind n blocked ones waits for log n times
// stuckAfter, not n times. While no callback blocks, there is one goroutine, however many breakers
// trip at once.
type queue struct {
	mu sync.Mutex
	// tripped are the breakers to be tripped, in the order in which that became known.
	tripped []verdict
	// working counts the workers that make progress, stuck those that don't.
	working, stuck int
}

// verdict is a registration, and the cause to trip it with.
type verdict struct {
	*registration
	cause error
}

// worker is a goroutine of a queue. The queue's lock guards it.
type worker struct {
	// timer fires if one trip takes too long.
	timer *time.Timer
	stuck bool
	// trips counts. It tells a timer that fires late which trip it was set for.
	trips int
}

// push adds to the queue. It doesn't wait.
func (q *queue) push(tripped ...verdict) {
	if len(tripped) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tripped = append(q.tripped, tripped...)
	q.start()
}

// start starts workers until there are enough. The lock is held.
func (q *queue) start() {
	for q.working < min(len(q.tripped), max(1, 2*q.stuck)) {
		q.working++
		go q.work(new(worker))
	}
}

func (q *queue) work(w *worker) {
	for {
		v, ok := q.next(w)
		if !ok {
			return
		}
		v.Trip(v.cause)
	}
}

// next takes the first of the queue, unless the worker was stuck and so was replaced.
func (q *queue) next(w *worker) (v verdict, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.trips++
	if w.stuck {
		q.stuck--
		return verdict{}, false
	}
	if len(q.tripped) == 0 {
		q.working, q.tripped = q.working-1, nil
		return verdict{}, false
	}
	v, q.tripped[0] = q.tripped[0], verdict{}
	q.tripped = q.tripped[1:]
	trip := w.trips
	w.timer = time.AfterFunc(stuckAfter, func() { q.replace(w, trip) })
	return v, true
}

// replace starts other workers if the given trip still isn't over.
func (q *queue) replace(w *worker, trip int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.trips != trip {
		return
	}
	w.stuck = true
	q.working--
	q.stuck++
	q.start()
}
