package breakergrpc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what never comes; nothing is expected to take it.
const patience = 20 * time.Second

var errBoom = errors.New("boom")

// receive returns what comes from the channel, or its zero value when that is closed.
func receive[T any](t testing.TB, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		require.FailNow(t, "it never came")
	}
	return v
}

type message = wrapperspb.StringValue

const (
	callMethod = "/breaker.Test/Call"
	chatMethod = "/breaker.Test/Chat"
)

// service has a unary method and one that streams in both directions.
type service struct {
	call func(ctx context.Context, in *message) (*message, error)
	chat func(stream grpc.ServerStream) error
}

func (s *service) register(server *grpc.Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "breaker.Test",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Call",
			Handler: func(
				_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
			) (any, error) {
				in := new(message)
				if err := decode(in); err != nil {
					return nil, err
				}
				handler := func(ctx context.Context, in any) (any, error) { return s.call(ctx, in.(*message)) }
				if interceptor == nil {
					return handler(ctx, in)
				}
				return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: callMethod}, handler)
			},
		}},
		Streams: []grpc.StreamDesc{{
			StreamName: "Chat", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return s.chat(stream) },
		}, {
			StreamName: "Collect", ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return s.chat(stream) },
		}},
	}, s)
}

// echo answers with what it gets.
func echo() *service {
	return &service{
		call: func(_ context.Context, in *message) (*message, error) { return in, nil },
		chat: func(stream grpc.ServerStream) error {
			for {
				in := new(message)
				if err := stream.RecvMsg(in); err != nil {
					return ignoreEOF(err)
				}
				if err := stream.SendMsg(in); err != nil {
					return err
				}
			}
		},
	}
}

func ignoreEOF(err error) error {
	if err != nil && err.Error() == "EOF" {
		return nil
	}
	return err
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// dial returns a client of the address.
func dial(t testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)
	conn, err := grpc.NewClient("passthrough:///"+address, options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func call(ctx context.Context, conn *grpc.ClientConn, text string) (string, error) {
	out := new(message)
	err := conn.Invoke(ctx, callMethod, wrapperspb.String(text), out)
	return out.GetValue(), err
}

// calling makes a call, and returns where its error comes from.
func calling(conn *grpc.ClientConn, text string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := call(context.Background(), conn, text)
		ended <- err
	}()
	return ended
}

func chat(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream, error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, chatMethod)
}

// causes are the interceptors of a client that say why.
func causes(options ...breakergrpc.Option) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(breakergrpc.UnaryClientInterceptor(options...)),
		grpc.WithChainStreamInterceptor(breakergrpc.StreamClientInterceptor(options...)),
	}
}

// served is a server on Serve.
type served struct {
	server  *grpc.Server
	address string
	stop    *breaker.Breaker
	ended   chan error
}

// start serves the service, with the calls unless they are nil.
func start(t testing.TB, s *service, calls *breakergrpc.Calls, options ...breakergrpc.ServeOption) *served {
	t.Helper()
	var serverOptions []grpc.ServerOption
	if calls != nil {
		serverOptions = calls.ServerOptions()
		options = append(options, breakergrpc.WithCalls(calls))
	}
	r := &served{server: grpc.NewServer(serverOptions...), stop: breaker.New(), ended: make(chan error, 1)}
	s.register(r.server)
	listener := listen(t)
	r.address = listener.Addr().String()
	go func() { r.ended <- breakergrpc.Serve(r.server, listener, r.stop, options...) }()
	return r
}

// end stops the server and returns what Serve did.
func (r *served) end(t testing.TB) error {
	t.Helper()
	r.stop.Close()
	return receive(t, r.ended)
}
