package breakergrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
)

// with starts a server that has the interceptors, and returns a client that says causes.
func with(t *testing.T, s *service, options ...breakergrpc.Option) *grpc.ClientConn {
	t.Helper()
	server := grpc.NewServer(
		grpc.UnaryInterceptor(breakergrpc.UnaryServerInterceptor(options...)),
		grpc.StreamInterceptor(breakergrpc.StreamServerInterceptor(options...)))
	s.register(server)
	listener, ended := listen(t), make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, receive(t, ended))
	})
	return dial(t, listener.Addr().String(), causes()...)
}

// What ends a call on the server, what its handler sees, and what the client is told.
func TestCalls_CallEnds(t *testing.T) {
	var causeOf = map[string]struct {
		options func(process *breaker.Breaker) []breakergrpc.Option
		trip    error

		cause  error
		ctxErr error
		code   codes.Code
		reason breakergrpc.Reason
		is     error
	}{
		"limit": {
			options: func(*breaker.Breaker) []breakergrpc.Option {
				return []breakergrpc.Option{breakergrpc.WithLimit(200 * time.Millisecond)}
			},
			cause: breakergrpc.ErrServerTimeout, ctxErr: context.DeadlineExceeded,
			code: codes.DeadlineExceeded, reason: breakergrpc.ReasonTimeout, is: breakergrpc.ErrServerTimeout,
		},
		"process": {
			trip: errBoom, cause: errBoom, ctxErr: context.Canceled,
			code: codes.Unavailable, reason: breakergrpc.ReasonOther, is: breaker.Interrupted,
		},
		"signal": {
			trip: breaker.SignalError{}, cause: breaker.SignalError{}, ctxErr: context.Canceled,
			code: codes.Unavailable, reason: breakergrpc.ReasonSignal, is: breaker.Interrupted,
		},
		"closed": {
			trip: breaker.ErrClosed, cause: context.Canceled, ctxErr: context.Canceled,
			code: codes.Unavailable, reason: breakergrpc.ReasonClosed, is: breaker.Interrupted,
		},
		"cancelled": {
			trip: context.Canceled, cause: context.Canceled, ctxErr: context.Canceled,
			code: codes.Canceled, reason: breakergrpc.ReasonCancelled, is: breaker.Interrupted,
		},
	}
	returns := map[string]func(ctx context.Context) error{
		"Err":    func(ctx context.Context) error { return ctx.Err() },
		"Cause":  func(ctx context.Context) error { return fmt.Errorf("query: %w", context.Cause(ctx)) },
		"status": func(ctx context.Context) error { return status.FromContextError(ctx.Err()).Err() },
	}
	for name, tt := range causeOf {
		for what, of := range returns {
			t.Run(name+", "+what, func(t *testing.T) {
				process := breaker.New()
				defer process.Close()
				options := []breakergrpc.Option{breakergrpc.WithProcess(process)}
				if tt.options != nil {
					options = append(options, tt.options(process)...)
				}
				began, seen := make(chan struct{}, 2), make(chan context.Context, 2)
				handle := func(ctx context.Context) error {
					began <- struct{}{}
					<-ctx.Done()
					seen <- ctx
					return of(ctx)
				}
				conn := with(t, &service{
					call: func(ctx context.Context, _ *message) (*message, error) { return nil, handle(ctx) },
					chat: func(stream grpc.ServerStream) error { return handle(stream.Context()) },
				}, options...)
				check := func(err error) {
					t.Helper()
					ctx := receive(t, seen)
					assert.Equal(t, tt.cause, context.Cause(ctx))
					assert.Equal(t, tt.ctxErr, ctx.Err())
					assert.Equal(t, tt.code, status.Code(err), err)
					var remote *breakergrpc.RemoteError
					require.ErrorAs(t, err, &remote)
					assert.Equal(t, tt.reason, remote.Reason)
					assert.Empty(t, remote.Text)
					assert.ErrorIs(t, err, tt.is)
					assert.ErrorIs(t, err, breaker.Interrupted)
					assert.NotErrorIs(t, err, context.Canceled) // the client's own goes on
					assert.NotErrorIs(t, err, context.DeadlineExceeded)
					assert.NotContains(t, err.Error(), "boom")
				}

				// The stream first: the process' breaker ends both.
				stream, err := chat(t.Context(), conn)
				require.NoError(t, err)
				ended := calling(conn, "")
				receive(t, began)
				receiveIf(t, began, tt.options == nil)
				if tt.trip != nil {
					process.Trip(tt.trip)
				}
				check(stream.RecvMsg(new(message)))
				check(receive(t, ended))
			})
		}
	}
}

