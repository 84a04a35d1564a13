package semaphore_test

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/semaphore"
)

func Example() {
	semaphore.SetCapacity(7)

	err := semaphore.Acquire(breaker.BreakByTimeout(time.Minute), 5)
	fmt.Println("five:", err)
	defer semaphore.Release(5)

	err = semaphore.Acquire(breaker.BreakByTimeoutCause(time.Millisecond, fmt.Errorf("all are busy")), 5)
	fmt.Println("five more:", err)
	// Output:
	// five: <nil>
	// five more: all are busy
}

// A breaker that you go on to use is passed in NopCloser.
func ExampleSemaphore_Acquire() {
	uploads := semaphore.New(1)
	request := breaker.BreakByTimeout(time.Minute)
	defer request.Close()

	err := uploads.Acquire(breaker.NopCloser(request), 1)
	fmt.Println(err, request.State())
	uploads.Release(1)
	// Output: <nil> open
}
