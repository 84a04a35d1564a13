package breakerredis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakerredis"
)

// with starts a server, and calls f with a client of it.
func with(f func(client *redis.Client)) {
	clustertest.Outside(func(t testing.TB) {
		e := start(t)
		client := dial(e.Addr, "")
		defer func() { _ = client.Close() }()
		f(client)
	})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// One node trips, another one stops, with the cause. A breaker that is made afterwards is tripped
// on return.
func ExampleNew() {
	with(func(client *redis.Client) {
		ctx := context.Background()
		jobs, err := breakercluster.Open(breakerredis.New(client, "jobs"), breakercluster.WithName("operator"))
		must(err)
		br, err := jobs.BreakByKey(ctx, "import.7") // on every node
		must(err)
		defer br.Close()
		fmt.Println("open:", br.Err() == nil)

		_, _, err = jobs.Trip(ctx, "import.7", errors.New("wrong file")) // on any node
		must(err)

		var tripped breakercluster.TripError
		if errors.As(br.Wait(), &tripped) {
			fmt.Printf("%s was stopped by %s: %s\n", tripped.Key, tripped.By, tripped.Text)
		}
		late, err := jobs.BreakByKey(ctx, "import.7")
		must(err)
		fmt.Println("late:", late.Err())
	})
	// Output:
	// open: true
	// import.7 was stopped by operator: wrong file
	// late: operation interrupted
}