// receiveIf receives if it comes for sure, and else may.
func receiveIf(t *testing.T, from <-chan struct{}, sure bool) {
	t.Helper()
	if sure {
		receive(t, from)
	}
}

// What a handler answers of its own accord comes through, also after the end of its context.
func TestCalls_CallAnswers(t *testing.T) {
	own := status.Error(codes.AlreadyExists, "there is one")
	for name, want := range map[string]error{"nil": nil, "status": own, "unknown": errors.New("disk full")} {
		t.Run(name, func(t *testing.T) {
			process := breaker.New()
			conn := with(t, &service{
				call: func(ctx context.Context, in *message) (*message, error) {
					process.Trip(errBoom)
					<-ctx.Done()
					return in, want
				},
			}, breakergrpc.WithProcess(process))
			out, err := call(t.Context(), conn, "partial")
			if want == nil {
				require.NoError(t, err)
				assert.Equal(t, "partial", out)
				return
			}
			var known *breakergrpc.CallError
			assert.False(t, errors.As(err, &known))
			assert.Equal(t, status.Code(want), status.Code(err))
		})
	}
	t.Run("a context error while the call's goes on", func(t *testing.T) {
		conn := with(t, &service{
			call: func(context.Context, *message) (*message, error) { return nil, context.Canceled },
		}, breakergrpc.WithLimit(time.Hour))
		_, err := call(t.Context(), conn, "")
		assert.Equal(t, codes.Canceled, status.Code(err)) // as without us
		var known *breakergrpc.CallError
		assert.False(t, errors.As(err, &known))
	})
}

// A call that comes too late isn't handled.
func TestCalls_CallRefused(t *testing.T) {
	process := breaker.New()
	process.Trip(errBoom)
	handled := func() { assert.Fail(t, "it was handled") }
	conn := with(t, &service{
		call: func(context.Context, *message) (*message, error) { handled(); return nil, nil },
		chat: func(grpc.ServerStream) error { handled(); return nil },
	}, breakergrpc.WithProcess(process), breakergrpc.WithCauseText())
	_, err := call(t.Context(), conn, "")
	var remote *breakergrpc.RemoteError
	require.ErrorAs(t, err, &remote)
	assert.Equal(t, codes.Unavailable, status.Code(err))
	assert.Equal(t, breakergrpc.RemoteError{Reason: breakergrpc.ReasonOther, Text: "boom"}, *remote)
	assert.ErrorContains(t, err, "server: the server has stopped the call: boom")

	stream, err := chat(t.Context(), conn)
	require.NoError(t, err)
	assert.ErrorAs(t, stream.RecvMsg(new(message)), &remote)
	_, err = stream.Header()
	assert.NoError(t, err)
}

// A handler that waits for its client ends, too, and the client gets the cause: in RecvMsg, and in
// SendMsg to a client that doesn't read.
func TestCalls_CallUnblocks(t *testing.T) {
	for name, block := range map[string]func(stream grpc.ServerStream) error{
		"RecvMsg": func(stream grpc.ServerStream) error { return stream.RecvMsg(new(message)) },
		"SendMsg": func(stream grpc.ServerStream) error {
			for {
				if err := stream.SendMsg(wrapperspb.String(strings.Repeat("x", 1<<16))); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				process, began := breaker.New(), make(chan struct{})
				conn := with(t, &service{chat: func(stream grpc.ServerStream) error {
					close(began)
					return block(stream)
				}}, breakergrpc.WithProcess(process))
				stream, err := chat(t.Context(), conn)
				require.NoError(t, err)
				receive(t, began)
				process.Trip(errBoom)
				for err == nil {
					err = stream.RecvMsg(new(message))
				}
				var remote *breakergrpc.RemoteError
				require.ErrorAs(t, err, &remote)
				require.NoError(t, conn.Close())
			}
		})
	}
}

