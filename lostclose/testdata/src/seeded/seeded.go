// Package seeded has one mistake of each sort.
package seeded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

var errBusy = errors.New("busy")

func busy() bool { return false }

func discardedByAStatement(ctx context.Context, ch chan struct{}, at time.Time) {
	breaker.BreakByChannel(ch)                                                        // want `the breaker made by breaker.BreakByChannel is discarded, so nobody can close it`
	breaker.BreakByContext(ctx, nil)                                                  // want `made by breaker.BreakByContext is discarded`
	breaker.BreakByDeadline(at)                                                       // want `made by breaker.BreakByDeadline is discarded`
	breaker.BreakBySignal(os.Interrupt)                                               // want `made by breaker.BreakBySignal is discarded`
	breaker.BreakByTimeout(time.Hour)                                                 // want `made by breaker.BreakByTimeout is discarded`
	breaker.Multiplex(breaker.New())                                                  // want `made by breaker.Multiplex is discarded`
	breaker.MultiplexTwo(breaker.New(), breaker.New())                                // want `made by breaker.MultiplexTwo is discarded`
	breaker.MultiplexThree(breaker.New(), breaker.New(), breaker.BreakByDeadline(at)) // want `made by breaker.MultiplexThree is discarded`
	breaker.WithContext(ctx)                                                          // want `made by breaker.WithContext is discarded`
}

func discardedByABlank(ctx context.Context) context.Context {
	_ = breaker.BreakByTimeout(time.Hour)       // want `made by breaker.BreakByTimeout is discarded`
	var _ = (breaker.BreakByTimeout(time.Hour)) // want `made by breaker.BreakByTimeout is discarded`
	_, derived := breaker.WithContext(ctx)      // want `made by breaker.WithContext is discarded`
	return derived
}

func onlyWatched() (<-chan struct{}, context.Context, error) {
	ctx := breaker.ToContext(breaker.BreakByTimeout(time.Hour))    // want `made by breaker.BreakByTimeout is only watched`
	view := breaker.NopCloser(breaker.BreakBySignal(os.Interrupt)) // want `made by breaker.BreakBySignal is only watched`
	err := breaker.BreakByTimeout(time.Hour).Err()                 // want `made by breaker.BreakByTimeout is only watched`
	view.Close()                                                   // does nothing
	return breaker.BreakByTimeout(time.Hour).Done(), ctx, err      // want `made by breaker.BreakByTimeout is only watched`
}

func onlyWatchedInACall() *breaker.Breaker {
	return breaker.Multiplex(
		breaker.NopCloser(breaker.BreakByTimeout(time.Hour)), // want `made by breaker.BreakByTimeout is only watched`
		breaker.BreakByTimeout(time.Minute),
	)
}

func asATimer(values chan int) int {
	select {
	case <-breaker.BreakByTimeout(time.Hour).Done(): // want `made by breaker.BreakByTimeout is not closed on every path: the return on line 57 leaves it behind`
		return 0
	case value := <-values:
		return value // lost
	}
}

func neverClosed() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 67 leaves it behind`
	stop := br.OnTrip(func() {})
	defer stop()
	fmt.Println(br.Err(), br.Cause(), br.State(), br.IsReleased(), br.String())
	_ = br
} // lost

func earlyReturn() error {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 72 leaves it behind`
	if busy() {
		return errBusy // lost
	}
	defer br.Close()
	return nil
}

func earlyReturnBeforeAClosure() error {
	var br = breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 81 leaves it behind`
	if busy() {
		return errBusy // lost
	}
	defer func() { br.Close() }()
	return nil
}

func closedInOneBranch() {
	br := breaker.BreakBySignal(os.Interrupt) // want `br is not closed on every path: the end of the function on line 94 leaves it behind`
	if busy() {
		br.Close()
	} else {
		<-time.After(time.Second)
	}
} // lost

func closedInOneCase(n int) {
	br := breaker.BreakBySignal(os.Interrupt) // want `br is not closed on every path: the end of the function on line 104 leaves it behind`
	switch n {
	case 1:
		br.Close()
	case 2:
		br.Trip(errBusy)
	}
} // lost

func viewsPassNothingOn(ctx context.Context) context.Context {
	br := breaker.BreakByContext(ctx, nil) // want `br is not closed on every path: the return on line 110 leaves it behind`
	both := breaker.Multiplex(breaker.NopCloser(br), breaker.BreakByTimeout(time.Hour))
	defer both.Close()
	return breaker.ToContext(br) // lost
}

func waitsForSomethingElse(values chan int) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 120 leaves it behind`
	for {
		select {
		case <-br.Done():
			return
		case <-values:
			return // lost
		}
	}
}

