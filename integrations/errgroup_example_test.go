package integrations_test

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/kamilsk/breaker"
)

// The members hear of the trip by the group's context, and the group returns its cause.
func Example_errgroup() {
	br := breaker.New()
	defer br.Close()

	group, ctx := errgroup.WithContext(breaker.ToContext(br))
	for range 3 {
		group.Go(func() error {
			<-ctx.Done() // the work
			return context.Cause(ctx)
		})
	}
	br.Trip(errEnough)
	fmt.Println(group.Wait())
	// Output: enough
}
