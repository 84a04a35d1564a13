package main

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// measurements are what a file of results says.
type measurements struct {
	config map[string]string
	rounds int
	series map[seriesKey]series
}

// A seriesKey says what was measured. The name is without "Benchmark", the implementation and the
// processors.
type seriesKey struct {
	name, impl, unit string
	cpu              int
}

// A series is one value for each round.
type series map[int]float64

// parse reads results in the format of the testing package. A file without rounds counts as one
// round.
func parse(raw []byte) (*measurements, error) {
	m := &measurements{config: make(map[string]string), series: make(map[seriesKey]series)}
	// What stands behind the last result isn't part of any.
	if took := tookLine.FindSubmatch(raw); took != nil {
		m.config["took"] = string(took[1])
	}
	in := benchfmt.NewReader(bytes.NewReader(raw), "results.txt")
	for in.Scan() {
		switch record := in.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			if err := m.add(record); err != nil {
				return nil, err
			}
		}
	}
	return m, in.Err()
}

var tookLine = regexp.MustCompile(`(?m)^took: (.*)$`)

func (m *measurements) add(result *benchfmt.Result) error {
	for _, c := range result.Config {
		m.config[c.Key] = string(c.Value)
	}
	round := 1
	if text := result.GetConfig("round"); text != "" {
		var err error
		if round, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("round: %w", err)
		}
	}
	m.rounds = max(m.rounds, round)
	base, parts := result.Name.Parts()
	key := seriesKey{name: string(base), cpu: 1}
	for _, part := range parts {
		text := string(part)
		if impl, ok := strings.CutPrefix(text, "/impl="); ok {
			key.impl = impl
		} else if cpus, ok := strings.CutPrefix(text, "-"); ok {
			var err error
			if key.cpu, err = strconv.Atoi(cpus); err != nil {
				return fmt.Errorf("%s: processors: %w", result.Name, err)
			}
		} else {
			key.name += text
		}
	}
	for _, v := range result.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" {
			value, unit = v.OrigValue, v.OrigUnit
		}
		key.unit = unit
		if m.series[key] == nil {
			m.series[key] = make(series)
		}
		m.series[key][round] = value
	}
	return nil
}

// get returns a series, or nil if that wasn't measured.
func (m *measurements) get(name, impl, unit string, cpu int) series {
	return m.series[seriesKey{name: name, impl: impl, unit: unit, cpu: cpu}]
}

// summary returns what is said about a series.
func (s series) summary() summary {
	values := make([]float64, 0, len(s))
	for _, v := range s {
		values = append(values, v)
	}
	return summarize(values)
}

// over divides each round's value by the other series' value in that round. The median of these
// ratios is compared, not the ratio of the medians: what slows down a whole round then doesn't
// count.
func (s series) over(other series) series {
	ratios := make(series)
	for round, v := range s {
		if by, ok := other[round]; ok && by > 0 {
			ratios[round] = v / by
		}
	}
	return ratios
}

// A summary is a median and the quartiles around it: half of the runs lie between them.
type summary struct {
	n                    int
	lower, median, upper float64
}

func summarize(values []float64) summary {
	values = slices.Clone(values)
	slices.Sort(values)
	return summary{len(values), quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)}
}

// quantile interpolates linearly between the neighbors; of nothing it is NaN.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := share * float64(len(sorted)-1)
	below := int(at)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	part := at - float64(below)
	return sorted[below]*(1-part) + sorted[below+1]*part
}
