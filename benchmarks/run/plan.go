package main

import (
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A binary is one of the two test binaries.
type binary int

const (
	library binary = iota // the jobs P1 to P14
	nested                // what needs other modules, much memory, or a histogram
)

// A benchmark is one job: its implementations run one after the other, each in a process of its
// own.
type benchmark struct {
	binary binary
	// As -bench takes it, without the implementation: slash-separated, each part complete.
	name  string
	impls []string
	cpus  []int
	time  string // for -benchtime; empty means the one of the command line
	heavy bool   // takes seconds by itself, so -quick leaves it out
}

// A step is what runs without anything else in between: a job on so many processors.
type step struct {
	cpu  int
	runs []one
}

// One is a benchmark's implementation.
type one struct {
	benchmark
	impl string
}

// steps cuts the plan into what can be shuffled. A job that is compared with another one of ours
// shares its steps.
func steps(plan []benchmark) []step {
	beside := make(map[string]string)
	for _, j := range jobs {
		if j.other != "" {
			beside[j.name] = j.other
		}
	}
	type place struct {
		name string
		cpu  int
	}
	var all []step
	at := make(map[place]int)
	for _, b := range plan {
		for _, cpu := range b.cpus {
			i, shared := at[place{beside[b.name], cpu}]
			if !shared {
				i = len(all)
				at[place{b.name, cpu}] = i
				all = append(all, step{cpu: cpu})
			}
			for _, impl := range b.impls {
				all[i].runs = append(all[i].runs, one{b, impl})
			}
		}
	}
	return all
}

// The jobs take any of these; one that isn't there is skipped by the test binary.
var implementations = []string{"breaker", "embedded", "context", "floor"}

var pair = []string{"breaker", "context"}

// benchmarks returns the plan. What is parallel runs on 1, 2 and 4 processors, and on 8 if there is
// a chart of it; what isn't runs on as many as the machine has.
func benchmarks() []benchmark {
	var (
		whole    = []int{runtime.NumCPU()}
		single   = []int{1}
		parallel = []int{1, 2, 4}
		charted  = []int{1, 2, 4, 8}
	)
	plan := []benchmark{
		{library, "P01NewClose", implementations, whole, "", false},
		{library, "P02Timeout", implementations, whole, "", false},
		{library, "P03Request", implementations, charted, "", false},
		{library, "P04Merge", implementations, parallel, "", false},
		{library, "P05OnTrip", implementations, charted, "", false},
		// A number of operations instead of a time, because each attempt at finding the number
		// would register a million.
		{library, "P06OnTripAmongMillion", implementations, parallel, "1000000x", true},
		{library, "P07Handler", implementations, charted, "", false},
		{library, "P08FanOut", implementations, whole, "1x", true},
		{library, "P09Stall", implementations, whole, "1x", true},
		{library, "P10ErrOpen", implementations, whole, "", false},
		{library, "P11ErrTripped", implementations, charted, "", false},
		{library, "P12Chain", implementations, whole, "1x", true},
		{library, "P13HeapOfTimeout", implementations, whole, "1x", false},
		{library, "P14HeapAfterBurst", implementations, whole, "1x", true},
		{library, "P03RequestWithin", pair, parallel, "", false},
		{library, "P04MergeWithin", pair, parallel, "", false},
		{library, "P07HandlerWithin", pair, parallel, "", false},
		{library, "P15Touch", []string{"breaker", "timer", "context", "floor"}, whole, "", false},
		{nested, "P16Request/http=1", implementations, whole, "", false},
		{nested, "P16Request/http=2", implementations, whole, "", false},
		{nested, "P17Shutdown", pair, whole, "20x", false},

		{nested, "MergeRelease", []string{"breaker", "context", "afterfunc", "naive"}, parallel, "", false},
		{nested, "MergeFirst", []string{"breaker", "context", "afterfunc", "naive", "errgroup", "conc", "oklog-run"}, whole, "", false},
	}
	for _, sources := range mergedSources {
		plan = append(plan, benchmark{nested, "MergeMany/sources=" + strconv.Itoa(sources), []string{"breaker", "context", "naive"}, whole, "", false})
	}
	for _, w := range waits {
		var impls []string
		for _, way := range w.ways {
			impls = append(impls, way.name)
		}
		plan = append(plan, benchmark{nested, w.name, impls, whole, w.time, w.time != ""})
	}
	for _, live := range registrations {
		plan = append(plan, benchmark{nested, "Registrations/live=" + strconv.Itoa(live), pair, single, "", live >= 100_000})
	}
	for _, job := range liveJobs {
		plan = append(plan, benchmark{nested, "Live/job=" + job.name, []string{"breaker", "context", "naive"}, whole, "1x", job.name != "timeout"})
	}
	for _, op := range latencyOps {
		for _, on := range latencyConditions {
			plan = append(plan, benchmark{nested, "Latency/op=" + op.name + "/on=" + on.name, pair, whole, "1x", on.name == "trip" || op.name == "request"})
		}
	}
	return plan
}

// A wait is what package breakersync does, beside what else does it.
type wait struct {
	name, text string
	base       string // what the ratio is taken to
	ways       []named
	time       string
}

var (
	syncs       = named{"sync", "package sync: nothing interrupts"}
	xsync       = named{"xsync", "`x/sync/semaphore`, a context"}
	channel     = named{"channel", "a channel and `select`"}
	breakerSync = named{"breaker", "`breakersync`"}

	waits = []wait{
		{"SyncMutex", "Lock and unlock a Mutex, nobody else wants it.", "sync", []named{syncs, breakerSync, channel}, ""},
		{"SyncRWMutex", "Lock and unlock a RWMutex for reading, nobody else wants it.", "sync", []named{syncs, breakerSync}, ""},
		{"SyncSemaphore", "Acquire and release a Semaphore, there is room.", "xsync", []named{xsync, breakerSync, channel}, ""},
		{"SyncInterrupt", "10,000 goroutines wait for a Semaphore; one trip, or one cancel, until the last has returned.", "xsync", []named{xsync, breakerSync, channel}, "5x"},
		{"SyncInterruptLock", "The same with a Mutex.", "channel", []named{channel, breakerSync}, "5x"},
		{"SyncSleep", "A sleep of one nanosecond that could be interrupted.", "channel", []named{channel, breakerSync}, ""},
		{"SyncGroup", "Ten tasks in a Group, four at a time, which do nothing.", "errgroup", []named{{"errgroup", "`x/sync/errgroup`"}, breakerSync}, ""},
	}
)

// What the names of the nested benchmarks say.
var (
	mergedSources = []int{2, 16, 128}
	registrations = []int{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000}
)

type named struct{ name, text string }

var (
	liveJobs = []named{
		{"plain", "nothing but Done"},
		{"timeout", "a timeout"},
		{"request", "a shared parent and a timeout"},
		{"handler", "a timeout and a signal"},
	}
	latencyOps = []named{
		{"register", "register a callback, stop it"},
		{"request", "watch a shared parent and a timeout; Done, close"},
	}
	latencyConditions = []named{
		{"alone", "alone"},
		{"gc", "under GC pressure"},
		{"trip", "while the parent trips 1,000,000"},
	}
)

// pattern returns what -bench has to be for one implementation.
func (b benchmark) pattern(impl string) string {
	parts := strings.Split("Benchmark"+b.name+"/impl="+impl, "/")
	for i, part := range parts {
		parts[i] = "^" + part + "$"
	}
	return strings.Join(parts, "/")
}

// benchtime returns what -benchtime has to be.
func (b benchmark) benchtime(usual time.Duration) string {
	if b.time != "" {
		return b.time
	}
	return usual.String()
}
