package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

const (
	job   = "import.2026-11"
	tasks = 25               // of each worker
	pace  = time.Millisecond // for one step of a task
)

// workerParameters are what a worker has to know.
type workerParameters struct {
	Name, URL, Bucket string
}

// work is a node that works on the job.
func work(in io.Reader, out io.Writer) error {
	var p workerParameters
	lines, err := begin(in, &p)
	if err != nil {
		return err
	}
	w := &worker{name: p.Name, events: json.NewEncoder(out)}
	nc, err := nats.Connect(p.URL, nats.Name(p.Name), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return w.fail(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return w.fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.bucket, err = breakernats.Open(ctx, js, p.Bucket,
		breakernats.WithName(p.Name),
		breakernats.WithSilence(time.Minute)) // longer than an election
	if err != nil {
		return w.fail(err)
	}

	w.node.Go(func() { w.work(ctx) })
	for lines.Scan() {
		if lines.Text() == "trip" {
			w.node.Go(func() { w.trip(ctx) })
		}
	}
	cancel()
	w.ended.Close()
	w.node.Wait()
	return nil
}

// worker is the state of a node.
type worker struct {
	name   string
	bucket *breakernats.Bucket
	node   sync.WaitGroup
	// ended trips when the process is to end.
	ended breaker.Breaker

	mu     sync.Mutex
	events *json.Encoder
}

// work does the job until something stops it.
func (w *worker) work(ctx context.Context) {
	stop, err := w.bucket.BreakByKey(ctx, job)
	if err != nil {
		_ = w.fail(err) // the state is unknown, so it doesn't begin
		return
	}
	defer stop.Close()
	if stop.Err() != nil {
		w.say(w.about("refused", stop))
		return
	}

	var (
		stopped = make([]time.Time, tasks)
		steps   atomic.Int64
		all     sync.WaitGroup
		begun   sync.WaitGroup
	)
	begun.Add(tasks)
	for i := range tasks {
		all.Go(func() {
			// A task has a limit of its own, and watches what stops the job.
			br := breaker.Multiplex(
				breaker.BreakByTimeout(patience), breaker.NopCloser(stop), breaker.NopCloser(&w.ended))
			defer br.Close()
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for begun.Done(); ; steps.Add(1) {
				select {
				case <-tick.C:
				case <-br.Done():
					stopped[i] = time.Now()
					return
				}
			}
		})
	}
	begun.Wait()
	w.say(event{What: "working", Name: w.name})
	all.Wait()
	e := w.about("stopped", stop)
	e.Stopped, e.Steps = stopped, steps.Load()
	w.say(e)
}

// trip stops the job everywhere.
func (w *worker) trip(ctx context.Context) {
	began := time.Now()
	cause, won, err := w.bucket.Trip(ctx, job, errors.New("the file of November is broken"))
	if err != nil {
		_ = w.fail(err)
		return
	}
	w.say(event{What: "tripped", Name: w.name, Won: won, Revision: cause.Revision, Took: time.Since(began)})
}

// about returns an event that says why the breaker has tripped.
func (w *worker) about(what string, br *breaker.Breaker) event {
	e := event{What: what, Name: w.name}
	var tripped breakernats.TripError
	if errors.As(br.Cause(), &tripped) {
		e.Cause, e.By, e.Revision = tripped.Text, tripped.By, tripped.Revision
	} else if cause := br.Cause(); cause != nil {
		e.Error = cause.Error()
	}
	return e
}

func (w *worker) say(e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.events.Encode(e) // if that fails, the input is about to end as well
}

func (w *worker) fail(err error) error {
	w.say(event{What: "failed", Name: w.name, Error: err.Error()})
	return err
}
