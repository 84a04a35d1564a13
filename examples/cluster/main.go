// Command cluster stops a job on three nodes by one trip. The nodes share a store in memory; with
// etcd, NATS, PostgreSQL or Redis they run on different machines, and nothing else changes.
//
//	go run ./examples/cluster
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
)

func main() {
	ctx := context.Background()
	store := clustertest.NewMemory("jobs")

	var nodes sync.WaitGroup
	for i := range 3 {
		node, err := breakercluster.Open(store, breakercluster.WithName(fmt.Sprint("node-", i)))
		if err != nil {
			log.Fatal(err)
		}
		stop, err := node.BreakByKey(ctx, "import.7")
		if err != nil {
			log.Fatal(err)
		}
		nodes.Go(func() {
			defer stop.Close()
			fmt.Printf("node-%d: %v\n", i, stop.Wait())
		})
	}

	operator, err := breakercluster.Open(store, breakercluster.WithName("operator"))
	if err != nil {
		log.Fatal(err)
	}
	if _, _, err := operator.Trip(ctx, "import.7", errors.New("wrong file")); err != nil {
		log.Fatal(err)
	}
	nodes.Wait()

	// A node that comes too late is tripped on return.
	late, err := operator.BreakByKey(ctx, "import.7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("late:", late.Err() != nil)
	late.Close()
}
