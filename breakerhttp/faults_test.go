package breakerhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// The drain begins when stop trips, whatever its other callbacks do meanwhile.
func TestFaults_ServeDoesNotWaitForCallbacks(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("registered after Serve's: %t", late), func(t *testing.T) {
			rig := assemble(t, "HTTP/1", func(http.ResponseWriter, *http.Request) {})
			release := make(chan struct{})
			block := func() { rig.stop.OnTrip(func() { <-release }) }
			if !late {
				block()
			}
			rig.serve()
			receive(t, rig.send(nil))
			rig.client.CloseIdleConnections()
			if late {
				block()
			}
			tripped := make(chan struct{})
			go func() {
				defer close(tripped)
				rig.stop.Trip(nil)
			}()
			assert.NoError(t, receive(t, rig.served))
			close(release)
			receive(t, tripped)
		})
	}
}

// As http.Server does it: on the goroutine of the caller, who can recover.
func TestFaults_ServeNilBaseContext(t *testing.T) {
	rig := assemble(t, "HTTP/1", nil)
	rig.server.BaseContext = func(net.Listener) context.Context { return nil }
	assert.PanicsWithValue(t, "BaseContext returned a nil context", func() {
		_ = breakerhttp.Serve(rig.server, rig.listener, rig.stop)
	})
	_, err := net.Dial("tcp", rig.listener.Addr().String())
	assert.Error(t, err, "the listener is closed in any case")
	rig.stop.Close()
}

// gRPC has no use for a status of HTTP: clients make of 504 that the service is unavailable, and
// try again.
func TestFaults_RefusedGRPC(t *testing.T) {
	ended := breaker.New()
	ended.Close()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	tests := map[string]struct {
		ctx     context.Context
		timeout string
		option  breakerhttp.HandlerOption
		status  string
		message string
	}{
		"no time":   {timeout: "0n", option: breakerhttp.WithLimit(forever), status: "4", message: "no time left for this request"},
		"expired":   {ctx: expired, timeout: "1H", option: breakerhttp.WithLimit(forever), status: "4", message: "no time left for this request"},
		"the end":   {timeout: "1H", option: breakerhttp.WithProcess(ended), status: "14", message: "this server is shutting down"},
		"malformed": {timeout: "soon", option: breakerhttp.WithLimit(forever), status: "13", message: "malformed header Grpc-Timeout: want 1 to 8 digits and one of the units H, M, S, m, u, n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), get(tt.ctx, "Content-Type", "application/grpc+proto", "Grpc-Timeout", tt.timeout)
			breakerhttp.Handler(http.NotFoundHandler(), tt.option).ServeHTTP(w, r)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Empty(t, w.Body.String())
			assert.Equal(t, "application/grpc+proto", w.Header().Get("Content-Type"))
			assert.Equal(t, tt.status, w.Header().Get("Grpc-Status"))
			assert.Equal(t, tt.message, w.Header().Get("Grpc-Message"))
		})
	}
}

// A client that has never sent a request holds up the drain for five seconds, as documented, and
// not a moment longer: not with half a header, and not with a TLS handshake and nothing after it,
// for which HTTP/2 would wait ten.
func TestFaults_ServeConnectionsWithoutRequests(t *testing.T) {
	tests := map[string]struct {
		protocol string
		open     func(*rig) net.Conn
	}{
		"half a header": {"HTTP/1", func(r *rig) net.Conn {
			conn := r.dial()
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: ")
			return conn
		}},
		"a handshake for HTTP/2": {"HTTP/2 over TLS", func(r *rig) net.Conn {
			config := r.client.Transport.(*http.Transport).TLSClientConfig.Clone()
			config.NextProtos = []string{"h2"}
			config.ServerName = "example.com"
			conn := tls.Client(r.dial(), config)
			assert.NoError(t, conn.Handshake())
			return conn
		}},
		"a preface for HTTP/2": {"HTTP/2", func(r *rig) net.Conn {
			conn := r.dial()
			fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
			return conn
		}},
		"half a preface for HTTP/2": {"HTTP/2", func(r *rig) net.Conn {
			conn := r.dial()
			fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM")
			return conn
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rig := assemble(t, tt.protocol, func(http.ResponseWriter, *http.Request) { assert.Fail(t, "there is no request") })
			accepted := make(chan struct{})
			var once sync.Once
			rig.server.ConnState = func(net.Conn, http.ConnState) { once.Do(func() { close(accepted) }) }
			rig.serve()
			tt.open(rig)
			receive(t, accepted)
			begun := time.Now()
			rig.shutDown()
			assert.NoError(t, receive(t, rig.served))
			// It may take http.Server a second and a half more, and a busy machine some.
			assert.Less(t, time.Since(begun), 9500*time.Millisecond)
		})
	}
}

// HTTP/2 that a handler speaks, on a connection that it has hijacked, can't be drained: there, a
// connection is a request.
func TestFaults_ServeRefusesHTTP2ByHandlers(t *testing.T) {
	var logged bytes.Buffer
	rig := assemble(t, "HTTP/1", func(http.ResponseWriter, *http.Request) { assert.Fail(t, "the handler was called") })
	rig.server.ErrorLog = log.New(&logged, "", 0)
	rig.serve()
	conn := rig.dial()
	fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if assert.NoError(t, err) {
		assert.Equal(t, http.StatusHTTPVersionNotSupported, response.StatusCode)
		text, _ := io.ReadAll(response.Body)
		assert.Contains(t, string(text), "Protocols.SetUnencryptedHTTP2")
	}
	conn.Close()
	rig.stop.Trip(nil)
	assert.NoError(t, receive(t, rig.served))
	assert.Contains(t, logged.String(), "Protocols.SetUnencryptedHTTP2")
}

// A server may ignore an upgrade, and has to, where the handler would take the connection away with
// it.
func TestFaults_ServeIgnoresUpgradeToHTTP2(t *testing.T) {
	seen := make(chan http.Header, 1)
	rig := assemble(t, "HTTP/1", func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	rig.serve()
	conn := rig.dial()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: host\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	header := receive(t, seen)
	assert.NotContains(t, header, "Upgrade")
	assert.NotContains(t, header, "Http2-Settings")
	rig.stop.Trip(nil)
	assert.NoError(t, receive(t, rig.served))
}
