package main

import (
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"
)

var (
	//go:embed report.md.tmpl
	reportText string
	report     = template.Must(template.New("report").Parse(reportText))
)

// write makes the report. What a person has to say about the figures comes from a file, and
// survives.
func write(m *measurements, to string) error {
	analysis, err := os.ReadFile("analysis.md")
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := report.Execute(f, newPage(m, string(analysis))); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(to), err)
	}
	return f.Close()
}

// A page is what the template shows. Everything in it is text.
type page struct {
	Machine, Cores, Go, Commit, Date string
	Runs                             int
	Benchtime, Took                  string
	Jobs                             [][]string
	Tally                            string
	Merges, Waits                    []merge
	Registrations, Live, Latency     [][]string
	Analysis                         string
}

type merge struct {
	Text string
	Rows [][]string
}

func newPage(m *measurements, analysis string) page {
	cores := m.cores()
	p := page{
		Machine:   m.config["cpu"] + ", " + m.config["goos"] + "/" + m.config["goarch"],
		Cores:     strconv.Itoa(cores),
		Go:        m.config["go"],
		Commit:    m.config["commit"],
		Date:      m.config["date"],
		Benchtime: m.config["benchtime"],
		Took:      m.config["took"],
		Runs:      m.rounds,
		Analysis:  strings.TrimSpace(analysis),
	}

	tally := make(map[verdict]int)
	for _, j := range jobs {
		cpus := []int{cores}
		if j.parallel {
			cpus = []int{1, 2, 4}
		}
		for i, cpu := range cpus {
			v := j.judge(m, cpu)
			tally[v]++
			ours := m.get(j.name, j.impl, j.unit, cpu)
			std := m.get(j.name, j.baseline(), j.unit, cpu)
			id, text, instead, goal := j.id, j.text, j.std, j.goal()
			if i > 0 {
				id, text, instead, goal = "", "", "", ""
			}
			share := ratio(ours.over(std))
			if own := m.get(j.other, j.impl, j.unit, cpu); len(own) > 0 {
				share += ", " + ratio(ours.over(own)) + " × P5"
			}
			var allocs, distance string
			if s := m.get(j.name, j.impl, "allocs/op", cpu); len(s) > 0 {
				allocs = count(m.get(j.name, "context", "allocs/op", cpu)) + " → " + count(s)
			}
			if floor := m.get(j.name, "floor", j.unit, cpu); len(floor) > 0 && j.impl == "breaker" {
				distance = fmt.Sprintf("%s × %s", ratio(ours.over(floor)), quantity(floor.summary().median, j.unit))
			}
			p.Jobs = append(p.Jobs, []string{
				id, text, instead, procs(j.parallel, cpu, cores), spread(std, j.unit), spread(ours, j.unit),
				share, goal, string(v), allocs, distance,
			})
		}
	}
	p.Tally = fmt.Sprintf("%d targets met, %d acceptable, %d missed", tally[met], tally[enough], tally[missed])
	if n := tally[unknown]; n > 0 {
		p.Tally += fmt.Sprintf(", %d not measured", n)
	}

	ways := []named{
		{"context", "`context`"},
		{"breaker", "`breaker`"},
		{"afterfunc", "`context.AfterFunc` merge"},
		{"naive", "a goroutine for each source"},
		{"errgroup", "`x/sync/errgroup`"},
		{"conc", "`sourcegraph/conc`"},
		{"oklog-run", "`oklog/run`"},
	}
	compare := func(text, name, base string, cpus []int, ways []named) (t merge) {
		t.Text = text
		for _, way := range ways {
			for _, cpu := range cpus {
				s := m.get(name, way.name, "ns/op", cpu)
				if len(s) == 0 {
					continue
				}
				t.Rows = append(t.Rows, []string{
					way.text, procs(len(cpus) > 1, cpu, cores), spread(s, "ns/op"),
					ratio(s.over(m.get(name, base, "ns/op", cpu))),
					count(m.get(name, way.name, "allocs/op", cpu)),
				})
			}
		}
		return t
	}
	table := func(text, name string, cpus []int, ways []named) {
		p.Merges = append(p.Merges, compare(text, name, "context", cpus, ways))
	}
	table("A parent that all share and a timeout; Done, release. Nothing has happened meanwhile.", "MergeRelease", []int{1, 2, 4}, ways)
	table("Make a parent, wait for the first of it and a timeout while the parent ends, release.", "MergeFirst", []int{cores}, ways)
	for _, n := range mergedSources {
		ways := []named{{"context", "`context.AfterFunc` for each"}, ways[1], ways[3]}
		table(fmt.Sprintf("%d parents that live longer; Done, release.", n), "MergeMany/sources="+strconv.Itoa(n), []int{cores}, ways)
	}

	for _, w := range waits {
		p.Waits = append(p.Waits, compare(w.text, w.name, w.base, []int{cores}, w.ways))
	}

	for _, n := range registrations {
		name := "Registrations/live=" + strconv.Itoa(n)
		std, ours := m.get(name, "context", "ns/op", 1), m.get(name, "breaker", "ns/op", 1)
		p.Registrations = append(p.Registrations, []string{thousands(n), spread(std, "ns/op"), spread(ours, "ns/op"), ratio(ours.over(std))})
	}
	for _, j := range liveJobs {
		for _, way := range []named{ways[0], ways[1], ways[3]} {
			get := func(unit string) series { return m.get("Live/job="+j.name, way.name, unit, cores) }
			p.Live = append(p.Live, []string{
				j.text, way.text, spread(get("heap-B/live"), "B"), spread(get("stack-B/live"), "B"), count(get("goroutines")),
			})
		}
	}
	for _, op := range latencyOps {
		for _, on := range latencyConditions {
			name := "Latency/op=" + op.name + "/on=" + on.name
			std := m.get(name, "context", "p99.9-ns", cores)
			for _, way := range ways[:2] {
				get := func(unit string) series { return m.get(name, way.name, unit, cores) }
				row := []string{op.text, on.text, way.text}
				for _, unit := range []string{"p50-ns", "p99-ns"} {
					row = append(row, quantity(get(unit).summary().median, unit))
				}
				row = append(row, spread(get("p99.9-ns"), "p99.9-ns"), quantity(get("max-ns").summary().median, "max-ns"), ratio(get("p99.9-ns").over(std)))
				p.Latency = append(p.Latency, row)
			}
		}
	}
	return p
}

