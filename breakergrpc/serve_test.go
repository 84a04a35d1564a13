package breakergrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
	"github.com/kamilsk/breaker/breakerhttp"
	"github.com/kamilsk/breaker/breakerrun"
)

// held is a service whose calls wait until they may go on, or their context is done. A deaf one
// doesn't look at that.
type held struct {
	service
	deaf     bool
	contexts chan context.Context
	proceed  chan struct{}
}

func hold(deaf bool) *held {
	h := &held{deaf: deaf, contexts: make(chan context.Context, 100), proceed: make(chan struct{})}
	wait := func(ctx context.Context) error {
		h.contexts <- ctx
		done := ctx.Done()
		if h.deaf {
			done = nil
		}
		select {
		case <-h.proceed:
			return nil
		case <-done:
			return ctx.Err()
		}
	}
	h.call = func(ctx context.Context, in *message) (*message, error) { return in, wait(ctx) }
	h.chat = func(stream grpc.ServerStream) error { return wait(stream.Context()) }
	return h
}

const forever = time.Hour

// Calls in flight go on, unary and streams, and no more are accepted.
func TestServe_Drains(t *testing.T) {
	h := hold(false)
	r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever))
	conn := dial(t, r.address, causes()...)
	ended := calling(conn, "")
	ctx := receive(t, h.contexts)
	stream, err := chat(t.Context(), conn)
	require.NoError(t, err)
	receive(t, h.contexts)

	r.stop.Close()
	receive(t, breakergrpc.DrainOf(ctx))
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, patience, time.Millisecond)
	_, err = call(t.Context(), dial(t, r.address), "")
	assert.Equal(t, codes.Unavailable, status.Code(err))
	assert.NoError(t, ctx.Err())
	assert.Empty(t, r.ended)

	close(h.proceed)
	assert.NoError(t, receive(t, ended))
	assert.Equal(t, io.EOF, stream.RecvMsg(new(message)))
	assert.NoError(t, receive(t, r.ended))
}

// What is still in flight at the cut ends with a cause, which the client learns. Streams that wait
// for their clients end, too.
func TestServe_Cuts(t *testing.T) {
	for name, calls := range map[string]func(h *held) func(stream grpc.ServerStream) error{
		"waiting for the context": func(h *held) func(grpc.ServerStream) error { return h.chat },
		"waiting for the client": func(h *held) func(grpc.ServerStream) error {
			return func(stream grpc.ServerStream) error {
				h.contexts <- stream.Context()
				return stream.RecvMsg(new(message))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, cut := hold(false), breaker.New()
			h.chat = calls(h)
			r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever), breakergrpc.WithCutTimeout(forever),
				breakergrpc.WithCut(cut))
			conn := dial(t, r.address, causes()...)
			ended := calling(conn, "")
			stream, err := chat(t.Context(), conn)
			require.NoError(t, err)
			one, two := receive(t, h.contexts), receive(t, h.contexts)
			r.stop.Close()
			receive(t, breakergrpc.DrainOf(one))
			assert.NoError(t, one.Err())
			cut.Trip(errBoom)

			for _, err := range []error{receive(t, ended), stream.RecvMsg(new(message))} {
				assert.Equal(t, codes.Unavailable, status.Code(err))
				assert.ErrorIs(t, err, breakergrpc.ErrShutdown)
			}
			for _, ctx := range []context.Context{one, two} {
				assert.Equal(t, breakergrpc.ErrShutdown, context.Cause(ctx))
			}
			var e *breakergrpc.CutError
			require.ErrorAs(t, receive(t, r.ended), &e)
			assert.Equal(t, breakergrpc.CutError{Calls: 2, Cause: errBoom}, *e)
			assert.EqualError(t, e, "breakergrpc: calls cut by the shutdown: 2, connections closed while busy: 0, because: boom")
		})
	}
}

