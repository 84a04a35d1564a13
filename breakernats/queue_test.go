package breakernats_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

// Callbacks must not block. One that does holds up neither the watch nor the others.
func TestQueue_BlockedCallbacks(t *testing.T) {
	const many = 1000 // the channel of a watch holds 256
	s, nc := single(t)
	b, tripper := open(t, connect(t, s.ClientURL())), open(t, nc)
	release := make(chan struct{})
	var blocked, others []*breaker.Breaker
	for i := range 3 {
		br := breakBy(t, b, fmt.Sprint("blocked.", i))
		br.OnTrip(func() { <-release })
		blocked = append(blocked, br)
	}
	for i := range many {
		others = append(others, breakBy(t, b, fmt.Sprint("other.", i)))
	}

	for i, br := range blocked {
		cause := trip(t, tripper, fmt.Sprint("blocked.", i), "no more")
		await(t, br)
		assertTripped(t, br, cause)
	}
	for i, br := range others {
		cause := trip(t, tripper, fmt.Sprint("other.", i), "no more")
		await(t, br)
		assertTripped(t, br, cause)
	}
	for _, br := range blocked {
		assert.Equal(t, breaker.Tripped, br.State(), "its callbacks still run")
	}
	assertOpen(t, breakBy(t, b, "another"))
	close(release)
	for _, br := range blocked {
		awaitThat(t, func() bool { return br.State() == breaker.Closed }, "the end of the callbacks")
	}
}