// The values of the process' context aren't those of a call, and the call's own are found.
func TestCalls_CallValues(t *testing.T) {
	type key string
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key("user"), "root"))
	defer cancel()
	conn := with(t, &service{call: func(ctx context.Context, in *message) (*message, error) {
		assert.Nil(t, ctx.Value(key("user")))
		assert.NotNil(t, grpc.ServerTransportStreamFromContext(ctx))
		_, timed := ctx.Deadline()
		assert.True(t, timed)
		return in, nil
	}}, breakergrpc.WithProcess(breaker.BreakByContext(ctx, nil)), breakergrpc.WithLimit(time.Hour))
	_, err := call(t.Context(), conn, "")
	assert.NoError(t, err)
}

// The client's breakers, and its context: each says why.
func TestCalls_ClientEnds(t *testing.T) {
	hold := func() (*service, chan struct{}) {
		began := make(chan struct{}, 1)
		return &service{
			call: func(ctx context.Context, _ *message) (*message, error) {
				began <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			},
			chat: func(stream grpc.ServerStream) error {
				began <- struct{}{}
				<-stream.Context().Done()
				return stream.Context().Err()
			},
		}, began
	}
	plain := func(t *testing.T, options ...breakergrpc.Option) (*grpc.ClientConn, chan struct{}) {
		s, began := hold()
		conn := with(t, s)
		return dial(t, conn.Target()[len("passthrough:///"):], causes(options...)...), began
	}
	for name, do := range map[string]func(ctx context.Context, conn *grpc.ClientConn) error{
		"unary": func(ctx context.Context, conn *grpc.ClientConn) error { _, err := call(ctx, conn, ""); return err },
		"stream": func(ctx context.Context, conn *grpc.ClientConn) error {
			stream, err := chat(ctx, conn)
			if err != nil {
				return err
			}
			return stream.RecvMsg(new(message))
		},
	} {
		check := func(t *testing.T, err error, code codes.Code, cause error) {
			t.Helper()
			var known *breakergrpc.CallError
			require.ErrorAs(t, err, &known)
			assert.Equal(t, code, status.Code(err))
			assert.ErrorIs(t, known.Cause, cause)
			assert.ErrorContains(t, err, known.Cause.Error())
			assert.NotErrorIs(t, err, breakergrpc.ErrShutdown)
		}
		t.Run(name+", limit", func(t *testing.T) {
			for range 20 {
				conn, _ := plain(t, breakergrpc.WithLimit(5*time.Millisecond))
				check(t, do(t.Context(), conn), codes.DeadlineExceeded, breakergrpc.ErrClientTimeout)
			}
		})
		t.Run(name+", process", func(t *testing.T) {
			process := breaker.New()
			conn, began := plain(t, breakergrpc.WithProcess(process))
			go func() {
				<-began
				process.Trip(errBoom)
			}()
			check(t, do(t.Context(), conn), codes.Canceled, errBoom)
		})
		t.Run(name+", context", func(t *testing.T) {
			conn, began := plain(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			go func() {
				<-began
				cancel(errBoom)
			}()
			check(t, do(ctx, conn), codes.Canceled, errBoom)
		})
		t.Run(name+", deadline", func(t *testing.T) {
			conn, _ := plain(t, breakergrpc.WithLimit(time.Hour))
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
			defer cancel()
			err := do(ctx, conn)
			assert.Equal(t, codes.DeadlineExceeded, status.Code(err))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, breakergrpc.ErrClientTimeout)
		})
		t.Run(name+", before it began", func(t *testing.T) {
			process := breaker.New()
			process.Trip(errBoom)
			conn, _ := plain(t, breakergrpc.WithProcess(process))
			check(t, do(t.Context(), conn), codes.Canceled, errBoom)
		})
	}
}

