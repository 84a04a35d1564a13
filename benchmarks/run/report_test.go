package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{1.9, "ns/op", "1.9 ns"},
		{40, "ns/op", "40 ns"},
		{115.7, "ns/child", "116 ns"},
		{999.6, "ns/op", "1 µs"},
		{2345, "ns/op", "2.35 µs"},
		{1.1e9, "ns/op", "1.1 s"},
		{265_000, "µs-stall", "265 ms"},
		{8_400, "p99.9-ns", "8.4 µs"},
		{241.3, "B/live", "241 B"},
		{-0.33, "B", "0 B"},
		{56_123_456, "B/kept", "56.1 MB"},
		{math.NaN(), "ns/op", "–"},
	} {
		if got := quantity(c.value, c.unit); got != c.want {
			t.Errorf("quantity(%v, %q) = %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

func TestRatioCountSpread(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ratio(series{1: 0.4567}), "0.46"},
		{ratio(series{1: 0.01234}), "0.012"},
		{ratio(series{1: 0.0000351}), "0.000035"},
		{ratio(series{1: 0}), "0.00"},
		{ratio(series{1: 12.3}), "12"},
		{ratio(nil), "–"},
		{count(series{1: 100_000}), "100,000"},
		{count(nil), "–"},
		{thousands(1_234_567), "1,234,567"},
		{thousands(-123), "-123"},
		{thousands(999), "999"},
		{spread(series{1: 100, 2: 200, 3: 400}, "ns/op"), "200 ns (150–300)"},
		{spread(series{1: 900, 2: 1100}, "ns/op"), "1 µs (950 ns–1.05 µs)"},
		{spread(series{1: 100, 2: 100.1}, "ns/op"), "100 ns"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestPulse_Judge(t *testing.T) {
	m := &measurements{config: map[string]string{}, series: map[seriesKey]series{}}
	set := func(name, impl, unit string, v float64) {
		m.series[seriesKey{name: name, impl: impl, unit: unit, cpu: 2}] = series{1: v}
	}
	share := job{name: "A", impl: "breaker", unit: "ns/op", target: 0.5, allocs: 2}
	if got := share.judge(m, 2); got != unknown {
		t.Errorf("of nothing: %s", got)
	}
	set("A", "context", "ns/op", 100)
	set("A", "breaker", "ns/op", 50)
	set("A", "breaker", "allocs/op", 2)
	if got := share.judge(m, 2); got != met {
		t.Errorf("half of the time, two allocations: %s", got)
	}
	set("A", "breaker", "allocs/op", 3)
	if got := share.judge(m, 2); got != missed {
		t.Errorf("an allocation too many: %s", got)
	}
	set("A", "breaker", "allocs/op", 1)
	set("A", "breaker", "ns/op", 51)
	if got := share.judge(m, 2); got != missed {
		t.Errorf("too slow: %s", got)
	}

	other := job{name: "B", impl: "breaker", unit: "ns/op", other: "A", limit: 1.5, allocs: -1}
	set("B", "breaker", "ns/op", 76)
	if got := other.judge(m, 2); got != met {
		t.Errorf("76 is less than 1.5 × 51: %s", got)
	}
	set("B", "breaker", "ns/op", 77)
	if got := other.judge(m, 2); got != missed {
		t.Errorf("77 is more than 1.5 × 51: %s", got)
	}

	size := job{name: "C", impl: "breaker", unit: "B/kept", limit: 1e6, sufficient: 16e6, allocs: -1}
	for bytes, want := range map[float64]verdict{1e6: met, 16e6: enough, 17e6: missed} {
		set("C", "breaker", "B/kept", bytes)
		if got := size.judge(m, 2); got != want {
			t.Errorf("%g bytes: %s, want %s", bytes, got, want)
		}
	}
}

// The report and the charts have to cope with whatever is missing.
func TestReportOfFewResults(t *testing.T) {
	for name, text := range map[string]string{"some": sample, "nothing": "cores: 2\n"} {
		t.Run(name, func(t *testing.T) {
			m, err := parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := draw(m, dir); err != nil {
				t.Fatal(err)
			}
			for _, chart := range []string{"jobs", "registrations", "gomaxprocs", "live"} {
				svg, err := os.ReadFile(filepath.Join(dir, chart+".svg"))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(svg), "NaN") {
					t.Errorf("%s has coordinates that aren't numbers", chart)
				}
			}
			var page strings.Builder
			if err := report.Execute(&page, newPage(m, "## Last\n")); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(page.String(), "\n\n## Last\n") {
				t.Error("the analysis isn't at the end")
			}
		})
	}
}

func TestReportSaysWhatWasMeasured(t *testing.T) {
	var page strings.Builder
	if err := report.Execute(&page, newPage(parsed(t), "")); err != nil {
		t.Fatal(err)
	}
	// By hand: medians 300 and 50, ratios 0.2 and 0.15, more than 0.20 in neither round.
	want := "| 2 | 300 ns (250–350) | 50 ns (45–55) | 0.17 |  | met | 2 → 1 |  |"
	if !strings.Contains(page.String(), want) {
		t.Errorf("%s\nlacks %s", page.String(), want)
	}
}
