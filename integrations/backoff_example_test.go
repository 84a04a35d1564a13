package integrations_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/kamilsk/breaker"
)

// Retry returns the cause of its context, so what a breaker was tripped with.
func Example_backoff() {
	br := breaker.New()
	defer br.Close()

	tries := 0
	_, err := backoff.Retry(breaker.ToContext(br), func() (string, error) {
		if tries++; tries == 3 {
			br.Trip(errors.New("another replica has answered"))
		}
		return "", errors.New("connection refused")
	}, backoff.WithBackOff(backoff.NewConstantBackOff(time.Millisecond)))

	fmt.Println(tries, "tries:", err)
	// Output: 3 tries: another replica has answered
}
