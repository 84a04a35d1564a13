package integrations_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
)

// handler is what the server does with a call. The health service is the one that comes with the
// library.
type handler func(ctx context.Context) error

type health struct {
	grpc_health_v1.UnimplementedHealthServer
	handler handler
}

func (h health) Check(
	ctx context.Context, _ *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{}, h.handler(ctx)
}

func (h health) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	return h.handler(stream.Context())
}

// serve starts a server on the loopback interface, and returns a client of it, and what stops both.
func serve(h handler) (client grpc_health_v1.HealthClient, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health{handler: h})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	stop = func() {
		if conn != nil {
			_ = conn.Close()
		}
		server.Stop()
		<-served
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return grpc_health_v1.NewHealthClient(conn), stop, nil
}

func mustServe(t *testing.T, h handler) grpc_health_v1.HealthClient {
	t.Helper()
	client, stop, err := serve(h)
	require.NoError(t, err)
	t.Cleanup(stop)
	return client
}

var request = &grpc_health_v1.HealthCheckRequest{}

// The breaker's deadline travels with the call.
func TestGRPC_TheDeadlineArrives(t *testing.T) {
	arrived := make(chan time.Time, 1)
	client := mustServe(t, func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		arrived <- deadline
		return nil
	})
	br := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.New())
	defer br.Close()
	deadline, ok := br.Deadline()
	require.True(t, ok)

	began := time.Now()
	_, err := client.Check(breaker.ToContext(br), request)
	require.NoError(t, err)
	// What travels is the time that is left, so the way there is added; and it is rounded up to a
	// millisecond.
	at := <-arrived
	assert.False(t, at.Before(deadline), at)
	assert.False(t, at.After(deadline.Add(time.Since(began)+time.Millisecond)), at)
}

// The client's breaker trips: its cause stays with the client, and the server's breaker says that
// the call was canceled.
func TestGRPC_ATripCancelsTheCall(t *testing.T) {
	for name, call := range map[string]func(grpc_health_v1.HealthClient, context.Context) error{
		"unary": func(client grpc_health_v1.HealthClient, ctx context.Context) error {
			_, err := client.Check(ctx, request)
			return err
		},
		"stream": func(client grpc_health_v1.HealthClient, ctx context.Context) error {
			stream, err := client.Watch(ctx, request)
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			process := breaker.New() // of the server
			defer process.Close()
			began, causes := make(chan struct{}), make(chan error, 1)
			client := mustServe(t, func(ctx context.Context) error {
				br := breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.NopCloser(process))
				defer br.Close()
				close(began)
				<-br.Done()
				causes <- br.Cause()
				return status.FromContextError(ctx.Err()).Err()
			})

			br := breaker.New()
			go func() {
				<-began
				br.Trip(errEnough)
			}()
			err := call(client, breaker.ToContext(br))
			assert.Equal(t, codes.Canceled, status.Code(err))
			assert.Equal(t, errEnough, br.Cause())
			assert.Equal(t, context.Canceled, <-causes)
			assert.NoError(t, process.Err())
		})
	}
}

// The server's breaker trips: its cause is what it answers with, and the client's breaker stays
// open.
func TestGRPC_TheServerGivesUp(t *testing.T) {
	process := breaker.New()
	client := mustServe(t, func(ctx context.Context) error {
		br := breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.NopCloser(process))
		defer br.Close()
		process.Trip(errEnough)
		<-br.Done()
		return status.Error(codes.Unavailable, br.Cause().Error())
	})
	br := breaker.BreakByTimeout(time.Hour)
	defer br.Close()
	_, err := client.Check(breaker.ToContext(br), request)
	assert.Equal(t, codes.Unavailable, status.Code(err))
	assert.ErrorContains(t, err, errEnough.Error())
	assert.NoError(t, br.Err())
}

func TestGRPC_TheDeadlineEndsTheCall(t *testing.T) {
	client := mustServe(t, func(ctx context.Context) error {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err() // the server's timer may be the first
	})
	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()
	_, err := client.Check(breaker.ToContext(br), request)
	assert.Equal(t, codes.DeadlineExceeded, status.Code(err))
	// The library's timer may be earlier than the breaker's: both go by the same deadline.
	<-br.Done()
	assert.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
}

// A call derives a context, and so does everyone who adds metadata. Streams have a goroutine of the
// library's own.
func TestGRPC_GoroutinesPerCall(t *testing.T) {
	const calls = 20
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			awaitStartedBy(t, 0, "context.")
			began := make(chan struct{}, calls)
			client := mustServe(t, func(ctx context.Context) error {
				began <- struct{}{}
				<-ctx.Done()
				return nil
			})
			br := breaker.New()
			ctx := metadata.AppendToOutgoingContext(c.make(br), "key", "value")
			ended := make(chan error, calls)
			for range calls {
				go func() {
					_, err := client.Check(ctx, request)
					ended <- err
				}()
			}
			for range calls {
				<-began
			}
			expected, code := 0, codes.Canceled
			if !c.own {
				// The library knows two errors that a context may have. It takes any other one for
				// a mistake of its own.
				expected, code = calls, codes.Internal
			}
			awaitStartedBy(t, expected, "context.")
			br.Trip(errEnough)
			for range calls {
				assert.Equal(t, code, status.Code(<-ended))
			}
		})
	}
}
