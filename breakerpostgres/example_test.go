package breakerpostgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakerpostgres"
)

// with starts a server, and calls f with a client of it.
func with(f func(pool *pgxpool.Pool)) {
	clustertest.Outside(func(t testing.TB) {
		e := start(t)
		pool, err := pgxpool.New(context.Background(), "postgres://admin@"+e.Addr+"/postgres")
		must(err)
		defer pool.Close()
		f(pool)
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
	with(func(pool *pgxpool.Pool) {
		ctx := context.Background()
		jobs, err := breakercluster.Open(breakerpostgres.New(pool, "jobs"), breakercluster.WithName("operator"))
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

// The table is created once, by a role that may.
func ExampleStore_CreateTable() {
	with(func(pool *pgxpool.Pool) {
		ctx := context.Background()
		store := breakerpostgres.New(pool, "stops")
		fmt.Println(store.CreateTable(ctx), store.CreateTable(ctx))

		stops, err := breakercluster.Open(store)
		must(err)
		_, set, err := stops.Lookup(ctx, "import.7")
		fmt.Println(set, err)
	})
	// Output:
	// <nil> <nil>
	// false <nil>
}
