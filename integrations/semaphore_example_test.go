package integrations_test

import (
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/kamilsk/breaker"
)

// Wait for a place, but not for ever.
func Example_semaphore() {
	places := semaphore.NewWeighted(5)
	places.TryAcquire(1) // another caller has one

	br := breaker.BreakByTimeout(time.Millisecond)
	defer br.Close()

	err := places.Acquire(breaker.ToContext(br), 5)
	fmt.Printf("%v, because: %v\n", err, br.Cause())
	// Output: context deadline exceeded, because: breaker: timed out
}
