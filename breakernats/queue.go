package breakernats

import (
	"sync"
	"time"
)

// stuckAfter is how long callbacks of one breaker hold up the others.
const stuckAfter = 50 * time.Millisecond

// queue trips breakers on a goroutine of its own, which lives only while there are any to trip. Callbacks run
// there: the goroutine that reads the watch has to go on reading, or the server takes it for a slow consumer.
//
// Callbacks must not block. If one does, another goroutine goes on with the rest after stuckAfter.
type queue struct {
	mu sync.Mutex
	// tripped are those to be tripped, in the order in which that became known.
	tripped []verdict
	// worker is the one at work, nil if there is none or it is stuck.
	worker *worker
}

// verdict is a registration, and the cause to trip it with.
type verdict struct {
	*registration
	cause error
}

// worker is a goroutine of a queue.
type worker struct {
	// stuck fires if one trip takes too long.
	stuck *time.Timer
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

// start sees to it that somebody is at work, if there is any. The lock is held.
func (q *queue) start() {
	if q.worker != nil || len(q.tripped) == 0 {
		return
	}
	w := new(worker)
	w.stuck = time.AfterFunc(stuckAfter, func() { q.replace(w) })
	q.worker = w
	go q.work(w)
}

// replace has another worker go on.
func (q *queue) replace(w *worker) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.worker == w {
		q.worker = nil
		q.start()
	}
}

func (q *queue) work(w *worker) {
	defer w.stuck.Stop()
	for {
		v, ok := q.next(w)
		if !ok {
			return
		}
		w.stuck.Reset(stuckAfter)
		v.Trip(v.cause)
	}
}

// next takes the first of the queue, unless another worker has taken over.
func (q *queue) next(w *worker) (v verdict, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.worker != w {
		return verdict{}, false
	}
	if len(q.tripped) == 0 {
		q.worker, q.tripped = nil, nil
		return verdict{}, false
	}
	v, q.tripped[0] = q.tripped[0], verdict{}
	q.tripped = q.tripped[1:]
	return v, true
}