// The grace period has an end, which GracefulStop has not, and so has the cut, whatever a handler
// does.
func TestServe_Times(t *testing.T) {
	t.Run("grace", func(t *testing.T) {
		h := hold(false)
		r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(10*time.Millisecond), breakergrpc.WithCutTimeout(forever))
		ended := calling(dial(t, r.address, causes()...), "")
		receive(t, h.contexts)
		err := r.end(t)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		var e *breakergrpc.CutError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 1, e.Calls)
		assert.ErrorIs(t, receive(t, ended), breakergrpc.ErrShutdown)
	})
	t.Run("a handler that ignores its context", func(t *testing.T) {
		h := hold(true)
		r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(0), breakergrpc.WithCutTimeout(10*time.Millisecond))
		ended := calling(dial(t, r.address), "")
		receive(t, h.contexts)
		began := time.Now()
		var e *breakergrpc.CutError
		require.ErrorAs(t, r.end(t), &e)
		assert.Less(t, time.Since(began), patience/2)
		assert.Equal(t, 1, e.Calls)
		assert.Equal(t, 1, e.Connections)
		assert.Equal(t, codes.Unavailable, status.Code(receive(t, ended)))
		close(h.proceed)
	})
	t.Run("without Calls", func(t *testing.T) {
		h := hold(false)
		r := start(t, &h.service, nil, breakergrpc.WithGrace(0), breakergrpc.WithCutTimeout(forever))
		ended := calling(dial(t, r.address), "")
		ctx := receive(t, h.contexts)
		assert.Nil(t, breakergrpc.DrainOf(ctx))
		var e *breakergrpc.CutError
		require.ErrorAs(t, r.end(t), &e)
		assert.Equal(t, 0, e.Calls)
		assert.Equal(t, 1, e.Connections)
		assert.Equal(t, codes.Unavailable, status.Code(receive(t, ended)))
	})
}

// A stream that is told when the server drains ends by itself, and nothing is cut.
func TestServe_TellsStreams(t *testing.T) {
	began := make(chan struct{})
	s := &service{chat: func(stream grpc.ServerStream) error {
		close(began)
		<-breakergrpc.DrainOf(stream.Context())
		return stream.SendMsg(wrapperspb.String("bye"))
	}}
	r := start(t, s, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever))
	stream, err := chat(t.Context(), dial(t, r.address))
	require.NoError(t, err)
	receive(t, began)
	assert.NoError(t, r.end(t))
	out := new(message)
	require.NoError(t, stream.RecvMsg(out))
	assert.Equal(t, "bye", out.GetValue())
	assert.Equal(t, io.EOF, stream.RecvMsg(out))
}

// A watcher of the health service doesn't hold up the drain.
func TestServe_HealthWatch(t *testing.T) {
	calls := breakergrpc.NewCalls()
	server := grpc.NewServer(calls.ServerOptions()...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, stop, ended := listen(t), breaker.New(), make(chan error, 1)
	go func() {
		ended <- breakergrpc.Serve(server, listener, stop, breakergrpc.WithGrace(forever), breakergrpc.WithCalls(calls))
	}()
	conn := dial(t, listener.Addr().String(), causes()...)
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	response, err := watch.Recv()
	require.NoError(t, err)
	assert.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, response.GetStatus())
	stop.Close()
	assert.NoError(t, receive(t, ended))
	_, err = watch.Recv()
	assert.ErrorIs(t, err, breakergrpc.ErrDraining)
	assert.Equal(t, codes.Unavailable, status.Code(err))
}

// Connections that are open and idle, and kept alive by pings, don't hold up the drain. Their
// clients are told to go.
func TestServe_Keepalive(t *testing.T) {
	calls := breakergrpc.NewCalls()
	server := grpc.NewServer(append(calls.ServerOptions(),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Second, Timeout: time.Second}))...)
	echo().register(server)
	listener, stop, ended := listen(t), breaker.New(), make(chan error, 1)
	go func() {
		ended <- breakergrpc.Serve(server, listener, stop, breakergrpc.WithGrace(forever), breakergrpc.WithCalls(calls))
	}()
	var conns []*grpc.ClientConn
	for range 20 {
		conn := dial(t, listener.Addr().String(), grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true,
		}))
		_, err := call(t.Context(), conn, "x")
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	stop.Close()
	assert.NoError(t, receive(t, ended))
	for _, conn := range conns {
		require.Eventually(t, func() bool { return conn.GetState() != connectivity.Ready }, patience, time.Millisecond)
	}
}

