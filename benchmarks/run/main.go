// Run measures package breaker beside package context and other ways to do its jobs, and writes
// what it found: BENCHMARKS.md, the charts, and under benchmarks/ the raw results and the tables of
// benchstat.
//
//	cd benchmarks && go run ./run
//
// With -quick it does everything once, but for what takes seconds by itself, and writes to a
// temporary directory: a check that all of it works. With -from it measures nothing and writes the
// report of results that exist.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	log.SetFlags(0)
	var o options
	flag.IntVar(&o.runs, "runs", 10, "how often each benchmark runs")
	flag.DurationVar(&o.benchtime, "benchtime", 100*time.Millisecond, "how long a run of a short job takes")
	flag.StringVar(&o.out, "out", "..", "the directory to write to: the library's")
	flag.StringVar(&o.only, "only", "", "measure the benchmarks whose name matches this regular expression")
	flag.StringVar(&o.from, "from", "", "measure nothing: report these results")
	flag.BoolVar(&o.quick, "quick", false, "check that everything works, and write to a temporary directory")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	}
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

type options struct {
	runs      int
	benchtime time.Duration
	out       string
	only      string
	from      string
	quick     bool
}

func run(o options) error {
	if o.quick {
		o.runs, o.benchtime = 1, time.Millisecond
		dir, err := os.MkdirTemp("", "breaker-benchmarks-")
		if err != nil {
			return err
		}
		o.out = dir
	}
	if o.runs < 1 {
		return fmt.Errorf("-runs %d: at least one run is needed", o.runs)
	}
	files := filepath.Join(o.out, "benchmarks")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	results := filepath.Join(files, "results.txt")
	if o.from != "" {
		raw, err := os.ReadFile(o.from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(results, raw, 0o644); err != nil {
			return err
		}
	} else if err := measure(o, results); err != nil {
		return err
	}
	raw, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	r, err := parse(raw)
	if err != nil {
		return err
	}
	if err := compare(results, filepath.Join(files, "benchstat.txt")); err != nil {
		return err
	}
	if err := draw(r, filepath.Join(o.out, "docs", "charts")); err != nil {
		return err
	}
	if err := write(r, filepath.Join(o.out, "BENCHMARKS.md")); err != nil {
		return err
	}
	if o.quick {
		fmt.Fprintf(os.Stderr, "written to %s; the figures are meaningless\n", o.out)
	}
	return nil
}

// columns is the order in which benchstat shows the implementations. The first is what it compares
// the others with.
const columns = "/impl@(context breaker embedded floor afterfunc errgroup conc oklog-run naive)"

// compare prints and writes the tables of benchstat. What has different columns gets a table of its
// own.
func compare(results, to string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, filter := range []string{".name:/^P/", ".name:/^Merge/", ".name:/^(Registrations|Live|Latency)/"} {
		var out, problems bytes.Buffer
		cmd := exec.Command("go", "tool", "benchstat", "-ignore", "round", "-row", ".fullname@alpha", "-col", columns, "-filter", filter, results)
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("benchstat: %w\n%s", err, problems.Bytes())
		}
		if _, err := io.Copy(io.MultiWriter(os.Stdout, f), &out); err != nil {
			return err
		}
	}
	return f.Close()
}
