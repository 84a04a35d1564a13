package integrations_test

import (
	"fmt"
	"time"

	"go.uber.org/ratelimit"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/integrations"
)

// One an hour: the second caller gives up, and doesn't use up what it was waiting for.
func ExampleLimiter_Take() {
	limiter := integrations.NewLimiter(1, ratelimit.Per(time.Hour))

	for range 2 {
		br := breaker.BreakByTimeout(200 * time.Millisecond)
		_, err := limiter.Take(br)
		fmt.Println(err)
		br.Close()
	}
	// Output:
	// <nil>
	// context deadline exceeded
}

// A limiter takes the options of the library.
func ExampleNewLimiter() {
	limiter := integrations.NewLimiter(100, ratelimit.WithoutSlack)

	process := breaker.New() // in a server: breaker.BreakBySignal(os.Interrupt)
	defer process.Close()

	var last time.Time
	for range 3 {
		at, err := limiter.Take(process)
		if err != nil {
			return // the process has to end
		}
		if !last.IsZero() {
			fmt.Println(at.Sub(last) >= 10*time.Millisecond)
		}
		last = at
	}
	// Output:
	// true
	// true
}