// The server has the client's deadline, too, and may be the first. It leaves the cause to the
// client.
func TestCalls_ClientDeadlineOnServer(t *testing.T) {
	causes := make(chan error, 1)
	conn := with(t, &service{call: func(ctx context.Context, _ *message) (*message, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}}, breakergrpc.WithLimit(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := call(ctx, conn, "")
	assert.Equal(t, codes.DeadlineExceeded, status.Code(err))
	var known *breakergrpc.CallError
	require.ErrorAs(t, err, &known)
	assert.Equal(t, context.DeadlineExceeded, known.Cause)
	// The client may have given up before the server's own timer.
	assert.Contains(t, []error{context.DeadlineExceeded, context.Canceled}, receive(t, causes))
}

// A stream that goes well isn't touched, and nothing of it is left with the process.
func TestCalls_ClientStreams(t *testing.T) {
	conn := with(t, echo(), breakergrpc.WithLimit(time.Hour))
	process := breaker.New()
	defer process.Close()
	conn = dial(t, conn.Target()[len("passthrough:///"):], causes(breakergrpc.WithProcess(process), breakergrpc.WithLimit(time.Hour))...)
	stream, err := chat(t.Context(), conn)
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, stream.SendMsg(wrapperspb.String(fmt.Sprint(i))))
		out := new(message)
		require.NoError(t, stream.RecvMsg(out))
		require.Equal(t, fmt.Sprint(i), out.GetValue())
	}
	require.NoError(t, stream.CloseSend())
	assert.Equal(t, io.EOF, stream.RecvMsg(new(message)))

	collect, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/breaker.Test/Collect")
	require.NoError(t, err)
	require.NoError(t, collect.SendMsg(wrapperspb.String("x")))
	require.NoError(t, collect.CloseSend())
	out := new(message)
	require.NoError(t, collect.RecvMsg(out))
	assert.Equal(t, "x", out.GetValue())
}

// A server that knows nothing of this package, and a reason that this version doesn't know.
func TestCalls_RemoteOthers(t *testing.T) {
	assert.ErrorContains(t, &breakergrpc.RemoteError{Reason: "NEWER"}, "NEWER")
	server := grpc.NewServer()
	echo().register(server)
	grpc_health_v1.RegisterHealthServer(server, grpc_health_v1.UnimplementedHealthServer{})
	listener, ended := listen(t), make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn := dial(t, listener.Addr().String(), causes(breakergrpc.WithLimit(time.Hour))...)
	_, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	assert.Equal(t, codes.Unimplemented, status.Code(err))
	var known *breakergrpc.CallError
	assert.False(t, errors.As(err, &known))
	server.Stop()
	assert.NoError(t, receive(t, ended))
}

func TestCalls_ReasonOf(t *testing.T) {
	for reason, cause := range map[breakergrpc.Reason]error{
		breakergrpc.ReasonShutdown:  breakergrpc.ErrShutdown,
		breakergrpc.ReasonDraining:  breakergrpc.ErrDraining,
		breakergrpc.ReasonTimeout:   fmt.Errorf("x: %w", context.DeadlineExceeded),
		breakergrpc.ReasonSignal:    breaker.SignalError{},
		breakergrpc.ReasonClosed:    breaker.ErrClosed,
		breakergrpc.ReasonCancelled: context.Canceled,
		breakergrpc.ReasonOther:     nil,
	} {
		assert.Equal(t, reason, breakergrpc.ReasonOf(cause))
	}
	assert.True(t, breakergrpc.ErrServerTimeout.(interface{ Timeout() bool }).Timeout())
	assert.False(t, breakergrpc.ErrShutdown.(interface{ Temporary() bool }).Temporary())
}
