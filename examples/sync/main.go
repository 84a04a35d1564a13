// Command sync gives up waiting for a lock, and stops a group of tasks at the first error.
//
//	go run ./examples/sync
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func main() {
	lock()
	group()
}

// lock waits for a mutex that is never unlocked. sync.Mutex would wait forever.
func lock() {
	var mu breakersync.Mutex
	_ = mu.Lock(breaker.New()) // it is free, so this doesn't wait

	br := breaker.BreakByTimeoutCause(50*time.Millisecond, errors.New("gave up after 50ms"))
	defer br.Close()
	fmt.Println("lock:", mu.Lock(br))
}

// group runs two tasks. One fails. The other, which would sleep for an hour, stops.
func group() {
	tasks := breakersync.NewGroup(breaker.New())
	tasks.Go(func(br breaker.Interface) error {
		err := breakersync.Sleep(br, time.Hour)
		fmt.Println("sleeper:", err)
		return err
	})
	tasks.Go(func(breaker.Interface) error { return errors.New("disk full") })
	fmt.Println("group:", tasks.Wait())
}