// A connection that says nothing would keep GracefulStop, and even Stop, waiting for two minutes,
// and every client from being told.
func TestServe_SilentConnection(t *testing.T) {
	for name, options := range map[string][]breakergrpc.ServeOption{
		"drain": {breakergrpc.WithGrace(forever)},
		"cut":   {breakergrpc.WithGrace(0)},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, echo(), breakergrpc.NewCalls(), options...)
			conn := dial(t, r.address)
			_, err := call(t.Context(), conn, "x")
			require.NoError(t, err)
			silent, err := net.Dial("tcp", r.address)
			require.NoError(t, err)
			defer silent.Close()
			// It has been accepted: the server's settings.
			_, err = io.ReadFull(silent, make([]byte, 9))
			require.NoError(t, err)
			began := time.Now()
			err = r.end(t)
			if name == "drain" {
				assert.NoError(t, err)
			}
			assert.Less(t, time.Since(began), patience/2)
			require.Eventually(t, func() bool { return conn.GetState() != connectivity.Ready }, patience, time.Millisecond)
		})
	}
}

// broken is a listener that fails.
type broken struct {
	net.Listener
	fail chan struct{}
	once sync.Once
}

func (b *broken) Accept() (net.Conn, error) {
	<-b.fail
	return nil, errBoom
}

func (b *broken) Close() error {
	b.once.Do(func() { close(b.fail) })
	return b.Listener.Close()
}

func TestServe_Fails(t *testing.T) {
	t.Run("a listener", func(t *testing.T) {
		h := hold(false)
		bad := &broken{Listener: listen(t), fail: make(chan struct{})}
		r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever), breakergrpc.WithListeners(bad))
		ended := calling(dial(t, r.address), "")
		ctx := receive(t, h.contexts)
		bad.once.Do(func() { close(bad.fail) })
		receive(t, breakergrpc.DrainOf(ctx))
		assert.NoError(t, ctx.Err()) // what is in flight is drained
		close(h.proceed)
		assert.NoError(t, receive(t, ended))
		assert.Equal(t, errBoom, receive(t, r.ended))
		assert.NoError(t, r.stop.Err())
		r.stop.Close()
	})
	t.Run("a listener, and calls are cut", func(t *testing.T) {
		h, cut := hold(false), breaker.New()
		bad := &broken{Listener: listen(t), fail: make(chan struct{})}
		r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever), breakergrpc.WithListeners(bad),
			breakergrpc.WithCut(cut))
		ended := calling(dial(t, r.address, causes()...), "")
		ctx := receive(t, h.contexts)
		bad.once.Do(func() { close(bad.fail) })
		receive(t, breakergrpc.DrainOf(ctx))
		cut.Trip(io.ErrUnexpectedEOF)
		assert.ErrorIs(t, receive(t, ended), breakergrpc.ErrShutdown)
		err := receive(t, r.ended)
		assert.ErrorIs(t, err, errBoom)
		var e *breakergrpc.CutError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 1, e.Calls)
		r.stop.Close()
	})
	t.Run("stopped by others", func(t *testing.T) {
		for _, stop := range []func(*grpc.Server){(*grpc.Server).Stop, (*grpc.Server).GracefulStop} {
			r := start(t, echo(), breakergrpc.NewCalls())
			_, err := call(t.Context(), dial(t, r.address), "x")
			require.NoError(t, err)
			stop(r.server)
			assert.Equal(t, grpc.ErrServerStopped, receive(t, r.ended))
			assert.NoError(t, r.stop.Err())
			r.stop.Close()
		}
	})
	t.Run("stopped before", func(t *testing.T) {
		server := grpc.NewServer()
		server.Stop()
		listener, stop := listen(t), breaker.New()
		defer stop.Close()
		assert.Equal(t, grpc.ErrServerStopped, breakergrpc.Serve(server, listener, stop))
		assert.ErrorIs(t, listener.Close(), net.ErrClosed)
	})
	t.Run("stop had tripped before", func(t *testing.T) {
		listener, stop := listen(t), breaker.New()
		stop.Close()
		server := grpc.NewServer()
		err := breakergrpc.Serve(server, listener, stop)
		if err != nil {
			assert.Equal(t, grpc.ErrServerStopped, err) // the server was stopped before it began
		}
		assert.ErrorIs(t, listener.Close(), net.ErrClosed)
	})
	t.Run("a handler that panics is the process' end, as ever", func(t *testing.T) {
		recovered := make(chan any, 1)
		calls := breakergrpc.NewCalls()
		server := grpc.NewServer(append([]grpc.ServerOption{
			grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				defer func() { recovered <- recover() }()
				return handler(ctx, request)
			}),
		}, calls.ServerOptions()...)...)
		(&service{call: func(context.Context, *message) (*message, error) { panic("x") }}).register(server)
		listener, stop, ended := listen(t), breaker.New(), make(chan error, 1)
		go func() { ended <- breakergrpc.Serve(server, listener, stop, breakergrpc.WithCalls(calls)) }()
		_, _ = call(t.Context(), dial(t, listener.Addr().String()), "")
		assert.Equal(t, "x", receive(t, recovered))
		stop.Close()
		assert.NoError(t, receive(t, ended)) // it isn't counted as running any more
	})
}

