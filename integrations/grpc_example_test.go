package integrations_test

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
)

// The client's breaker ends the call. The client knows why, the server knows that.
func Example_grpc() {
	process := breaker.New() // in a server: breaker.BreakBySignal(os.Interrupt)
	defer process.Close()

	began, seen := make(chan struct{}), make(chan error, 1)
	client, stop, err := serve(func(ctx context.Context) error {
		br := breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.NopCloser(process))
		defer br.Close()
		close(began)
		<-br.Done() // the work
		seen <- br.Cause()
		return br.Err()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	br := breaker.New()
	defer br.Close()
	go func() {
		<-began
		br.Trip(errors.New("another replica has answered"))
	}()
	_, err = client.Check(breaker.ToContext(br), request)
	fmt.Println("client:", status.Code(err), "because:", br.Cause())
	fmt.Println("server:", <-seen)
	// Output:
	// client: Canceled because: another replica has answered
	// server: context canceled
}
