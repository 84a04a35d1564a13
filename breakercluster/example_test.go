package breakercluster_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
)

// One node trips, another one stops, with the cause.
func ExampleBucket_BreakByKey() {
	ctx := context.Background()
	store := clustertest.NewMemory("jobs") // in a test; a real one reaches other machines
	worker, err := breakercluster.Open(store)
	if err != nil {
		panic(err)
	}
	br, err := worker.BreakByKey(ctx, "import.7")
	if err != nil {
		panic(err)
	}
	defer br.Close()

	operator, err := breakercluster.Open(store, breakercluster.WithName("operator"))
	if err != nil {
		panic(err)
	}
	_, won, err := operator.Trip(ctx, "import.7", errors.New("wrong file"))
	fmt.Println(won, err)

	<-br.Done()
	fmt.Println(br.Cause())
	// Output:
	// true <nil>
	// jobs/import.7 tripped by operator: wrong file
}
