package main

import (
	"math"
	"strings"
	"testing"
)

// Two rounds of one job on two numbers of processors, a metric with a unit of its own, and a name
// with more than one part. The order of the implementations differs between the rounds.
const sample = `go: go1.26.8
cores: 2
commit: 0123456789ab
round: 1
goos: linux
goarch: amd64
pkg: github.com/kamilsk/breaker
cpu: Some CPU
BenchmarkP05OnTrip/impl=breaker-2         	 1000	        40.0 ns/op	      32 B/op	       1 allocs/op
BenchmarkP05OnTrip/impl=context-2         	 1000	       200 ns/op	     128 B/op	       2 allocs/op
BenchmarkP05OnTrip/impl=context           	 1000	       160 ns/op	     128 B/op	       2 allocs/op
BenchmarkP09Stall/impl=breaker-2          	    1	   5000000 ns/op	      1500 µs-stall
BenchmarkMergeMany/sources=16/impl=naive-2	   10	     12000 ns/op
round: 2
BenchmarkP05OnTrip/impl=context-2         	 1000	       400 ns/op	     128 B/op	       2 allocs/op
BenchmarkP05OnTrip/impl=breaker-2         	 1000	        60.0 ns/op	      32 B/op	       1 allocs/op
took: 12m3s
`

func parsed(t *testing.T) *measurements {
	t.Helper()
	m, err := parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParse(t *testing.T) {
	m := parsed(t)
	if m.rounds != 2 {
		t.Errorf("%d rounds", m.rounds)
	}
	for key, want := range map[string]string{"go": "go1.26.8", "cpu": "Some CPU", "commit": "0123456789ab", "took": "12m3s"} {
		if got := m.config[key]; got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	for _, c := range []struct {
		name, impl, unit string
		cpu, round       int
		want             float64
	}{
		{"P05OnTrip", "breaker", "ns/op", 2, 1, 40},
		{"P05OnTrip", "breaker", "ns/op", 2, 2, 60},
		{"P05OnTrip", "context", "ns/op", 2, 2, 400},
		{"P05OnTrip", "context", "ns/op", 1, 1, 160},
		{"P05OnTrip", "context", "allocs/op", 2, 1, 2},
		{"P09Stall", "breaker", "µs-stall", 2, 1, 1500},
		{"MergeMany/sources=16", "naive", "ns/op", 2, 1, 12000},
	} {
		if got := m.get(c.name, c.impl, c.unit, c.cpu)[c.round]; got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
	if s := m.get("P05OnTrip", "context", "ns/op", 4); s != nil {
		t.Errorf("found what wasn't measured: %v", s)
	}
}

func TestParseRefusesWhatIsBroken(t *testing.T) {
	for _, text := range []string{
		"round: one\nBenchmarkP05OnTrip/impl=breaker 1 40 ns/op\n",
		"BenchmarkP05OnTrip/impl=breaker 1 forty ns/op\n",
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("parsed %q", text)
		}
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	m := parsed(t)
	ours, std := m.get("P05OnTrip", "breaker", "ns/op", 2), m.get("P05OnTrip", "context", "ns/op", 2)
	// By hand: 40/200 = 0.2 and 60/400 = 0.15, so 0.175 in the middle. The ratio of the medians
	// would be 50/300 = 0.167.
	if got := ours.over(std).summary().median; math.Abs(got-0.175) > 1e-12 {
		t.Errorf("the median ratio is %v", got)
	}
	// Only the first round has both.
	if got := ours.over(m.get("P05OnTrip", "context", "ns/op", 1)); len(got) != 1 || got[1] != 0.25 {
		t.Errorf("with a round missing: %v", got)
	}
	if got := ours.over(series{1: 0}); len(got) != 0 {
		t.Errorf("over nothing: %v", got)
	}
}

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   summary
	}{
		{[]float64{7}, summary{1, 7, 7, 7}},
		{[]float64{4, 2}, summary{2, 2.5, 3, 3.5}},
		{[]float64{5, 1, 4, 2, 3}, summary{5, 2, 3, 4}},
		// By hand, of ten: the positions are 0.25 × 9 = 2.25, 4.5 and 6.75, counted from 0.
		{[]float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 1000}, summary{10, 32.5, 55, 77.5}},
	} {
		before := append([]float64(nil), c.values...)
		if got := summarize(c.values); got != c.want {
			t.Errorf("summarize(%v) = %v, want %v", c.values, got, c.want)
		}
		for i := range before {
			if c.values[i] != before[i] {
				t.Fatal("the values were sorted in place")
			}
		}
	}
	if got := summarize(nil); got.n != 0 || !math.IsNaN(got.median) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestSift(t *testing.T) {
	out := "goos: linux\ncpu: Some CPU\nBenchmarkP05OnTrip/impl=breaker-2 \t 1000 \t 40 ns/op\nsomething printed\nPASS\n"
	want := "goos: linux\ncpu: Some CPU\nBenchmarkP05OnTrip/impl=breaker-2 \t 1000 \t 40 ns/op\n"
	if got := string(sift([]byte(out))); got != want {
		t.Errorf("kept %q", got)
	}
	if got := sift([]byte("PASS\n")); got != nil {
		t.Errorf("of an implementation that isn't there: %q", got)
	}
}

func TestPattern(t *testing.T) {
	b := benchmark{name: "MergeMany/sources=16"}
	if got, want := b.pattern("naive"), "^BenchmarkMergeMany$/^sources=16$/^impl=naive$"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStepsKeepTogetherWhatIsCompared(t *testing.T) {
	got := make(map[string]int)
	for _, s := range steps([]benchmark{
		{name: "P04Merge", impls: pair, cpus: []int{1, 2}},
		{name: "P05OnTrip", impls: pair, cpus: []int{1, 8}},
		{name: "P06OnTripAmongMillion", impls: pair, cpus: []int{1, 2}},
	}) {
		var names []string
		for _, r := range s.runs {
			names = append(names, r.name[:3]+r.impl)
		}
		got[strings.Join(names, " ")]++
	}
	// P6 is compared with P5 on one processor; on two there is no P5.
	for want, n := range map[string]int{
		"P04breaker P04context":                       2,
		"P05breaker P05context P06breaker P06context": 1,
		"P05breaker P05context":                       1,
		"P06breaker P06context":                       1,
	} {
		if got[want] != n {
			t.Errorf("%d × %s; got %v", n, want, got)
		}
	}
}

func TestEveryJobIsPlanned(t *testing.T) {
	planned := make(map[string]bool)
	for _, b := range benchmarks() {
		if planned[b.name] {
			t.Errorf("%s is planned twice", b.name)
		}
		planned[b.name] = true
	}
	for _, j := range jobs {
		if !planned[j.name] {
			t.Errorf("%s isn't planned", j.name)
		}
		if shortNames[j.name+j.impl] == "" {
			t.Errorf("%s has no name in the chart", j.name)
		}
	}
	if !strings.HasPrefix(columns, "/impl@(context ") {
		t.Error("benchstat has to compare with package context")
	}
}
