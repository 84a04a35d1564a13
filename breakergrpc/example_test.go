package breakergrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
	"github.com/kamilsk/breaker/breakerrun"
)

// slowHealth is a service whose Check takes as long as its context allows.
type slowHealth struct {
	grpc_health_v1.UnimplementedHealthServer
	began chan struct{}
}

func (s *slowHealth) Check(
	ctx context.Context, _ *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	close(s.began)
	<-ctx.Done()
	fmt.Println("server:", context.Cause(ctx))
	return nil, ctx.Err()
}

// client returns a client of the listener that says why its calls end.
func client(listener net.Listener, options ...breakergrpc.Option) (grpc_health_v1.HealthClient, func() error) {
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(breakergrpc.UnaryClientInterceptor(options...)),
		grpc.WithStreamInterceptor(breakergrpc.StreamClientInterceptor(options...)),
	)
	if err != nil {
		panic(err)
	}
	return grpc_health_v1.NewHealthClient(conn), conn.Close
}

func mustListen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}

// The server stops while a call is in flight. When the grace period is over, the call is cut, and
// its client learns why.
func ExampleServe() {
	calls := breakergrpc.NewCalls()
	server, service := grpc.NewServer(calls.ServerOptions()...), &slowHealth{began: make(chan struct{})}
	grpc_health_v1.RegisterHealthServer(server, service)
	listener := mustListen()

	stop := breaker.New() // in a server: breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer stop.Close()
	go func() {
		<-service.began
		stop.Close()
	}()
	answered := make(chan error)
	go func() {
		client, closeClient := client(listener)
		_, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		answered <- errors.Join(err, closeClient())
	}()

	err := breakergrpc.Serve(server, listener, stop, breakergrpc.WithCalls(calls), breakergrpc.WithGrace(50*time.Millisecond))
	var cut *breakergrpc.CutError
	fmt.Println("Serve:", errors.As(err, &cut), cut.Calls)
	err = <-answered
	fmt.Println("client:", errors.Is(err, breakergrpc.ErrShutdown), status.Code(err))
	// Output:
	// server: breakergrpc: cut by the server's shutdown
	// Serve: true 1
	// client: true Unavailable
}

// The limit of a server, told to its client.
func ExampleWithLimit() {
	server := grpc.NewServer(
		grpc.UnaryInterceptor(breakergrpc.UnaryServerInterceptor(breakergrpc.WithLimit(200*time.Millisecond))),
		grpc.StreamInterceptor(breakergrpc.StreamServerInterceptor()),
	)
	defer server.Stop()
	grpc_health_v1.RegisterHealthServer(server, &slowHealth{began: make(chan struct{})})
	listener := mustListen()
	go func() { _ = server.Serve(listener) }()

	client, closeClient := client(listener)
	defer closeClient()
	_, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	var remote *breakergrpc.RemoteError
	fmt.Println("client:", errors.As(err, &remote), remote.Reason, status.Code(err))
	// Output:
	// server: breakergrpc: the server's time limit has been reached
	// client: true TIMEOUT DeadlineExceeded
}

// The process of a client ends: so do its calls, each with the cause.
func ExampleUnaryClientInterceptor() {
	service := &slowHealth{began: make(chan struct{})}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, service)
	listener, served := mustListen(), make(chan error)
	go func() { served <- server.Serve(listener) }()

	process := breaker.New()
	client, closeClient := client(listener, breakergrpc.WithProcess(process))
	go func() {
		<-service.began
		process.Trip(errors.New("another replica has answered"))
	}()
	_, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	var known *breakergrpc.CallError
	cause := errors.As(err, &known)
	_ = closeClient()
	server.GracefulStop()
	<-served
	fmt.Println("client:", status.Code(err), cause, known.Cause)
	// Output:
	// server: context canceled
	// client: Canceled true another replica has answered
}

// A gRPC server and a worker in one process. Watchers of the health service learn first, and hold
// up nothing.
func Example() {
	calls := breakergrpc.NewCalls()
	server, healthServer := grpc.NewServer(calls.ServerOptions()...), health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, healthServer)
	listener := mustListen()

	stop := breaker.New()
	defer stop.Close()
	go func() {
		client, closeClient := client(listener)
		defer closeClient()
		watch, err := client.Watch(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		for err == nil {
			var response *grpc_health_v1.HealthCheckResponse
			if response, err = watch.Recv(); response.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING {
				stop.Close() // the signal
			}
		}
	}()
	err := breakerrun.Run(stop,
		breakerrun.Readiness("health", func(ready bool) {
			if !ready {
				fmt.Println("not ready any more")
				healthServer.Shutdown()
			}
		}, 10*time.Millisecond),
		breakerrun.Server("grpc", func(stop, cut breaker.Interface) error {
			defer fmt.Println("server is done")
			return breakergrpc.Serve(server, listener, stop, breakergrpc.WithCalls(calls), breakergrpc.WithCut(cut))
		}),
		breakerrun.Worker("worker", func(stop, _ breaker.Interface) error {
			<-stop.Done()
			fmt.Println("worker is done")
			return nil
		}),
	)
	fmt.Println(err)
	// Output:
	// not ready any more
	// server is done
	// worker is done
	// <nil>
}
