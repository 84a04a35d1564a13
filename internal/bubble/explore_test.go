//go:build breaker_explore

package bubble_test

import (
	"testing"

	"github.com/kamilsk/breaker/internal/bubble"
	"github.com/kamilsk/breaker/internal/explore"
)

// The explorer repeats schedules, and the clock doesn't: what Clock remembers is hidden from it.
func TestExplore_ClockIsUnseen(t *testing.T) {
	got := explore.Explore(func(r *explore.Run) {
		for range 2 {
			r.Go(func() {
				bubble.Clock()
				bubble.Key(nil)
			})
		}
	}, explore.Options{})
	if got.Failure != nil || got.Threads != 2 || got.Steps != 0 {
		t.Errorf("an access is seen: %+v", got)
	}
}
