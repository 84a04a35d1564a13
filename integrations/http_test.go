package integrations_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"
	"golang.org/x/net/http2"
	//lint:ignore SA1019 as below
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// underServe serves the handler until stop trips.
func underServe(t *testing.T, handler http.Handler, options ...breakerhttp.ServeOption) (address string, stop *breaker.Breaker, served <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	stop = breaker.New()
	done := make(chan error, 1)
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	if _, ok := handler.(*grpcHandler); ok {
		server.Protocols = new(http.Protocols)
		server.Protocols.SetUnencryptedHTTP2(true)
	}
	options = append([]breakerhttp.ServeOption{breakerhttp.WithGrace(time.Minute)}, options...)
	go func() { done <- breakerhttp.Serve(server, listener, stop, options...) }()
	t.Cleanup(stop.Close)
	return listener.Addr().String(), stop, done
}

// A WebSocket that asks for Draining says goodbye in time: its peer is told that the server goes
// away, and nothing is cut.
func TestHTTP_WebSocketDrains(t *testing.T) {
	handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if !assert.NoError(t, err) {
			return
		}
		defer conn.CloseNow()
		ctx := conn.CloseRead(r.Context())
		for {
			select {
			case <-breakerhttp.Draining(r.Context()):
				_ = conn.Close(websocket.StatusGoingAway, "come again") // the peer may be gone
				return
			case <-ctx.Done():
				return
			default:
				if conn.Write(ctx, websocket.MessageText, []byte("tick")) != nil {
					return
				}
			}
		}
	}), breakerhttp.WithLimit(time.Hour), breakerhttp.WithObserver(func(*http.Request, error, int, time.Duration) {}))
	address, stop, served := underServe(t, handler)
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address, nil)
	require.NoError(t, err)
	defer conn.CloseNow()
	_, message, err := conn.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "tick", string(message))
	stop.Close()
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	assert.NoError(t, <-served)
}

// A stream of events ends with the drain, and its client, which connects again by itself, finds the
// next server.
func TestHTTP_EventsDrain(t *testing.T) {
	handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := sse.Upgrade(w, r)
		if !assert.NoError(t, err) {
			return
		}
		message := new(sse.Message)
		message.AppendData("hello")
		assert.NoError(t, session.Send(message))
		assert.NoError(t, session.Flush())
		select {
		case <-breakerhttp.Draining(r.Context()):
		case <-r.Context().Done():
			assert.NotEqual(t, breakerhttp.ErrShutdown, context.Cause(r.Context()), "it was cut")
		}
	}), breakerhttp.WithLimit(time.Hour))
	address, stop, served := underServe(t, handler)

	// The second server, as a load balancer would give it.
	current := make(chan string, 2)
	current <- address
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, <-current)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://events.example", nil)
	require.NoError(t, err)
	client := &sse.Client{HTTPClient: &http.Client{Transport: transport}, Backoff: sse.Backoff{InitialInterval: time.Millisecond}}
	connection := client.NewConnection(r)
	events := make(chan sse.Event)
	connection.SubscribeToAll(func(event sse.Event) { events <- event })
	ended := make(chan error, 1)
	go func() { ended <- connection.Connect() }()
	assert.Equal(t, "hello", (<-events).Data)

	second, stopSecond, secondServed := underServe(t, handler)
	current <- second
	stop.Close()
	assert.NoError(t, <-served)
	assert.Equal(t, "hello", (<-events).Data, "from the second")
	cancel()
	<-ended
	stopSecond.Close()
	assert.NoError(t, <-secondServed)
}

// limited waits for the end of its request.
func limited(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// With chi, Middleware goes into Use. Middleware outside sees the route and the parameters, and the
// cause.
func TestHTTP_Chi(t *testing.T) {
	// In a bubble, or the limit may pass before the handler is called.
	synctest.Test(t, func(t *testing.T) {
		var pattern, id, reason string
		router := chi.NewRouter()
		router.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				cause := breakerhttp.RecordCause(r)
				next.ServeHTTP(w, r)
				pattern, id, reason = chi.RouteContext(r.Context()).RoutePattern(), r.PathValue("id"), breakerhttp.Reason(cause())
			})
		}, breakerhttp.Middleware(breakerhttp.WithLimit(time.Millisecond), breakerhttp.WithTimeoutResponse(http.StatusServiceUnavailable, "slow")),
			chimiddleware.Recoverer)
		router.Get("/users/{id:[0-9]+}", limited)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/users/7", nil))
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, "slow", w.Body.String())
		assert.Equal(t, "/users/{id:[0-9]+}", pattern)
		assert.Equal(t, "7", id)
		assert.Equal(t, "timeout", reason)
	})
}

// With echo, it goes into WrapMiddleware.
func TestHTTP_Echo(t *testing.T) {
	// In a bubble, as above.
	synctest.Test(t, func(t *testing.T) {
		server := echo.New()
		var cause error
		server.Use(echo.WrapMiddleware(breakerhttp.Middleware(breakerhttp.WithLimit(time.Millisecond))))
		server.GET("/users/:id", func(c echo.Context) error {
			<-c.Request().Context().Done()
			cause = context.Cause(c.Request().Context())
			return c.String(http.StatusOK, c.Param("id"))
		})
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/users/7", nil))
		assert.Equal(t, "7", w.Body.String())
		assert.Equal(t, breakerhttp.ErrServerTimeout, cause)
	})
}

// The handler of x/net's h2c is done without: connections that are idle hold nothing up, and none
// gets a request in during the drain.
func TestHTTP_H2C(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	//lint:ignore SA1019 that people still have it is the point
	handler := h2c.NewHandler(hello, new(http2.Server))
	address, stop, served := underServe(t, handler)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + address)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	assert.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, "HTTP/2.0", string(body))
	stop.Close()
	assert.NoError(t, <-served, "the idle connection isn't a request")
	_, err = client.Get("http://" + address)
	assert.Error(t, err)
}

// grpcHandler is served over HTTP/2.
type grpcHandler struct{ http.Handler }

// A gRPC client takes what Handler refuses for what it is.
func TestHTTP_RefusesGRPC(t *testing.T) {
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, grpchealth.NewServer())
	ended := breaker.New()
	ended.Trip(errors.New("over"))
	for want, options := range map[codes.Code][]breakerhttp.HandlerOption{
		codes.OK:          nil,
		codes.Unavailable: {breakerhttp.WithProcess(ended)},
		// What an edge leaves of the time is nothing.
		codes.DeadlineExceeded: {breakerhttp.WithHeaders(breakerhttp.TimeoutHeader{
			Name: "Grpc-Timeout", Parse: func(string) (time.Duration, error) { return 0, nil },
		})},
	} {
		t.Run(want.String(), func(t *testing.T) {
			address, stop, served := underServe(t, &grpcHandler{breakerhttp.Handler(server, options...)})
			client, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err = healthpb.NewHealthClient(client).Check(ctx, new(healthpb.HealthCheckRequest))
			assert.Equal(t, want, status.Code(err), "%v", err)
			assert.NoError(t, client.Close())
			stop.Close()
			assert.NoError(t, <-served)
		})
	}
}