// Several listeners, one server.
func TestServe_Listeners(t *testing.T) {
	one, two := listen(t), listen(t)
	r := start(t, echo(), breakergrpc.NewCalls(), breakergrpc.WithListeners(one, two))
	for _, address := range []string{r.address, one.Addr().String(), two.Addr().String()} {
		_, err := call(t.Context(), dial(t, address), "x")
		assert.NoError(t, err)
	}
	assert.NoError(t, r.end(t))
	for _, l := range []net.Listener{one, two} {
		assert.ErrorIs(t, l.Close(), net.ErrClosed)
	}
}

// Under load: every call that a handler has answered is answered, and none is cut that had time.
func TestServe_UnderLoad(t *testing.T) {
	const clients = 20
	for range 20 {
		var handled, answered atomic.Int64
		s := &service{call: func(_ context.Context, in *message) (*message, error) {
			handled.Add(1)
			return in, nil
		}}
		r := start(t, s, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever))
		var busy, wg sync.WaitGroup
		busy.Add(clients)
		for range clients {
			conn := dial(t, r.address)
			wg.Go(func() {
				for i := 0; ; i++ {
					if i == 10 {
						busy.Done()
					}
					_, err := call(context.Background(), conn, "x")
					if err != nil {
						assert.Equal(t, codes.Unavailable, status.Code(err), err)
						assert.GreaterOrEqual(t, i, 10)
						return
					}
					answered.Add(1)
				}
			})
		}
		busy.Wait()
		require.NoError(t, r.end(t))
		wg.Wait()
		require.Equal(t, handled.Load(), answered.Load())
	}
}

// A gRPC server, an HTTP server and a worker on one Run: in order, and all errors in one.
func TestServe_OnRun(t *testing.T) {
	h := hold(false)
	calls := breakergrpc.NewCalls()
	server := grpc.NewServer(calls.ServerOptions()...)
	h.register(server)
	grpcListener, httpListener := listen(t), listen(t)
	admin := &http.Server{Handler: http.NotFoundHandler()}
	healthServer := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, healthServer)

	stop, cut := breaker.New(), breaker.New()
	workerStopped, workerProceed := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- breakerrun.New(breakerrun.WithCut(cut), breakerrun.WithGrace(forever)).Run(stop,
			breakerrun.Readiness("health", func(ready bool) {
				if !ready {
					healthServer.Shutdown()
				}
			}, 0),
			breakerrun.Server("grpc", func(stop, cut breaker.Interface) error {
				return breakergrpc.Serve(server, grpcListener, stop, breakergrpc.WithCut(cut), breakergrpc.WithCalls(calls),
					breakergrpc.WithGrace(forever))
			}),
			breakerrun.Worker("worker", func(stop, _ breaker.Interface) error {
				<-stop.Done()
				close(workerStopped)
				<-workerProceed
				return errBoom
			}),
			breakerrun.Server("admin", func(stop, cut breaker.Interface) error {
				return breakerhttp.Serve(admin, httpListener, stop, breakerhttp.WithCut(cut))
			}, breakerrun.WithStage(breakerrun.Admin)))
	}()
	answers := func() bool {
		response, err := http.Get("http://" + httpListener.Addr().String())
		if err == nil {
			_ = response.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
		return err == nil
	}
	inFlight := calling(dial(t, grpcListener.Addr().String(), causes()...), "")
	ctx := receive(t, h.contexts)
	stop.Close()
	receive(t, breakergrpc.DrainOf(ctx))
	assert.True(t, answers())
	assert.NoError(t, stillOpen(workerStopped))
	cut.Trip(io.ErrUnexpectedEOF)
	assert.ErrorIs(t, receive(t, inFlight), breakergrpc.ErrShutdown)
	receive(t, workerStopped)
	assert.True(t, answers())
	close(workerProceed)
	err := receive(t, ended)
	assert.False(t, answers())
	assert.ErrorIs(t, err, errBoom)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.ErrorContains(t, err, "grpc: cut (unexpected EOF): breakergrpc: calls cut by the shutdown: 1")
}

