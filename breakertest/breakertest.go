package breakertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamilsk/breaker/internal/census"
)

// Everything is recorded from the start, because VerifyNone may be deferred and so come after the
// breakers are made.
func init() { census.KeepAll() }

// TestingT is what VerifyNone needs of a *testing.T, *testing.B or *testing.F.
type TestingT interface {
	Helper()
	Name() string
	Cleanup(func())
	Errorf(format string, args ...any)
}

// patience is how long VerifyNone waits for what is being closed on other goroutines.
const patience = time.Second

// VerifyNone fails the test if a breaker is open when the test has ended, and says where each was
// made. Call it anywhere in the test, deferred or not: it looks after the cleanups that were
// registered later than it.
//
// All breakers count, also those without a source and those that are garbage by then. A zero value
// counts if something has waited for it. What is closed on another goroutine gets a second.
//
// Not counted are breakers made by package initialization, or by TestMain: they belong to the
// process. Nor are those that were made on the goroutine of another top-level test. If some other
// goroutine made a breaker, its test is unknown: it counts, once. So don't use VerifyNone in tests
// that run in parallel and make breakers on goroutines of their own, nor in parallel subtests of
// one test.
func VerifyNone(t TestingT) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if left := await(t.Name()); len(left) > 0 {
			t.Errorf("breakertest: %s", report(left))
		}
	})
}

// await returns what is left open by the test when its time is up, or as soon as that is nothing.
func await(test string) (left []*census.Entry) {
	pause := time.Microsecond
	for waited := time.Duration(0); ; waited += pause {
		left = leftBy(test)
		if len(left) == 0 || waited >= patience {
			return left
		}
		pause = min(2*pause, patience/20)
		time.Sleep(pause)
	}
}

// leftBy returns the open breakers that the test has to answer for.
func leftBy(test string) (left []*census.Entry) {
	top, _, _ := strings.Cut(test, "/")
	for _, e := range census.Entries() {
		if o := originOf(e.Stack()); o.process || o.test != "" && o.test != top {
			continue
		}
		left = append(left, e)
	}
	return left
}

// report describes what is left, and forgets it: each breaker fails one test.
func report(left []*census.Entry) string {
	var text strings.Builder
	if len(left) == 1 {
		text.WriteString("a breaker is left open:")
	} else {
		fmt.Fprintf(&text, "%d breakers are left open:", len(left))
	}
	for _, e := range left {
		census.Forget(e)
		fmt.Fprintf(&text, "\n%s", e.Source())
		if br := e.Ref.Value(); br != nil {
			if at, ok := br.Deadline(); ok {
				fmt.Fprintf(&text, ", deadline %s", at.Format(time.RFC3339))
			}
		}
		for _, frame := range e.Stack()[1:] {
			fmt.Fprintf(&text, "\n\t%s\n\t\t%s:%d", frame.Function, frame.File, frame.Line)
		}
	}
	return text.String()
}
