// Command quickstart waits for the first of several reasons to stop, and says which one it was.
//
//	go run ./examples/quickstart           # the timeout
//	go run ./examples/quickstart -for 1m   # press Ctrl-C
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

func main() {
	limit := flag.Duration("for", 300*time.Millisecond, "how long to work")
	flag.Parse()

	br := breaker.Multiplex(
		breaker.BreakByTimeout(*limit),
		breaker.BreakBySignal(os.Interrupt),
	)
	defer br.Close()

	// A callback runs once, at the trip. stop takes it back. If it is too late for that,
	// AwaitClosed until the callback has returned.
	stop := br.OnTrip(func() { fmt.Println("callback: tripped") })
	defer func() {
		if !stop() {
			br.AwaitClosed()
		}
	}()

	steps := 0
	for ; br.Err() == nil; steps++ { // a loop asks between two steps
		work(breaker.ToContext(br)) // a call gets a context
	}

	var signaled breaker.SignalError
	switch cause := br.Cause(); {
	case errors.As(cause, &signaled):
		fmt.Println("main: stopped by", signaled.Signal)
	case errors.Is(cause, context.DeadlineExceeded):
		fmt.Println("main: timed out")
	}
	fmt.Println("main: did some steps:", steps > 0)
}

// work stands for any call that takes a context.
func work(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}
