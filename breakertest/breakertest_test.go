package breakertest_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakertest"
)

// scenario is the variable that lets the tests of this file that leave breakers open run, in a
// process of their own.
const scenario = "BREAKERTEST_SCENARIO"

// run runs one of the scenarios, and returns what go test prints.
func run(t *testing.T, name string) (out string, passed bool) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	command.Env = append(os.Environ(), scenario+"=1")
	var both bytes.Buffer
	command.Stdout, command.Stderr = &both, &both
	err := command.Run()
	return both.String(), err == nil
}

// scenarios are tests, by name, and what they have to print.
var scenarios = map[string]struct {
	body   func(t *testing.T)
	prints []string // in this order
}{
	"First": {
		body: func(t *testing.T) {
			breakertest.VerifyNone(t)
			leave()
		},
		prints: []string{"a breaker is left open:", "breaker.BreakByTimeout, deadline ", "breakertest_test.leave", "breakertest_test.go:"},
	},
	"Deferred": {
		body: func(t *testing.T) {
			defer breakertest.VerifyNone(t)
			leave()
		},
		prints: []string{"a breaker is left open:", "breaker.BreakByTimeout"},
	},
	"Subtest": {
		body: func(t *testing.T) {
			t.Run("sub", func(t *testing.T) {
				breakertest.VerifyNone(t)
				leave()
			})
			t.Run("next", func(t *testing.T) { breakertest.VerifyNone(t) })
		},
		prints: []string{"a breaker is left open:", "/sub (", "PASS: ", "/next ("},
	},
	"Several": {
		body: func(t *testing.T) {
			breakertest.VerifyNone(t)
			leave()
			done := make(chan struct{})
			go func() {
				defer close(done)
				breaker.Multiplex(breaker.New(), breaker.NopCloser(process))
			}()
			<-done
		},
		prints: []string{"3 breakers are left open:", "breaker.BreakByTimeout", "breaker.New", "breaker.Multiplex"},
	},
	"Garbage": {
		body: func(t *testing.T) {
			breakertest.VerifyNone(t)
			breaker.New()
			for range 3 {
				runtime.GC() // lets the cleanups run that would remove it
			}
		},
		prints: []string{"a breaker is left open:", "breaker.New"},
	},
	"Bubble": {
		body: func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				breakertest.VerifyNone(t)
				leave()
			})
		},
		prints: []string{"a breaker is left open:", "breaker.BreakByTimeout"},
	},
}

// renamed is another top-level test.
type renamed struct{ *testing.T }

func (renamed) Name() string { return "TestSomethingElse" }

//go:noinline
func leave() { breaker.BreakByTimeout(time.Hour) }

// TestBreakertest_Scenario runs in a process of its own: it leaves breakers open.
func TestBreakertest_Scenario(t *testing.T) {
	if os.Getenv(scenario) == "" {
		breakertest.VerifyNone(t) // as any other
		return
	}
	for name, s := range scenarios {
		t.Run(name, s.body)
	}
	t.Run("AnotherTest", func(t *testing.T) {
		leave()
		breakertest.VerifyNone(renamed{t})
	})
}

// It isn't the fault of a test what others have left.
func TestVerifyNone_PassesWhatAnotherTestLeavesOpen(t *testing.T) {
	out, passed := run(t, "TestBreakertest_Scenario$/^AnotherTest")
	require.Contains(t, out, "PASS: TestBreakertest_Scenario/AnotherTest", "it has run")
	assert.True(t, passed, out)
}

func TestVerifyNone_FailsTheTestThatLeavesABreakerOpen(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			out, passed := run(t, "TestBreakertest_Scenario$/^"+name)
			require.Contains(t, out, "TestBreakertest_Scenario/"+name, "it has run")
			assert.False(t, passed, out)
			rest := out
			for _, text := range s.prints {
				_, after, found := strings.Cut(rest, text)
				require.True(t, found, "%q is missing, or comes too early, in:\n%s", text, out)
				rest = after
			}
		})
	}
}

// A breaker that is closed doesn't count, however late: by a cleanup, by a goroutine, by its own
// timeout.
func TestVerifyNone_PassesWhatIsClosed(t *testing.T) {
	for name, body := range map[string]func(t *testing.T){
		"at once":       func(*testing.T) { breaker.BreakByTimeout(time.Hour).Close() },
		"by a cleanup":  func(t *testing.T) { t.Cleanup(breaker.BreakByTimeout(time.Hour).Close) },
		"by itself":     func(*testing.T) { breaker.BreakByTimeout(time.Millisecond) },
		"on return":     func(*testing.T) { breaker.BreakByTimeout(0) },
		"by its parent": func(t *testing.T) { parent := breaker.New(); breaker.Any(parent); parent.Close() },
		"by a goroutine": func(t *testing.T) {
			br := breaker.New()
			t.Cleanup(func() { go br.Close() })
		},
		"in a bubble": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				breakertest.VerifyNone(t)
				br := breaker.BreakByTimeout(time.Hour)
				<-br.Done()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			breakertest.VerifyNone(t)
			body(t)
		})
	}
}

func TestVerifyNone_Concurrently(t *testing.T) {
	for range 1000 {
		t.Run("", func(t *testing.T) {
			breakertest.VerifyNone(t)
			parent := breaker.New()
			for range 4 {
				go func() {
					br := breaker.Multiplex(breaker.NopCloser(parent), breaker.BreakByTimeout(time.Hour))
					<-br.Done()
				}()
			}
			t.Cleanup(parent.Close)
		})
	}
}

// printer is a test, as far as VerifyNone goes.
type printer struct{ cleanups []func() }

func (*printer) Helper()            {}
func (*printer) Name() string       { return "ExampleVerifyNone" }
func (p *printer) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }
func (*printer) Errorf(format string, args ...any) {
	fmt.Println(firstLines(fmt.Sprintf(format, args...)))
}

func firstLines(text string) string {
	lines := strings.SplitN(text, "\n", 3)
	return lines[0] + "\n" + lines[1]
}

func ExampleVerifyNone() {
	t := &printer{} // in a test: its *testing.T
	breakertest.VerifyNone(t)
	br := breaker.New()
	for _, f := range t.cleanups {
		f()
	}
	br.Close()
	// Output:
	// breakertest: a breaker is left open:
	// breaker.New
}
