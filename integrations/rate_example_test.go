package integrations_test

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

// Wait takes a context, and a breaker is one. The error is that of the context, the cause is the
// breaker's.
func Example_rate() {
	limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
	limiter.Allow() // another caller has taken the token

	br := breaker.New()
	defer br.Close()
	time.AfterFunc(time.Millisecond, func() { br.Trip(errEnough) })

	err := limiter.Wait(breaker.ToContext(br))
	fmt.Printf("%v, because: %v\n", err, br.Cause())
	// Output: context canceled, because: enough
}
