package breakergrpc

import (
	"context"
	"errors"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
)

// Calls ends and counts the calls on one server. Make the server with its ServerOptions, and pass
// it to Serve by WithCalls. Servers must not share Calls. Its methods may be called concurrently.
type Calls struct {
	*settings

	// life is the breaker behind the contexts of all calls. The cut trips it. draining trips when
	// Serve begins to drain.
	life, draining *breaker.Breaker
	running        atomic.Int64
	served         atomic.Bool
}

// NewCalls returns Calls. It panics if an option is nil.
func NewCalls(options ...Option) *Calls {
	return &Calls{settings: newSettings("NewCalls", options), life: breaker.New(), draining: breaker.New()}
}

// ServerOptions returns options for grpc.NewServer: two interceptors, through which Calls ends and
// counts the calls. They run before the interceptors of options that follow.
func (c *Calls) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(c.unary), grpc.ChainStreamInterceptor(c.stream)}
}

// UnaryServerInterceptor returns an interceptor for a server that isn't run by Serve. Each call
// gets a context that is done at the earliest of:
//
//   - the end of the call's own context, which includes the client's deadline;
//   - the limit;
//   - the trip of a breaker in WithProcess;
//   - the return of the handler.
//
// context.Cause says which one it was. If the context has ended on arrival, the handler isn't
// called. After its end, the handler may return an error of the context, of a breaker, or with the
// code Canceled or DeadlineExceeded. Then the client gets the cause instead: see the package
// documentation. Other errors and answers are passed on.
//
// It panics if an option is nil.
func UnaryServerInterceptor(options ...Option) grpc.UnaryServerInterceptor {
	c := &Calls{settings: newSettings("UnaryServerInterceptor", options), life: breaker.New(), draining: breaker.New()}
	return c.unary
}

// StreamServerInterceptor is UnaryServerInterceptor for streams. The end of the context also ends a
// RecvMsg that waits for the client, and a SendMsg that waits for it to read. From then on both
// return the cause as a status, so a handler can report to the client only by its error.
//
// This needs an undocumented method of gRPC. If another version doesn't have it, or other code
// wraps the transport's stream, such a wait ends with the connection.
//
// It panics if an option is nil.
func StreamServerInterceptor(options ...Option) grpc.StreamServerInterceptor {
	c := &Calls{settings: newSettings("StreamServerInterceptor", options), life: breaker.New(), draining: breaker.New()}
	return c.stream
}

// DrainOf returns a channel that is closed when Serve begins to drain the server of the call with
// this context. A long-lived stream watches it, so that it can end in its own time before the cut.
// For any other context DrainOf returns nil, a channel that is never ready. It may be called
// concurrently.
func DrainOf(ctx context.Context) <-chan struct{} {
	if cl, ok := ctx.Value(callKey{}).(*call); ok {
		return cl.calls.draining.Done()
	}
	return nil
}

// call is one call on a server.
type call struct {
	calls *Calls
	// own is the context that gRPC made for the call.
	own context.Context
	br  *breaker.Breaker
	ctx context.Context
}

// callKey is the key of the innermost *call.
type callKey struct{}

func (c *Calls) begin(ctx context.Context, method string) *call {
	more := []breaker.Interface{breaker.BreakByContext(ctx, nil), breaker.NopCloser(c.life)}
	if c.drainEnds[method] {
		more = append(more, breaker.NopCloser(c.draining))
	}
	//lostclose:ignore by unary or stream
	cl := &call{calls: c, own: ctx, br: breaker.Multiplex(c.sources(ErrServerTimeout, more...)...)}
	cl.ctx = context.WithValue(breaker.ToContext(cl.br), callKey{}, cl)
	return cl
}

func (c *Calls) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	cl := c.begin(ctx, info.FullMethod)
	defer cl.br.Close()
	if cl.br.Err() != nil {
		return nil, cl.status()
	}
	c.running.Add(1)
	defer c.running.Add(-1)
	response, err := handler(cl.ctx, request)
	return response, cl.result(err)
}

func (c *Calls) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	cl := c.begin(stream.Context(), info.FullMethod)
	defer cl.br.Close()
	if cl.br.Err() != nil {
		return cl.status()
	}
	c.running.Add(1)
	defer c.running.Add(-1)
	s := &serverStream{ServerStream: stream, call: cl}
	defer cl.br.OnTrip(s.unblock)()
	return cl.result(handler(srv, s))
}

// status returns the cause as an error for the client.
func (cl *call) status() error {
	cause := cl.br.Cause()
	if cl.own.Err() != nil && (cause == context.DeadlineExceeded || cause == context.Canceled) {
		// The client has ended the call, and knows why.
		return status.FromContextError(cause).Err()
	}
	return statusOf(cause, cl.calls.withText).Err()
}

// result returns what the client gets if the handler has returned err.
func (cl *call) result(err error) error {
	if err == nil || cl.br.Err() == nil {
		return err
	}
	if st, ok := status.FromError(err); ok {
		if st.Code() == codes.Canceled || st.Code() == codes.DeadlineExceeded {
			return cl.status()
		}
		return err
	}
	if errors.Is(err, breaker.Interrupted) || errors.Is(err, cl.ctx.Err()) || errors.Is(err, cl.br.Cause()) {
		return cl.status()
	}
	return err
}
