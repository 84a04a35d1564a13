package explore

import (
	"fmt"
	"runtime/debug"
)

// Options bounds the search. The zero value searches everything, with reduction.
type Options struct {
	// Schedules ends the search after so many. Zero is no bound.
	Schedules int
	// Steps is how long a schedule may be: a longer one is a failure, because it doesn't seem to
	// end. Zero means 5,000.
	Steps int
	// Every runs every schedule, equivalent or not.
	Every bool
	// Preemptions, unless zero, bounds the preemptions of a schedule; it implies Every.
	Preemptions int
}

// Result says how far the search came.
type Result struct {
	Schedules int // run to the end, each of them different
	Redundant int // of those begun, found to be equivalent to an earlier one
	Steps     int // of all schedules, the longest
	Threads   int // the most in any schedule
	Complete  bool
	Failure   *Failure // the first, which ended the search; or nil
}

// Failure is a schedule on which something went wrong.
type Failure struct {
	Number   int    // of the schedule, from 1
	Schedule string // for Replay
	Message  string
	Trace    []string // a line for each step
}

// Run is a program being run on one schedule. Its methods are for the program's setup and threads.
type Run struct {
	program func(*Run)
	options Options

	threads []*thread // the first started of them are in use
	started int
	current *thread
	next    *thread // takes over when current yields; nil at the end
	phase   runPhase

	// What has happened: depth events, each with the choice that was made before it. Choices
	// outlast a schedule: those up to the last one with an alternative are made again in the next.
	events  []event
	choices []choice
	depth   int
	fresh   int  // the first event that the schedule before didn't have
	asleep  bool // this schedule is redundant
	replay  []uint8
	led     bool
	lead    []byte // what is left of it

	plains  []plain
	settled int // so many of them have been looked at

	failure string
	atEnd   []func()
	always  []func()
	names   []named
	traced  bool
	trace   []string
	labels  []string
}

type runPhase uint8

const (
	settingUp runPhase = iota
	starting           // each thread runs to its first access
	running
	ended
	aborting // threads that can't or needn't end are unwound
)

// active is the run whose threads are going on, or nil. While it is set, no other goroutine may
// call this package.
var active *Run

// Active reports whether the caller is a thread. During a search, only threads may ask.
func Active() bool { return active != nil }

// Explore runs the program on every schedule, until the bound or a failure ends that.
func Explore(program func(*Run), o Options) (result Result) {
	if o.Steps == 0 {
		o.Steps = 5000
	}
	o.Every = o.Every || o.Preemptions > 0
	r := &Run{program: program, options: o}
	defer r.stop()
	for number := 1; ; number++ {
		r.once()
		result.Steps = max(result.Steps, r.depth)
		result.Threads = max(result.Threads, r.started)
		if r.failure != "" {
			result.Failure = &Failure{Number: number, Schedule: r.schedule(), Message: r.failure}
			result.Failure.Trace = Replay(program, result.Failure.Schedule).Trace
			return result
		}
		if r.asleep {
			result.Redundant++
		} else {
			result.Schedules++
		}
		if !r.backtrack() {
			result.Complete = true
			return result
		}
		if o.Schedules > 0 && number >= o.Schedules {
			return result
		}
	}
}

// Replay runs the program on one schedule, as printed. Where that ends before the program, threads
// go on in turn. The message is empty if nothing goes wrong.
func Replay(program func(*Run), schedule string) Failure {
	choices, err := parse(schedule)
	if err != nil {
		return Failure{Schedule: schedule, Message: err.Error()}
	}
	r := &Run{program: program, options: Options{Steps: 5000, Every: true}, replay: choices, traced: true}
	defer r.stop()
	r.once()
	return Failure{Number: 1, Schedule: r.schedule(), Message: r.failure, Trace: r.trace}
}

// Lead runs the program on the one schedule that the bytes lead to: each decides, where several
// threads can go on, which one does. Any bytes are a schedule, which is what a fuzzer needs. The
// message is empty if nothing goes wrong.
func Lead(program func(*Run), lead []byte) Failure {
	r := &Run{program: program, options: Options{Steps: 5000, Every: true}, replay: []uint8{}, led: true, lead: lead}
	defer r.stop()
	r.once()
	failure := Failure{Number: 1, Schedule: r.schedule(), Message: r.failure}
	if failure.Message != "" {
		failure.Trace = Replay(program, failure.Schedule).Trace
	}
	return failure
}

// once runs one schedule.
func (r *Run) once() {
	r.phase, r.started, r.depth, r.asleep, r.failure = settingUp, 0, 0, false, ""
	r.atEnd, r.always, r.names, r.trace = r.atEnd[:0], r.always[:0], r.names[:0], r.trace[:0]
	r.plains, r.settled = r.plains[:0], 0
	r.guard(func() { r.program(r) })

	active, r.phase = r, starting
	for i := 0; i < r.started; i++ {
		r.resume(r.threads[i])
		r.settlePlains(&r.threads[i].clock)
	}
	r.phase = running
	for t := r.decide(); t != nil; t = r.next {
		r.resume(t)
	}
	active, r.phase = nil, ended

	if r.failure == "" {
		r.guard(func() {
			for i := 0; i < len(r.atEnd); i++ {
				r.atEnd[i]()
			}
		})
	}
	r.abort()
}

// guard turns a panic of the program's into a failure.
func (r *Run) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			if p != unwinding {
				r.Failf("panic: %v\n%s", p, debug.Stack())
			}
		}
	}()
	f()
}

// Failf says that the schedule is one on which something goes wrong. The first to say so ends the
// search.
func (r *Run) Failf(format string, args ...any) {
	if r.failure == "" && r.phase != aborting {
		r.failure = fmt.Sprintf(format, args...)
	}
}

// AtEnd registers a check that runs when all threads have ended. What a check registers runs after
// all others.
func (r *Run) AtEnd(check func()) { r.atEnd = append(r.atEnd, check) }

// Always registers a check that runs before each step. It should depend on one object only.
func (r *Run) Always(check func()) { r.always = append(r.always, check) }
