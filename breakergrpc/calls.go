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

// Calls are the calls on one server: what ends them, and how many are running. Make a server with
// its ServerOptions, and give it to Serve by WithCalls. Calls must not be shared between servers.
// Its methods may be called concurrently.
type Calls struct {
	*settings

	// life is what all calls live on. The cut trips it. draining trips when Serve begins to drain.
	life, draining *breaker.Breaker
	running        atomic.Int64
	served         atomic.Bool
}

// NewCalls returns Calls. It panics if an option is nil.
func NewCalls(options ...Option) *Calls {
	return &Calls{settings: newSettings("NewCalls", options), life: breaker.New(), draining: breaker.New()}
}

// ServerOptions returns the options for grpc.NewServer that put the calls under control: two
// interceptors, which run before those in options that follow.
func (c *Calls) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(c.unary), grpc.ChainStreamInterceptor(c.stream)}
}

// UnaryServerInterceptor returns an interceptor for a server that isn't run by Serve. Each call
// gets a context that is done at the earliest of: the end of its own, which includes the client's
// deadline, the limit, the trip of the breakers in WithProcess, the return of the handler. Its
// context.Cause says which one it was.
//
// If that has happened on arrival, the handler isn't called. If the handler returns an error of its
// context, of a breaker, or with the code Canceled or DeadlineExceeded after its context has ended,
// the client gets the cause instead: see the package documentation. Other errors and answers are
// passed on.
//
// It panics if an option is nil.
func UnaryServerInterceptor(options ...Option) grpc.UnaryServerInterceptor {
	c := &Calls{settings: newSettings("UnaryServerInterceptor", options), life: breaker.New(), draining: breaker.New()}
	return c.unary
}

// StreamServerInterceptor is UnaryServerInterceptor for streams. The end of the context also ends a
// RecvMsg that waits for the client, and a SendMsg that waits for it to read. From then on both
// return the cause as a status, so what a handler has to say at the end it says by its error. This
// takes a method of gRPC's that isn't documented. Should that be gone in another version, or other
// code wrap the transport's stream, such a wait ends with the connection.
//
// It panics if an option is nil.
func StreamServerInterceptor(options ...Option) grpc.StreamServerInterceptor {
	c := &Calls{settings: newSettings("StreamServerInterceptor", options), life: breaker.New(), draining: breaker.New()}
	return c.stream
}

// DrainOf returns a channel that is closed when Serve begins to drain the server of the call that
// has the context. A stream that would go on for long ends itself then, in its own time, and isn't
// cut. It is nil, and so never ready, for any other context.
func DrainOf(ctx context.Context) <-chan struct{} {
	if cl, ok := ctx.Value(callKey{}).(*call); ok {
		return cl.calls.draining.Done()
	}
	return nil
}

// call is one of them.
type call struct {
	calls *Calls
	// own is the context that gRPC made for it.
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
		// The client has ended the call, and knows better why.
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
