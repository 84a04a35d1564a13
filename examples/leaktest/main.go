// Command leaktest shows what breakertest.VerifyNone reports in a test that leaves a breaker open.
//
//	go run ./examples/leaktest
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakertest"
)

func main() {
	t := new(fakeTest)
	done := make(chan struct{})
	go func() { // go test gives each test a goroutine, too
		defer close(done)
		breakertest.VerifyNone(t) // in a test, t is the *testing.T
		tidy()
		//lostclose:ignore it is what the test is to find
		forgetful()
		t.end()
	}()
	<-done
}

func tidy() {
	br := breaker.BreakByTimeout(time.Hour)
	defer br.Close()
}

func forgetful() *breaker.Breaker { return breaker.BreakByTimeout(time.Hour) }

// fakeTest is what VerifyNone needs of a *testing.T.
type fakeTest struct{ cleanups []func() }

func (*fakeTest) Helper()            {}
func (*fakeTest) Name() string       { return "TestForgetful" }
func (t *fakeTest) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (*fakeTest) Errorf(format string, args ...any) {
	report := fmt.Sprintf(format, args...)
	fmt.Println("the test fails, and the report names forgetful:", strings.Contains(report, "main.forgetful"))
}

func (t *fakeTest) end() {
	for _, f := range t.cleanups {
		f()
	}
}
