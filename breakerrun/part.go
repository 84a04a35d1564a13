package breakerrun

import (
	"context"
	"math"
	"time"

	"github.com/kamilsk/breaker"
)

// A Stage is a step of the shutdown. Parts of one stage drain at the same time, and lower stages
// come first. Any number is a stage: breakerrun.Work+1 drains after the workers and before the
// admin server.
type Stage int

const (
	// Front is for parts that let work in: public servers, consumers of a queue. It is the default
	// of Server and Graceful.
	Front Stage = 100
	// Work is for parts that process what the front let in. It is the default of Worker.
	Work Stage = 200
	// Admin is for parts that stay up to the end: metrics, profiles, liveness.
	Admin Stage = 300

	// first is the stage of readiness.
	first Stage = math.MinInt
)

// A Part is something that runs until it is told to stop. Make one with Worker, Server, Graceful or
// Readiness. You may copy it, and pass it to Run more than once if its functions allow it.
type Part struct {
	name  string
	stage Stage
	// limit is how long it may drain, if limited.
	limit   time.Duration
	limited bool
	// reports says that the part itself reports what was cut: nil after the cut means nothing, and
	// any error counts.
	reports bool
	// passive says that Run doesn't wait for it to end by itself.
	passive bool
	run     func(*member) error
}

// A PartOption configures a Part.
type PartOption func(*Part)

// WithStage sets the stage in which the part drains.
func WithStage(stage Stage) PartOption { return func(p *Part) { p.stage = stage } }

// WithLimit sets how long the part may drain before it is cut, counted from when its stage begins.
// It never extends the grace period of the whole. With zero the part is cut as soon as it is
// stopped. By default a part has no limit of its own. WithLimit panics if the limit is negative.
func WithLimit(limit time.Duration) PartOption {
	if limit < 0 {
		panic("breakerrun: WithLimit: the limit is negative: " + limit.String())
	}
	return func(p *Part) { p.limit, p.limited = limit, true }
}

// Worker returns a part that works until stop trips, finishes what it has begun, and returns. When
// cut trips it has to give up what it has begun. run owns neither: closing them does nothing. A
// function that doesn't distinguish the two uses stop alone.
//
// If run returns
//
//   - nil, the part is done and the others go on. Run returns when all are done;
//   - StopAll, the others are stopped;
//   - another error, the part has failed, and the others are stopped.
//
// Once stop has tripped, an error that says only that counts as nil: stop.Err, stop.Cause,
// context.Canceled, or an error that wraps one of them. Once cut has tripped, the part counts as
// Cut whatever it returns, even nil.
//
// By default its stage is Work. Worker panics if the name is empty, or run or an option is nil.
func Worker(name string, run func(stop, cut breaker.Interface) error, options ...PartOption) Part {
	if run == nil {
		panic("breakerrun: Worker: run is nil")
	}
	return newPart("Worker", Part{name: name, stage: Work, run: func(m *member) error { return run(m.lend()) }}, options)
}

// Server returns a part that serves until stop trips, drains, and cuts what is left when cut trips.
// Use it for Serve of breakerhttp and of breakergrpc, with cut for their WithCut, and for a Run
// within a Run.
//
// Unlike a Worker, serve itself reports what was cut: after cut has tripped, nil means that nothing
// was lost. Any error counts, also after stop.
//
// By default its stage is Front. Server panics if the name is empty, or serve or an option is nil.
func Server(name string, serve func(stop, cut breaker.Interface) error, options ...PartOption) Part {
	if serve == nil {
		panic("breakerrun: Server: serve is nil")
	}
	return newPart("Server", Part{
		name: name, stage: Front, reports: true,
		run: func(m *member) error { return serve(m.lend()) },
	}, options)
}

// Graceful returns a part made of the three functions that most servers have. For an http.Server
// they are
//
//	func() error { return server.Serve(listener) }, server.Shutdown, server.Close
//
// and for a grpc.Server those that call Serve, GracefulStop and Stop. Run calls
//
//   - serve at the beginning. If it returns an error before stop has tripped, the part has failed:
//     the others are stopped, and this part is drained when its stage begins. If it returns nil,
//     the part is done. What it returns after stop has tripped is ignored;
//   - drain when stop trips, with a context that ends when cut trips;
//   - cut when cut trips before drain has returned.
//
// The part is done when serve and drain have returned. Errors of drain and cut are errors of the
// part.
//
// By default its stage is Front. Graceful panics if the name is empty, or a function or an option
// is nil.
func Graceful(
	name string, serve func() error, drain func(context.Context) error, cut func() error, options ...PartOption,
) Part {
	switch {
	case serve == nil:
		panic("breakerrun: Graceful: serve is nil")
	case drain == nil:
		panic("breakerrun: Graceful: drain is nil")
	case cut == nil:
		panic("breakerrun: Graceful: cut is nil")
	}
	return newPart("Graceful", Part{name: name, stage: Front, reports: true, run: func(m *member) error {
		served := m.call(serve)
		var failure error
		select {
		case failure = <-served:
			if failure == nil {
				return nil
			}
			m.fail(failure)
			<-m.stop.Done()
			served <- nil // it has returned
		case <-m.stop.Done():
		}

		ctx := breaker.ToContext(breaker.NopCloser(m.cut))
		drained := m.call(func() error { return drain(ctx) })
		var err, cutErr error
		select {
		case err = <-drained:
		case <-m.cut.Done():
			m.lost = true // drain may well return nil now
			cutErr = <-m.call(cut)
			err = <-drained
		}
		late := <-served
		if !isPanic(late) {
			late = nil // a server says here that it has been shut down
		}
		return join(failure, err, cutErr, late)
	}}, options)
}

// Readiness returns a part that calls set(true) once the other parts have been started, and
// set(false) before anything else happens in the shutdown. Then it waits for the delay, so that
// load balancers notice before servers stop accepting. The delay counts towards the grace period,
// and a cut ends it. It is skipped if every other part is done.
//
// Run doesn't wait for Readiness to end by itself. It ignores WithStage. Readiness panics if the
// name is empty, set or an option is nil, or the delay is negative.
func Readiness(name string, set func(ready bool), delay time.Duration, options ...PartOption) Part {
	switch {
	case set == nil:
		panic("breakerrun: Readiness: set is nil")
	case delay < 0:
		panic("breakerrun: Readiness: the delay is negative: " + delay.String())
	}
	p := newPart("Readiness", Part{name: name, reports: true, passive: true, run: func(m *member) error {
		if m.stop.Err() == nil {
			set(true)
			<-m.stop.Done()
		}
		set(false)
		pause := breaker.Multiplex(
			breaker.NopCloser(m.cut), breaker.NopCloser(m.group.idle), breaker.BreakByTimeout(delay))
		defer pause.Close()
		<-pause.Done()
		return nil
	}}, options)
	p.stage = first
	return p
}

func newPart(function string, p Part, options []PartOption) Part {
	if p.name == "" {
		panic("breakerrun: " + function + ": the name is empty")
	}
	apply(function, &p, options)
	return p
}
