package breakercluster_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
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

// A request ends with its own limit or with the key, and leaves the key's breaker to others.
func ExampleBucket_BreakByKey_request() {
	ctx := context.Background()
	jobs, err := breakercluster.Open(clustertest.NewMemory("jobs"), breakercluster.WithPrefix("import"))
	if err != nil {
		panic(err)
	}
	stop, err := jobs.BreakByKey(ctx, "7") // the key import.7
	if err != nil {
		panic(err)
	}
	defer stop.Close()

	request := breaker.Within(ctx, time.Millisecond, stop)
	defer request.Close()
	fmt.Println(request.Wait())
	fmt.Println("the key's breaker is", stop.State())
	// Output:
	// breaker: timed out
	// the key's breaker is open
}
