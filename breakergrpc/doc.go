// Package breakergrpc makes gRPC calls interruptible, on both sides, and shuts gRPC servers down
// gracefully.
//
//	calls := breakergrpc.NewCalls(breakergrpc.WithLimit(5 * time.Second))
//	server := grpc.NewServer(calls.ServerOptions()...)
//	pb.RegisterShopServer(server, shop)
//
//	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
//	defer stop.Close()
//	err := breakergrpc.Serve(server, listener, stop, breakergrpc.WithCalls(calls))
//
// GracefulStop of a grpc.Server waits for the last stream, however long that takes. Serve shuts the
// server down in two phases. During the drain, calls in flight go on undisturbed until the grace
// period ends. At the cut, they end with a cause.
//
// Handlers need no change. They pass on their context as usual, and return its error. Only
// long-lived streams should watch DrainOf, and end themselves:
//
//	select {
//	case event := <-events:
//		err := stream.Send(event)
//	case <-breakergrpc.DrainOf(stream.Context()):
//		return nil // the client comes back, to another server
//	}
//
// With the client interceptors, a client learns why a call ended:
//
//	conn, err := grpc.NewClient(target,
//		grpc.WithUnaryInterceptor(
//			breakergrpc.UnaryClientInterceptor(breakergrpc.WithLimit(time.Second))),
//		grpc.WithStreamInterceptor(breakergrpc.StreamClientInterceptor()),
//	)
//	_, err = shop.Order(ctx, request)
//	if errors.Is(err, breakergrpc.ErrShutdown) {
//		// that server is shutting down: another one may answer
//	}
//
// # Causes
//
// The context of a call ends with one of these causes. The client gets a status with a reason, in a
// google.rpc.ErrorInfo, which clients in other languages can read:
//
//	context.Cause on the server                  code                reason
//	ErrServerTimeout                             DeadlineExceeded    TIMEOUT
//	ErrDraining                                  Unavailable         DRAINING
//	ErrShutdown                                  Unavailable         SHUTDOWN
//	the cause of the breaker in WithProcess:
//	  a breaker.SignalError                      Unavailable         SIGNAL
//	  breaker.ErrClosed                          Unavailable         CLOSED
//	  what matches context.DeadlineExceeded      DeadlineExceeded    TIMEOUT
//	  what matches context.Canceled              Canceled            CANCELLED
//	  any other                                  Unavailable         OTHER
//	context.DeadlineExceeded, context.Canceled   as the client says  the client has ended the call
//
// Unavailable means that another try may help, not that nothing was done.
//
// On the client's side, a *CallError has the same status and a cause. The cause is a *RemoteError
// with that reason, ErrClientTimeout, or the cause of the client's own context or breaker. A
// client's cause doesn't travel to the server; gRPC has no place for it.
//
// # Many servers in a process
//
// Make Serve a part of breakerrun.Run, beside HTTP servers and workers:
//
//	breakerrun.Server("grpc", func(stop, cut breaker.Interface) error {
//		return breakergrpc.Serve(server, listener, stop,
//			breakergrpc.WithCalls(calls), breakergrpc.WithCut(cut))
//	})
//
// # What it doesn't do
//
// It doesn't end a handler that ignores its context: Serve returns without waiting for it. If the
// request of a unary call is still arriving at the cut, its connection is closed.
//
// # Concurrency
//
// Every function may be called concurrently, and so may the interceptors. Pass a *grpc.Server to
// one call of Serve only.
package breakergrpc
