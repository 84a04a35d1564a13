package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// measure runs the plan and writes what the benchmarks print, in their own format. What a machine
// does besides changes from minute to minute, so a round runs everything once, in an order of its
// own, with the implementations of a job side by side; ratios are taken within a round.
func measure(o options, to string) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	var plan []benchmark
	for _, b := range benchmarks() {
		if o.quick && b.heavy || !only.MatchString(b.name) {
			continue
		}
		plan = append(plan, b)
	}
	if len(plan) == 0 {
		return fmt.Errorf("-only %q matches no benchmark", o.only)
	}

	dir, err := os.MkdirTemp("", "breaker-binaries-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sources := map[binary]string{library: "..", nested: "."}
	binaries := map[binary]string{library: filepath.Join(dir, "library.test"), nested: filepath.Join(dir, "nested.test")}
	for b, path := range binaries {
		cmd := exec.Command("go", "test", "-c", "-o", path, ".")
		cmd.Dir = sources[b]
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building the benchmarks in %s: %w\n%s", sources[b], err, out)
		}
	}

	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	// These lines are in the format of the results, so a reader of those knows what they are of.
	fmt.Fprintf(f, "go: %s\ncores: %d\ncommit: %s\ndate: %s\nbenchtime: %v\n",
		runtime.Version(), runtime.NumCPU(), commit(), time.Now().UTC().Format(time.DateOnly), o.benchtime)
	began := time.Now()
	for round := range o.runs {
		fmt.Fprintf(f, "round: %d\n", round+1)
		all := steps(plan)
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			rand.Shuffle(len(s.runs), func(i, j int) { s.runs[i], s.runs[j] = s.runs[j], s.runs[i] })
			for _, r := range s.runs {
				out, err := execute(binaries[r.binary], sources[r.binary],
					"-test.run", "^$", "-test.bench", r.pattern(r.impl), "-test.cpu", strconv.Itoa(s.cpu),
					"-test.count", "1", "-test.benchtime", r.benchtime(o.benchtime), "-test.timeout", "5m")
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.name, r.impl, err)
				}
				if _, err := f.Write(out); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done after %v\n", round+1, o.runs, time.Since(began).Round(time.Second))
	}
	fmt.Fprintf(f, "took: %v\n", time.Since(began).Round(time.Second))
	return f.Close()
}

// execute runs a test binary and returns the lines that are results or describe the machine.
func execute(path, dir string, args ...string) ([]byte, error) {
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s%s", err, out.Bytes(), problems.Bytes())
	}
	return sift(out.Bytes()), nil
}

// sift drops what isn't in the format of the results: PASS, and what a test might print.
func sift(out []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(out) {
		if resultLine.Match(line) {
			kept = append(kept, line...)
		}
	}
	if !bytes.Contains(kept, []byte("\nBenchmark")) {
		return nil // the implementation isn't there
	}
	return kept
}

var resultLine = regexp.MustCompile(`^(Benchmark\S+\s+\d+\s|(goos|goarch|pkg|cpu): )`)

// commit returns the library's, and says if there is more to it.
func commit() string {
	out, err := exec.Command("git", "-C", "..", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	// What the measuring itself writes doesn't change the library.
	changed, err := exec.Command("git", "-C", "..", "status", "--porcelain", "--", "*.go", "go.mod", "go.sum").Output()
	if err != nil || len(changed) > 0 {
		id += ", with changes"
	}
	return id
}
