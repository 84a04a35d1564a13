package breakertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamilsk/breaker/internal/census"
)

// Recording begins at program start, because a deferred VerifyNone runs after the breakers are
// made.
func init() { census.KeepAll() }

// TestingT is what VerifyNone needs of a *testing.T, *testing.B or *testing.F.
type TestingT interface {
	Helper()
	Name() string
	Cleanup(func())
	Errorf(format string, args ...any)
}

// patience is how long VerifyNone waits for breakers that are being closed on other goroutines.
const patience = time.Second

// VerifyNone fails the test if a breaker is open when the test has ended, and says where each was
// made. Call it anywhere in the test, deferred or not. It checks after the cleanups that were
// registered later than the call.
//
// All breakers count, even those without a source and those that are garbage by then. A zero value
// counts if something has waited for it. If another goroutine is still closing a breaker,
// VerifyNone waits up to a second.
//
// Breakers made by package initialization or by TestMain don't count: they belong to the process.
// Neither do those made on the goroutine of another top-level test. If a breaker was made on any
// other goroutine, its test is unknown, and it counts once. So don't use VerifyNone in parallel
// tests that make breakers on goroutines of their own, or in parallel subtests of one test.
func VerifyNone(t TestingT) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if left := await(t.Name()); len(left) > 0 {
			t.Errorf("breakertest: %s", report(left))
		}
	})
}

// await returns the breakers that the test has left open once patience is over, or none as soon as
// all are closed.
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

// leftBy returns the open breakers that count for the test.
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
