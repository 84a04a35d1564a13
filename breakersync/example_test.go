package breakersync_test

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakersync"
)

func ExampleMutex() {
	var mu breakersync.Mutex
	mu.TryLock() // another goroutine holds it

	br := breaker.BreakByTimeoutCause(time.Millisecond, errors.New("the database is busy"))
	defer br.Close()

	if err := mu.Lock(br); err != nil {
		fmt.Println("not locked:", err)
		return
	}
	defer mu.Unlock()
	// Output: not locked: the database is busy
}

func ExampleCond() {
	var (
		mu    sync.Mutex
		cond  = breakersync.NewCond(&mu)
		ready bool
	)
	br := breaker.New()
	time.AfterFunc(time.Millisecond, func() { br.Trip(errors.New("the user has gone")) })

	mu.Lock()
	defer mu.Unlock()
	for !ready {
		if err := cond.Wait(br); err != nil {
			fmt.Println("not ready:", err)
			return
		}
	}
	// Output: not ready: the user has gone
}

func ExampleSemaphore() {
	places := breakersync.NewSemaphore(5)
	br := breaker.BreakByTimeout(time.Minute)
	defer br.Close()

	if err := places.Acquire(br, 3); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("taken:", places.Acquired(), "of", places.Capacity())
	places.Release(3)

	fmt.Println(places.Acquire(br, 6))
	// Output:
	// taken: 3 of 5
	// breakersync: more permits than the semaphore has
}

func ExampleWaitGroup() {
	var tasks breakersync.WaitGroup
	end := make(chan struct{})
	tasks.Go(func() { <-end })

	br := breaker.New()
	br.Trip(errors.New("no more time"))
	fmt.Println("with work left:", tasks.Wait(br))

	close(end)
	fmt.Println("done:", tasks.Wait(breaker.New()))
	// Output:
	// with work left: no more time
	// done: <nil>
}

func ExampleGroup() {
	br := breaker.BreakByTimeout(time.Minute)
	defer br.Close()

	group := breakersync.NewGroup(br)
	group.Go(func(br breaker.Interface) error { return breakersync.Sleep(br, time.Hour) })
	group.Go(func(breaker.Interface) error { return errors.New("the disk is full") })

	fmt.Println(group.Wait())
	// Output: the disk is full
}

func ExampleEvery() {
	br := breaker.New()
	n := 0
	for range breakersync.Every(br, time.Millisecond, 0.1) {
		if n++; n == 3 {
			br.Trip(errors.New("three are enough"))
		}
	}
	fmt.Println(n, br.Cause())
	// Output: 3 three are enough
}