// cores returns how many the machine has that the results are from.
func (m *measurements) cores() int {
	if n, err := strconv.Atoi(m.config["cores"]); err == nil {
		return n
	}
	return runtime.NumCPU()
}

// procs says on how many processors something ran, if it matters.
func procs(parallel bool, cpu, cores int) string {
	switch {
	case !parallel:
		return ""
	case cpu > cores:
		return fmt.Sprintf("%d, oversubscribed", cpu)
	default:
		return strconv.Itoa(cpu)
	}
}

// spread returns the median of a series with its quartiles.
func spread(s series, unit string) string {
	of := s.summary()
	lower, median, upper := quantity(of.lower, unit), quantity(of.median, unit), quantity(of.upper, unit)
	if lower == median && median == upper {
		return median
	}
	// A unit that is the same for all three is written once.
	if _, u, _ := strings.Cut(median, " "); strings.HasSuffix(lower, " "+u) && strings.HasSuffix(upper, " "+u) {
		lower, upper = strings.TrimSuffix(lower, " "+u), strings.TrimSuffix(upper, " "+u)
	}
	return fmt.Sprintf("%s (%s–%s)", median, lower, upper)
}

// ratio returns the median of ratios.
func ratio(s series) string {
	r := s.summary().median
	switch {
	case math.IsNaN(r):
		return "–"
	case r > 0 && r < 0.0995: // two digits, however many zeros that takes
		return strconv.FormatFloat(r, 'f', 1-int(math.Floor(math.Log10(r))), 64)
	case r < 9.95:
		return strconv.FormatFloat(r, 'f', 2, 64)
	default:
		return strconv.FormatFloat(r, 'f', 0, 64)
	}
}

// count returns the median of what is counted.
func count(s series) string {
	v := s.summary().median
	if math.IsNaN(v) {
		return "–"
	}
	return thousands(int(math.Round(v)))
}

// quantity returns a value with three digits, and the unit that fits it. The unit is what the
// benchmark says.
func quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "–"
	}
	if strings.Contains(unit, "B") {
		return scaled(v, []scale{{1, "B"}, {1e3, "KB"}, {1e6, "MB"}, {1e9, "GB"}})
	}
	if strings.HasPrefix(unit, "µs") {
		v *= 1e3
	}
	return scaled(v, []scale{{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}})
}

type scale struct {
	factor float64
	unit   string
}

func scaled(v float64, scales []scale) string {
	s := scales[0]
	for _, next := range scales[1:] {
		// What would be rounded to 1000 goes on to the next unit.
		if math.Abs(v) < 0.9995*next.factor {
			break
		}
		s = next
	}
	v /= s.factor
	decimals := 0
	switch a := math.Abs(v); {
	case s.unit == "B": // there are no parts of a byte
		v = math.Round(v) + 0 // not -0
	case a < 9.995:
		decimals = 2
	case a < 99.95:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + s.unit
}

// thousands writes a number as people do.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
