// Command retry repeats an action that fails at first, then one that never succeeds.
//
//	go run ./examples/retry
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/retry"
)

var errBusy = errors.New("the server is busy")

func main() {
	attempts := 0
	err := retry.Retry(breaker.BreakByTimeout(time.Minute), func(context.Context) error {
		if attempts++; attempts < 3 {
			return errBusy
		}
		return nil
	}, retry.Backoff(time.Millisecond, 2, time.Second, 0.5))
	fmt.Println("attempts:", attempts, "error:", err)

	// The error says both why the action failed and why the retries ended.
	err = retry.Retry(breaker.BreakByTimeout(50*time.Millisecond), func(context.Context) error {
		return errBusy
	}, retry.Backoff(time.Millisecond, 2, time.Second, 0.5))
	fmt.Println("busy:", errors.Is(err, errBusy), "timed out:", errors.Is(err, context.DeadlineExceeded))
}
