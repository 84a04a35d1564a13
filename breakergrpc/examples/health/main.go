// Command health is a gRPC server and a client in one process. A call is ended by the client's
// timeout, and another one by the shutdown of the server.
//
//	go run ./examples/health
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
)

// slow answers when its context ends, and says why that was.
type slow struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (slow) Check(
	ctx context.Context, _ *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	<-ctx.Done()
	fmt.Println("server:", context.Cause(ctx))
	return nil, ctx.Err()
}

func main() {
	calls := breakergrpc.NewCalls(breakergrpc.WithLimit(time.Minute))
	server := grpc.NewServer(calls.ServerOptions()...)
	grpc_health_v1.RegisterHealthServer(server, slow{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer stop.Close()

	finished := make(chan struct{})
	go func() {
		defer close(finished)
		call(listener.Addr().String(), stop)
	}()
	err = breakergrpc.Serve(server, listener, stop,
		breakergrpc.WithCalls(calls), breakergrpc.WithGrace(100*time.Millisecond))
	<-finished
	fmt.Println("Serve:", err)
}

// call makes two calls: one with a timeout, and one during which the server stops.
func call(address string, stop *breaker.Breaker) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(breakergrpc.UnaryClientInterceptor()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)

	br := breaker.BreakByTimeout(100 * time.Millisecond)
	defer br.Close()
	_, err = client.Check(breaker.ToContext(br), &grpc_health_v1.HealthCheckRequest{})
	fmt.Println("client:", err)

	time.AfterFunc(100*time.Millisecond, func() { stop.Close() }) // in life, a signal
	_, err = client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	fmt.Println("client:", err)
}
