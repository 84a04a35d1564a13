package integrations_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kamilsk/retry/v5"
	"github.com/kamilsk/retry/v5/strategy"

	"github.com/kamilsk/breaker"
)

// The library was made for breakers: it takes one as it is.
func Example_retry() {
	br := breaker.New()
	defer br.Close()

	tries := 0
	err := retry.Do(br, func(context.Context) error {
		if tries++; tries == 3 {
			br.Trip(errors.New("the budget is spent"))
		}
		return errors.New("connection refused")
	}, strategy.Limit(5))

	fmt.Printf("%d tries: %v, because: %v\n", tries, err, br.Cause())
	// Output: 3 tries: operation interrupted, because: the budget is spent
}

// Where the action passes its context on, give it one that tells the cause and costs no goroutine.
func Example_retryWithContext() {
	br := breaker.New()
	defer br.Close()

	err := retry.Do(breaker.ToContext(br), func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		br.Trip(errors.New("the budget is spent"))
		<-ctx.Done()
		fmt.Println("the action:", context.Cause(ctx))
		return ctx.Err()
	}, strategy.Limit(1))

	fmt.Println("the loop:", err)
	// Output:
	// the action: the budget is spent
	// the loop: context canceled
}
