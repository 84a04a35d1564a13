package main

import "fmt"

// A job is a row of the first table.
type job struct {
	id, text, std string
	name          string // of the benchmark
	impl          string // ours
	base          string // what it is compared with, if that isn't package context
	unit          string
	parallel      bool

	target float64 // the ratio to package context, or 0
	allocs float64 // at most, or -1

	// What is compared with something else than package context: with another job of ours, or with
	// a size.
	other      string
	limit      float64
	sufficient float64 // a size that is still acceptable
}

// The jobs, and what was set as a goal before the library was written.
var jobs = []job{
	{id: "P1", text: "new, close", std: "`WithCancel`, cancel", name: "P01NewClose", impl: "breaker", unit: "ns/op", target: 0.45, allocs: -1},
	{id: "P1", text: "embedded zero value: close", std: "`WithCancel`, cancel", name: "P01NewClose", impl: "embedded", unit: "ns/op", target: 0.15, allocs: 0},
	{id: "P2", text: "timeout, Done, close", std: "`WithTimeout`, Done, cancel", name: "P02Timeout", impl: "breaker", unit: "ns/op", target: 0.45, allocs: 2},
	{id: "P3", text: "request: a shared parent and a timeout, Done, close", std: "`WithTimeout(parent)`, Done, cancel", name: "P03Request", impl: "breaker", unit: "ns/op", parallel: true, target: 0.50, allocs: 3},
	{id: "P4", text: "merge: a request's context, a parent of the process, a timeout; Done, close", std: "`WithTimeout(request)`, `AfterFunc(process)`, Done, cancel", name: "P04Merge", impl: "breaker", unit: "ns/op", parallel: true, target: 0.65, allocs: -1},
	{id: "P5", text: "register a callback with one hot parent, stop it", std: "`AfterFunc`, stop", name: "P05OnTrip", impl: "breaker", unit: "ns/op", parallel: true, target: 0.20, allocs: -1},
	{id: "P6", text: "the same among 1,000,000 live registrations", std: "`AfterFunc`, stop", name: "P06OnTripAmongMillion", impl: "breaker", unit: "ns/op", parallel: true, other: "P05OnTrip", limit: 1.5, allocs: -1},
	{id: "P7", text: "handler: a timeout and a signal that others hold, Done, close", std: "`NotifyContext`, `WithTimeout`, Done, cancel, stop", name: "P07Handler", impl: "breaker", unit: "ns/op", parallel: true, target: 0.20, allocs: -1},
	{id: "P3", text: "the same by `Within`", std: "", name: "P03RequestWithin", impl: "breaker", unit: "ns/op", parallel: true, target: 0.45, allocs: 2},
	{id: "P4", text: "the same by `Within`", std: "", name: "P04MergeWithin", impl: "breaker", unit: "ns/op", parallel: true, target: 0.85, allocs: -1},
	{id: "P7", text: "the same by `Within`", std: "", name: "P07HandlerWithin", impl: "breaker", unit: "ns/op", parallel: true, target: 0.18, allocs: -1},
	{id: "P8", text: "trip a parent of 1,000,000 that have a Done, for each", std: "cancel", name: "P08FanOut", impl: "breaker", unit: "ns/child", target: 0.35, allocs: -1},
	{id: "P9", text: "longest wait to derive from that parent while it trips", std: "`WithCancel(parent)`", name: "P09Stall", impl: "breaker", unit: "µs-stall", target: 0.02, allocs: -1},
	{id: "P10", text: "Err, open", std: "Err", name: "P10ErrOpen", impl: "breaker", unit: "ns/op", target: 0.80, allocs: -1},
	{id: "P11", text: "Err, tripped", std: "Err", name: "P11ErrTripped", impl: "breaker", unit: "ns/op", parallel: true, target: 0.10, allocs: -1},
	{id: "P12", text: "trip a chain of 1,000,000 at its top", std: "cancel", name: "P12Chain", impl: "breaker", unit: "ns/op", target: 0.08, allocs: -1},
	{id: "P13", text: "heap for each of 100,000 live timeouts", std: "`WithTimeout`", name: "P13HeapOfTimeout", impl: "breaker", unit: "B/live", target: 0.80, allocs: -1},
	{id: "P14", text: "heap kept after 1,000,000 children came and went", std: "`WithCancel(parent)`", name: "P14HeapAfterBurst", impl: "breaker", unit: "B/kept", limit: 1e6, sufficient: 16e6, allocs: -1},
	{id: "P15", text: "`Touch` an idle timeout", std: "`Timer.Reset`", name: "P15Touch", impl: "breaker", base: "timer", unit: "ns/op", target: 0.10, allocs: -1},
	{id: "P16", text: "a request over loopback with a limit, HTTP/1.1", std: "`WithTimeout` in the handler", name: "P16Request/http=1", impl: "breaker", unit: "ns/op", target: 1.00, allocs: -1},
	{id: "P16", text: "the same, HTTP/2", std: "", name: "P16Request/http=2", impl: "breaker", unit: "ns/op", target: 1.00, allocs: -1},
	{id: "P17", text: "stop with 10,000 requests in flight: until the last Done is closed", std: "cancel", name: "P17Shutdown", impl: "breaker", unit: "µs-done", target: 0.20, allocs: -1},
	{id: "P17", text: "meanwhile, the longest stall of a new request", std: "`WithTimeout`", name: "P17Shutdown", impl: "breaker", unit: "µs-stall", target: 0.20, allocs: -1},
}

// A verdict is how a job stands to its target.
type verdict string

const (
	met     verdict = "met"
	enough  verdict = "acceptable"
	missed  verdict = "**missed**"
	unknown verdict = "–"
)

// goal returns the target in words.
func (j job) goal() string {
	var text string
	switch {
	case j.other != "" && j.limit > 0:
		text = fmt.Sprintf("≤ %.1f × P5", j.limit)
	case j.limit > 0:
		text = fmt.Sprintf("≤ %s, %s acceptable", quantity(j.limit, j.unit), quantity(j.sufficient, j.unit))
	default:
		text = fmt.Sprintf("≤ %.2f", j.target)
	}
	if j.allocs >= 0 {
		text += fmt.Sprintf(", %g allocs", j.allocs)
	}
	return text
}

// baseline returns the implementation that ours is compared with.
func (j job) baseline() string {
	if j.base != "" {
		return j.base
	}
	return "context"
}

// judge compares medians with the target.
func (j job) judge(m *measurements, cpu int) verdict {
	ours := m.get(j.name, j.impl, j.unit, cpu)
	allocs := m.get(j.name, j.impl, "allocs/op", cpu)
	if len(ours) == 0 || j.allocs >= 0 && len(allocs) == 0 {
		return unknown
	}
	if j.allocs >= 0 && allocs.summary().median > j.allocs {
		return missed
	}
	var figure, limit float64
	switch {
	case j.other != "":
		ratio := ours.over(m.get(j.other, j.impl, j.unit, cpu))
		if len(ratio) == 0 {
			return unknown
		}
		figure, limit = ratio.summary().median, j.limit
	case j.limit > 0:
		figure, limit = ours.summary().median, j.limit
	default:
		ratio := ours.over(m.get(j.name, j.baseline(), j.unit, cpu))
		if len(ratio) == 0 {
			return unknown
		}
		figure, limit = ratio.summary().median, j.target
	}
	switch {
	case figure <= limit:
		return met
	case figure <= j.sufficient:
		return enough
	default:
		return missed
	}
}
