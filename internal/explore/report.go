package explore

import (
	"strings"
	"testing"
	"time"
)

// Report logs how far a search came that began then. If it has found something, Report ends the
// test, and says how to repeat the schedule. The package is that of the test, as go test takes it.
func (r Result) Report(t testing.TB, pkg string, begun time.Time) {
	t.Helper()
	if f := r.Failure; f != nil {
		t.Fatalf("violation on schedule number %d: %s\n%s\nreplay: BREAKER_SCHEDULE=%s go test -tags breaker_explore -v -run '^%s$' %s",
			f.Number, f.Message, strings.Join(f.Trace, "\n"), f.Schedule, strings.ReplaceAll(t.Name(), "/", "$/^"), pkg)
	}
	state := "complete"
	if !r.Complete {
		state = "not complete"
	}
	t.Logf("%d threads, %d schedules of up to %d steps, %s; %d redundant; %v",
		r.Threads, r.Schedules, r.Steps, state, r.Redundant, time.Since(begun).Round(time.Millisecond))
}

// Report logs a schedule that was replayed, and fails the test if something went wrong on it.
func (f Failure) Report(t testing.TB) {
	t.Helper()
	t.Logf("schedule %s\n%s", f.Schedule, strings.Join(f.Trace, "\n"))
	if f.Message != "" {
		t.Error(f.Message)
	}
}