func doesNotWait() bool {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 131 leaves it behind`
	select {
	case <-br.Done():
		return true
	default:
		return false // lost
	}
}

func hasNotTripped() error {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 140 leaves it behind`
	if err := br.Err(); err != nil {
		return err
	}
	return nil // lost
}

func mayHaveTripped() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 147 leaves it behind`
	for br.Err() == nil && !busy() {
	}
} // lost

func everyIteration(n int) {
	for range n {
		br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the loop makes another one`
		if busy() {
			continue
		}
		br.Close()
	}
}

func overwritten() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: line 162 overwrites it`
	if busy() {
		br = breaker.BreakBySignal(os.Interrupt) // lost
	}
	br.Close()
}

func overwrittenByNothing() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: line 169 overwrites it`
	br = nil                                // lost
	_ = br
}

func namedResult() (br *breaker.Breaker, err error) {
	br = breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 176 leaves it behind`
	if busy() {
		return nil, errBusy // lost
	}
	return
}

func behindAnInterface() {
	var br breaker.Interface = breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 184 leaves it behind`
	fmt.Println(br.Err())
} // lost

func converted() {
	br := breaker.Interface(breaker.BreakByTimeout(time.Hour)) // want `br is not closed on every path: the end of the function on line 189 leaves it behind`
	fmt.Println(br.Err())
} // lost

func inALiteral() func() {
	return func() {
		br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 195 leaves it behind`
		fmt.Println(br.Err())
	} // lost
}

func capturedToAsk() func() error {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 200 leaves it behind`
	return func() error { return br.Err() } // lost
}

func sentMaybe(out chan *breaker.Breaker, quit chan struct{}) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 209 leaves it behind`
	select {
	case out <- br:
	case <-quit:
	}
} // lost

func withContext(parent context.Context) {
	br, ctx := breaker.WithContext(parent) // want `br is not closed on every path: the end of the function on line 214 leaves it behind`
	fmt.Println(br.Err(), ctx.Err())
} // lost

func mayNotRun(n int) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 221 leaves it behind`
	for range n {
		br.Close()
	}
} // lost

func sourceGoesOn() {
	process := breaker.New()
	br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour)) // want `br is not closed on every path: the end of the function on line 227 leaves it behind`
	fmt.Println(br.Err(), process)
} // lost

func sourceIsWatchedElsewhere(process *breaker.Breaker) {
	br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour)) // want `br is not closed on every path: the end of the function on line 235 leaves it behind`
	go func() {
		<-process.Done()
	}()
	fmt.Println(br.Err())
} // lost

func allOf(some func() ([]breaker.Interface, func())) {
	list, f := some()
	br := breaker.Multiplex(list...) // want `br is not closed on every path: the end of the function on line 242 leaves it behind`
	fmt.Println(br.Err())
	f()
} // lost

func severalAtOnce() {
	one, two := breaker.BreakByTimeout(time.Hour), breaker.BreakByTimeout(time.Minute) // want `two is not closed on every path: the end of the function on line 248 leaves it behind`
	defer one.Close()
	fmt.Println(two.Err())
} // lost

func sometimesWaits(wait bool) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 256 leaves it behind`
	done := br.Done()
	if wait {
		<-done
	}
} // lost

func asksTwoThings() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 261 leaves it behind`
	if br.Err() != nil || busy() {
		return // lost
	}
	br.Close()
}

func doneIsPassed(wait func(<-chan struct{})) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 269 leaves it behind`
	wait(br.Done())
} // lost

func viewsArePassed(use func(context.Context, breaker.Interface)) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 274 leaves it behind`
	use(breaker.ToContext(br), breaker.NopCloser(br))
} // lost

func lastOneIsLeft() {
	var br *breaker.Breaker
	for range 3 {
		if br != nil {
			br.Close()
		}
		br = breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the end of the function on line 284 leaves it behind`
	}
} // lost

func errorOfSomethingElse(other func() error) error {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path: the return on line 291 leaves it behind`
	err := br.Err()
	err = errors.Join(err, other())
	if err != nil {
		return err // lost
	}
	br.Close()
	return nil
}