func stillOpen(c <-chan struct{}) error {
	select {
	case <-c:
		return errors.New("closed")
	default:
		return nil
	}
}

func TestServe_Panics(t *testing.T) {
	stop, server := breaker.New(), grpc.NewServer()
	defer stop.Close()
	listener := listen(t)
	defer listener.Close()
	var none *breaker.Breaker
	used := breakergrpc.NewCalls()
	stopped := breaker.New()
	stopped.Close()
	_ = breakergrpc.Serve(grpc.NewServer(), listen(t), stopped, breakergrpc.WithCalls(used))
	for message, f := range map[string]func(){
		"breakergrpc: Serve: the server is nil":                            func() { _ = breakergrpc.Serve(nil, listener, stop) },
		"breakergrpc: Serve: the listener is nil":                          func() { _ = breakergrpc.Serve(server, nil, stop) },
		"breakergrpc: Serve: the breaker stop is nil":                      func() { _ = breakergrpc.Serve(server, listener, none) },
		"breakergrpc: Serve: option 0 is nil":                              func() { _ = breakergrpc.Serve(server, listener, stop, nil) },
		"breakergrpc: Serve: the Calls have been given to Serve before":    func() { _ = breakergrpc.Serve(server, listener, stop, breakergrpc.WithCalls(used)) },
		"breakergrpc: WithCalls: calls is nil":                             func() { breakergrpc.WithCalls(nil) },
		"breakergrpc: WithListeners: listener 0 is nil":                    func() { breakergrpc.WithListeners(nil) },
		"breakergrpc: WithGrace: the grace period is negative: -1s":        func() { breakergrpc.WithGrace(-time.Second) },
		"breakergrpc: WithCutTimeout: the timeout is negative: -1s":        func() { breakergrpc.WithCutTimeout(-time.Second) },
		"breakergrpc: WithSignalGap: the gap is negative: -1s":             func() { breakergrpc.WithSignalGap(-time.Second) },
		"breakergrpc: WithSignals: signal 0 is nil":                        func() { breakergrpc.WithSignals(nil) },
		"breakergrpc: WithCut: the breaker is nil":                         func() { breakergrpc.WithCut(none) },
		"breakergrpc: WithProcess: the breaker is nil":                     func() { breakergrpc.WithProcess(nil) },
		"breakergrpc: WithLimit: the limit is not more than zero: 0s":      func() { breakergrpc.WithLimit(0) },
		`breakergrpc: WithDrainEnds: method 0 is not a full name: "Watch"`: func() { breakergrpc.WithDrainEnds("Watch") },
		"breakergrpc: NewCalls: option 0 is nil":                           func() { breakergrpc.NewCalls(nil) },
		"breakergrpc: UnaryServerInterceptor: option 0 is nil":             func() { breakergrpc.UnaryServerInterceptor(nil) },
		"breakergrpc: StreamServerInterceptor: option 0 is nil":            func() { breakergrpc.StreamServerInterceptor(nil) },
		"breakergrpc: UnaryClientInterceptor: option 0 is nil":             func() { breakergrpc.UnaryClientInterceptor(nil) },
		"breakergrpc: StreamClientInterceptor: option 0 is nil":            func() { breakergrpc.StreamClientInterceptor(nil) },
	} {
		assert.PanicsWithValue(t, message, f)
	}
}
