package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/retry"
)

func Example() {
	attempts := 0
	action := func(context.Context) error {
		if attempts++; attempts < 3 {
			return errors.New("connection refused")
		}
		return nil
	}

	err := retry.Retry(breaker.BreakByTimeout(time.Minute), action)
	fmt.Println(attempts, err)
	// Output: 3 <nil>
}

// The error says both why it has failed and why it wasn't tried again.
func ExampleRetry() {
	errRefused := errors.New("connection refused")
	budget := breaker.BreakByTimeoutCause(200*time.Millisecond, errors.New("the budget is spent"))

	err := retry.Retry(budget, func(context.Context) error { return errRefused })
	fmt.Println(err)
	fmt.Println(errors.Is(err, errRefused), errors.Is(err, budget.Cause()))
	// Output:
	// connection refused (interrupted: the budget is spent)
	// true true
}

func ExamplePermanent() {
	err := retry.Retry(breaker.BreakByTimeout(time.Minute), func(context.Context) error {
		return retry.Permanent(errors.New("no such user"))
	})
	fmt.Println(err)
	// Output: no such user
}

func ExampleLimit() {
	attempts := 0
	err := retry.Retry(breaker.New(), func(context.Context) error {
		attempts++
		return fmt.Errorf("attempt %d failed", attempts)
	}, retry.Limit(3), retry.Backoff(time.Millisecond, 2, time.Second, 0.5))
	fmt.Println(err)
	// Output: attempt 3 failed
}
