package clustertest

import (
	"fmt"
	"os"
	"testing"
)

// Outside calls f with a testing.TB outside of a test, for example in an Example. Functions that f
// registers by Cleanup are called when f has returned or panicked. A failure panics.
func Outside(f func(t testing.TB)) {
	t := new(outside)
	defer t.end()
	f(t)
}

// outside implements the methods that servers need. Others panic, because the embedded TB is nil.
type outside struct {
	testing.TB
	ends   []func()
	failed bool
}

// end calls the registered functions, the last one first. If one panics, the others still run.
func (t *outside) end() {
	for _, end := range t.ends {
		defer end()
	}
}

func (*outside) Name() string         { return "outside" }
func (*outside) Helper()              {}
func (t *outside) Failed() bool       { return t.failed }
func (t *outside) Cleanup(end func()) { t.ends = append(t.ends, end) }
func (t *outside) Error(args ...any)  { t.Fatal(args...) }
func (t *outside) Log(args ...any)    { fmt.Fprintln(os.Stderr, args...) }
func (t *outside) Fatal(args ...any)  { t.failed = true; panic(fmt.Sprintln(args...)) }
func (t *outside) TempDir() (d string) {
	d, err := os.MkdirTemp("", "outside")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(d) })
	return d
}

func (t *outside) Logf(format string, args ...any)   { t.Log(fmt.Sprintf(format, args...)) }
func (t *outside) Errorf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }
func (t *outside) Fatalf(format string, args ...any) { t.Fatal(fmt.Sprintf(format, args...)) }
