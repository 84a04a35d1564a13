package breakerhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// forever is a time that no test takes.
const forever = time.Hour

// rig is a server under Serve, and a client of it.
type rig struct {
	t        *testing.T
	server   *http.Server
	listener net.Listener
	client   *http.Client
	url      string
	stop     *breaker.Breaker // begins the shutdown
	cut      *breaker.Breaker // ends the grace period
	draining chan struct{}    // closed when the listener is
	served   chan error       // what Serve returns
}

// protocols are those that the tests go through.
var protocols = []string{"HTTP/1", "HTTP/1 over TLS", "HTTP/2", "HTTP/2 over TLS"}

// assemble makes a rig that doesn't serve yet.
func assemble(t *testing.T, protocol string, handler http.HandlerFunc) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &rig{
		t:        t,
		server:   &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols)},
		listener: listener,
		url:      "http://" + listener.Addr().String(),
		stop:     breaker.New(),
		cut:      breaker.New(),
		draining: make(chan struct{}),
		served:   make(chan error, 1),
	}
	transport := &http.Transport{Protocols: r.server.Protocols}
	switch protocol {
	case "HTTP/1":
		r.server.Protocols.SetHTTP1(true)
	case "HTTP/2":
		r.server.Protocols.SetUnencryptedHTTP2(true)
	case "HTTP/1 over TLS", "HTTP/2 over TLS":
		next := "http/1.1"
		r.server.Protocols.SetHTTP1(true)
		if protocol == "HTTP/2 over TLS" {
			next = "h2"
			r.server.Protocols.SetHTTP2(true)
		}
		certificate, pool := identity()
		r.listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{next}})
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		r.url = "https://" + listener.Addr().String()
	}
	r.client = &http.Client{Transport: transport}
	r.server.RegisterOnShutdown(func() { close(r.draining) })
	return r
}

// identity is what package httptest has for a server on the loopback address.
var identity = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server.TLS.Certificates[0], pool
})

// serve starts Serve. The grace period and the cut timeout don't end by themselves unless an option
// says so.
func (r *rig) serve(options ...breakerhttp.ServeOption) {
	options = append([]breakerhttp.ServeOption{
		breakerhttp.WithGrace(forever), breakerhttp.WithCutTimeout(forever), breakerhttp.WithCut(r.cut),
	}, options...)
	go func() { r.served <- breakerhttp.Serve(r.server, r.listener, r.stop, options...) }()
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		r.stop.Close()
		r.cut.Close()
	})
}

// shutDown begins the shutdown and waits until it has begun.
func (r *rig) shutDown() {
	r.stop.Trip(nil)
	receive(r.t, r.draining)
}

// answer is what a client got.
type answer struct {
	status int
	body   string
	err    error
}

// send sends a request, and returns where its answer is going to come from.
func (r *rig) send(body io.Reader) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		response, err := r.client.Post(r.url, "text/plain", body)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answers <- answer{response.StatusCode, string(text), err}
	}()
	return answers
}

// dial opens a connection of its own to the server.
func (r *rig) dial() net.Conn {
	conn, err := net.Dial("tcp", r.listener.Addr().String())
	require.NoError(r.t, err)
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// awaitReturn waits until the handler of a request has returned: http.Server ends the context then.
func awaitReturn(t *testing.T, r *http.Request) {
	t.Helper()
	receive(t, r.Context().Done())
}

func assertCut(t *testing.T, err error, requests, connections int) *breakerhttp.CutError {
	t.Helper()
	var cut *breakerhttp.CutError
	if assert.ErrorAs(t, err, &cut) {
		assert.Equal(t, requests, cut.Requests, "requests")
		assert.Equal(t, connections, cut.Connections, "connections")
		return cut
	}
	return new(breakerhttp.CutError)
}

func TestServeDrains(t *testing.T) {
	const many = 5
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			arrived, proceed := make(chan struct{}, many), make(chan struct{})
			rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-proceed
				assert.NoError(t, r.Context().Err(), "the first signal never cancels a request in flight")
				assert.NoError(t, context.Cause(r.Context()))
				fmt.Fprint(w, r.Proto)
			})
			rig.serve()
			var answers []<-chan answer
			for range many {
				answers = append(answers, rig.send(nil))
			}
			for range many {
				receive(t, arrived)
			}
			rig.shutDown()

			_, err := net.Dial("tcp", rig.listener.Addr().String())
			assert.Error(t, err, "nothing new is accepted")
			assert.Empty(t, rig.served, "requests are in flight")
			close(proceed)
			for _, from := range answers {
				got := receive(t, from)
				assert.NoError(t, got.err)
				assert.Equal(t, http.StatusOK, got.status)
				assert.Equal(t, protocol[:len("HTTP/1")], got.body[:len("HTTP/1")])
			}
			assert.NoError(t, receive(t, rig.served))
			assert.Equal(t, breaker.Interrupted, rig.stop.Cause(), "it is watched, not closed")
		})
	}
}

func TestServeCuts(t *testing.T) {
	const many = 5
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			arrived, ends := make(chan struct{}, many), make(chan end, many)
			rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				untilDone(ends)(w, r)
				fmt.Fprint(w, "so far")
			})
			rig.serve()
			var answers []<-chan answer
			for range many {
				answers = append(answers, rig.send(nil))
			}
			for range many {
				receive(t, arrived)
			}
			rig.shutDown()
			assert.Empty(t, ends)
			why := errors.New("enough")
			rig.cut.Trip(why)
			for range many {
				got := receive(t, ends)
				assert.Equal(t, context.Canceled, got.err)
				assert.Equal(t, breakerhttp.ErrShutdown, got.cause)
			}
			for _, from := range answers {
				assert.Equal(t, answer{http.StatusOK, "so far", nil}, receive(t, from), "a handler that was cut may still answer")
			}
			cut := assertCut(t, receive(t, rig.served), many, 0)
			assert.Equal(t, why, cut.Cause)
			assert.ErrorIs(t, cut, why)
			assert.EqualError(t, cut, "breakerhttp: requests cut by the shutdown: 5, connections closed while busy: 0, because: enough")

			w := httptest.NewRecorder()
			rig.server.Handler.ServeHTTP(w, get(t.Context()))
			assert.Equal(t, http.StatusServiceUnavailable, w.Code, "after the cut no handler is called")
			assert.Equal(t, "close", w.Result().Header.Get("Connection"))
		})
	}
}

// A handler that stays in spite of the cut is left behind, its connection closed.
func TestServe_Closes(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			arrived, proceed, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
			rig := assemble(t, protocol, func(http.ResponseWriter, *http.Request) {
				defer close(returned)
				close(arrived)
				<-proceed
			})
			rig.serve(breakerhttp.WithGrace(0), breakerhttp.WithCutTimeout(0))
			from := rig.send(nil)
			receive(t, arrived)
			rig.shutDown()
			cut := assertCut(t, receive(t, rig.served), 1, 1)
			assert.ErrorIs(t, cut, context.DeadlineExceeded, "the grace period was over")
			assert.Error(t, receive(t, from).err)
			close(proceed)
			receive(t, returned)
		})
	}
}

// The grace period and the cut timeout end by themselves.
func TestServeTimes(t *testing.T) {
	arrived, proceed, ends := make(chan struct{}), make(chan struct{}), make(chan end, 1)
	defer close(proceed)
	rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		untilDone(ends)(w, r)
		<-proceed
	})
	rig.serve(breakerhttp.WithGrace(time.Millisecond), breakerhttp.WithCutTimeout(time.Millisecond))
	from := rig.send(nil)
	receive(t, arrived)
	rig.shutDown()
	assert.Equal(t, breakerhttp.ErrShutdown, receive(t, ends).cause)
	assertCut(t, receive(t, rig.served), 1, 1)
	assert.Error(t, receive(t, from).err)
}

func TestServe_Idle(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			rig := assemble(t, protocol, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
			rig.serve()
			for range 3 { // the second and the third on the connection of the first
				assert.Equal(t, answer{http.StatusOK, "hello", nil}, receive(t, rig.send(nil)))
			}
			rig.stop.Trip(nil)
			assert.NoError(t, receive(t, rig.served), "a connection that is kept alive holds up nothing")
			assert.Error(t, receive(t, rig.send(nil)).err)
		})
	}
}

// A client keeps sending its body all through the drain.
func TestServe_DrainsSlowBody(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			read := make(chan string, 3)
			rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				part := make([]byte, 5)
				for range 3 {
					n, err := io.ReadFull(r.Body, part)
					assert.NoError(t, err)
					read <- string(part[:n])
				}
				assert.NoError(t, r.Context().Err())
				fmt.Fprint(w, "thanks")
			})
			rig.serve()
			body, feed := io.Pipe()
			from := rig.send(body)
			fmt.Fprint(feed, "part1")
			assert.Equal(t, "part1", receive(t, read))
			rig.shutDown()
			fmt.Fprint(feed, "part2")
			assert.Equal(t, "part2", receive(t, read))
			fmt.Fprint(feed, "part3")
			feed.Close()
			assert.Equal(t, answer{http.StatusOK, "thanks", nil}, receive(t, from))
			assert.NoError(t, receive(t, rig.served))
		})
	}
}

// A Read knows no context: the cut doesn't end it, the closing of its connection does.
func TestServe_ClosesSlowBody(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			read, failed := make(chan struct{}), make(chan error, 1)
			rig := assemble(t, protocol, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.ReadFull(r.Body, make([]byte, 5))
				assert.NoError(t, err)
				close(read)
				_, err = io.ReadAll(r.Body)
				failed <- err
			})
			rig.serve(breakerhttp.WithCutTimeout(0))
			body, feed := io.Pipe()
			from := rig.send(body)
			fmt.Fprint(feed, "part1")
			receive(t, read)
			rig.shutDown()
			assert.Empty(t, failed)
			rig.cut.Trip(nil)
			assertCut(t, receive(t, rig.served), 1, 1)
			assert.Error(t, receive(t, failed))
			feed.Close()
			receive(t, from)
		})
	}
}

// A response that its client doesn't read outlasts its handler. It isn't a request that could be
// cut, but closing its connection does lose it, and that is said.
func TestServe_ClosesUnreadResponse(t *testing.T) {
	requests := make(chan *http.Request, 1)
	rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		fmt.Fprint(w, "nobody reads this")
	})
	pipes := newPipes()
	rig.listener = pipes
	rig.serve(breakerhttp.WithCutTimeout(0))
	conn := pipes.dial()
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: host\r\n\r\n")
	awaitReturn(t, receive(t, requests))
	rig.shutDown()
	rig.cut.Trip(nil)
	assertCut(t, receive(t, rig.served), 0, 1)
}

// On a connection that nothing was sent on, nothing can be cut. http.Server would give it five
// seconds.
func TestServeSilentConnection(t *testing.T) {
	rig := assemble(t, "HTTP/1", func(http.ResponseWriter, *http.Request) { assert.Fail(t, "nothing was sent") })
	accepted := make(chan struct{})
	rig.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			close(accepted)
		}
	}
	rig.serve(breakerhttp.WithCutTimeout(0))
	rig.dial()
	receive(t, accepted)
	rig.shutDown()
	rig.cut.Trip(nil)
	assert.NoError(t, receive(t, rig.served))
}

// A connection that the server had accepted before the drain doesn't get its first request in after
// that, nor does it hold up the drain (golang/go#81153).
func TestServe_LateConnection(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			rig := assemble(t, protocol, func(http.ResponseWriter, *http.Request) {
				assert.Fail(t, "nothing is accepted any more")
			})
			accepted, proceed := make(chan struct{}), make(chan struct{})
			rig.server.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					close(accepted)
				}
			}
			rig.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				<-proceed
				return conn, err
			}
			rig.serve()
			from := rig.send(nil)
			receive(t, accepted)
			rig.shutDown()
			close(proceed)
			assert.Error(t, receive(t, from).err)
			assert.NoError(t, receive(t, rig.served))
		})
	}
}

// hijack takes the connection over, as a WebSocket library would.
func hijack(t *testing.T, w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if assert.NoError(t, err) {
		fmt.Fprint(conn, "hijacked\n")
	}
	return conn
}

// hijacked makes the server's handler hijack a connection, and returns the other end of it.
func (r *rig) hijacked() (net.Conn, *bufio.Reader) {
	conn := r.dial()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: host\r\n\r\n")
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	require.NoError(r.t, err)
	require.Equal(r.t, "hijacked\n", line)
	return conn, reader
}

func TestServe_Hijacked(t *testing.T) {
	t.Run("drained", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
			conn := hijack(t, w)
			defer conn.Close()
			text, err := io.ReadAll(conn)
			assert.NoError(t, err)
			assert.NoError(t, r.Context().Err())
			conn.Write(text)
		})
		rig.serve()
		conn, reader := rig.hijacked()
		rig.shutDown()
		assert.Empty(t, rig.served)
		fmt.Fprint(conn, "echo")
		conn.(*net.TCPConn).CloseWrite()
		text, err := io.ReadAll(reader)
		assert.NoError(t, err)
		assert.Equal(t, "echo", string(text))
		assert.NoError(t, receive(t, rig.served))
	})
	t.Run("cut", func(t *testing.T) {
		ends := make(chan end, 1)
		rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
			conn := hijack(t, w)
			defer conn.Close()
			untilDone(ends)(w, r)
			fmt.Fprint(conn, "bye")
		})
		rig.serve()
		_, reader := rig.hijacked()
		rig.shutDown()
		rig.cut.Trip(nil)
		assert.Equal(t, breakerhttp.ErrShutdown, receive(t, ends).cause)
		text, err := io.ReadAll(reader)
		assert.NoError(t, err)
		assert.Equal(t, "bye", string(text))
		assertCut(t, receive(t, rig.served), 1, 0)
	})
	t.Run("closed", func(t *testing.T) {
		failed := make(chan error, 1)
		rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, _ *http.Request) {
			conn := hijack(t, w)
			_, err := conn.Read(make([]byte, 1)) // whatever the context says
			failed <- err
		})
		rig.serve(breakerhttp.WithCutTimeout(0))
		rig.hijacked()
		rig.shutDown()
		assert.Empty(t, failed)
		rig.cut.Trip(nil)
		assert.ErrorIs(t, receive(t, failed), net.ErrClosed)
		assertCut(t, receive(t, rig.served), 1, 1)
	})
	t.Run("for good", func(t *testing.T) {
		conns, requests := make(chan net.Conn, 1), make(chan *http.Request, 1)
		rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
			conns <- hijack(t, w)
			requests <- r
		})
		rig.serve()
		conn, reader := rig.hijacked()
		its := receive(t, conns)
		defer its.Close()
		awaitReturn(t, receive(t, requests))
		rig.stop.Trip(nil)
		assert.NoError(t, receive(t, rig.served), "it is the new owner's")
		fmt.Fprint(its, "alive\n")
		line, err := reader.ReadString('\n')
		assert.NoError(t, err)
		assert.Equal(t, "alive\n", line)
		conn.Close()
	})
	t.Run("for good, next to a cut", func(t *testing.T) {
		conns, requests := make(chan net.Conn, 1), make(chan *http.Request, 1)
		arrived, proceed := make(chan struct{}), make(chan struct{})
		defer close(proceed)
		rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				close(arrived)
				<-proceed
				return
			}
			conns <- hijack(t, w)
			requests <- r
		})
		rig.serve(breakerhttp.WithCutTimeout(0))
		_, reader := rig.hijacked()
		its := receive(t, conns)
		defer its.Close()
		awaitReturn(t, receive(t, requests))
		from := rig.send(nil)
		receive(t, arrived)
		rig.shutDown()
		rig.cut.Trip(nil)
		assertCut(t, receive(t, rig.served), 1, 1)
		receive(t, from)
		fmt.Fprint(its, "alive\n")
		line, err := reader.ReadString('\n')
		assert.NoError(t, err)
		assert.Equal(t, "alive\n", line)
	})
}

func TestServeFails(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", nil)
		rig.listener.Close()
		rig.serve()
		err := receive(t, rig.served)
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.NotErrorIs(t, err, http.ErrServerClosed)
		assert.NoError(t, rig.stop.Err())
	})
	failure := errors.New("out of sockets")
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("with a request in flight, cut: %t", cut), func(t *testing.T) {
			arrived, proceed := make(chan struct{}), make(chan struct{})
			rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				select {
				case <-proceed:
				case <-r.Context().Done():
				}
				fmt.Fprint(w, context.Cause(r.Context()))
			})
			pipes := newPipes()
			rig.listener = pipes
			rig.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return pipes.dial(), nil }
			rig.serve()
			from := rig.send(nil)
			receive(t, arrived)
			pipes.fail(failure)
			receive(t, rig.draining)
			if !cut {
				close(proceed)
				assert.Equal(t, answer{http.StatusOK, "<nil>", nil}, receive(t, from))
				assert.Equal(t, failure, receive(t, rig.served))
				return
			}
			rig.cut.Trip(nil)
			assert.Equal(t, answer{http.StatusOK, breakerhttp.ErrShutdown.Error(), nil}, receive(t, from))
			err := receive(t, rig.served)
			assert.ErrorIs(t, err, failure)
			assertCut(t, err, 1, 0)
		})
	}
}

// If other code shuts the server down, Serve keeps out of it.
func TestServe_ShutDownByOthers(t *testing.T) {
	arrived, proceed := make(chan struct{}), make(chan struct{})
	rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-proceed
		assert.NoError(t, r.Context().Err())
	})
	rig.serve()
	from := rig.send(nil)
	receive(t, arrived)
	down := make(chan error, 1)
	go func() { down <- rig.server.Shutdown(context.Background()) }()
	assert.Equal(t, http.ErrServerClosed, receive(t, rig.served))
	close(proceed)
	assert.Equal(t, answer{status: http.StatusOK}, receive(t, from))
	assert.NoError(t, receive(t, down))
}

func TestServe_StoppedBefore(t *testing.T) {
	rig := assemble(t, "HTTP/1", nil)
	rig.stop.Trip(nil)
	rig.serve()
	assert.NoError(t, receive(t, rig.served))
	_, err := rig.listener.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}

// Whatever the breaker is, it is only watched.
func TestServe_Stop(t *testing.T) {
	type embedding struct{ breaker.Breaker }
	inner, embedded := breaker.New(), new(embedding)
	tests := map[string]struct {
		stop breaker.Interface
		trip func(error) bool
	}{
		"a view":       {breaker.NopCloser(inner), inner.Trip},
		"embedded":     {embedded, embedded.Trip},
		"already over": {breaker.NopCloser(inner), inner.Trip},
	}
	for _, name := range []string{"a view", "embedded", "already over"} {
		t.Run(name, func(t *testing.T) {
			tt := tests[name]
			rig := assemble(t, "HTTP/1", func(http.ResponseWriter, *http.Request) {})
			served := make(chan error, 1)
			go func() { served <- breakerhttp.Serve(rig.server, rig.listener, tt.stop) }()
			if tt.stop.Err() == nil {
				assert.Equal(t, answer{status: http.StatusOK}, receive(t, rig.send(nil)))
				rig.client.CloseIdleConnections()
			}
			tt.trip(errors.New("over"))
			assert.NoError(t, receive(t, served))
		})
	}
}

// What the server has of the caller's stays in use.
func TestServe_KeepsWhatItTakesOver(t *testing.T) {
	type baseKey struct{}
	type connKey struct{}
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			base, endBase := context.WithCancelCause(context.WithValue(t.Context(), baseKey{}, "base"))
			defer endBase(nil)
			closed := make(chan struct{})
			arrived, ends := make(chan struct{}), make(chan end, 1)
			rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "base", r.Context().Value(baseKey{}))
				assert.Equal(t, "conn", r.Context().Value(connKey{}))
				assert.NotNil(t, r.Context().Value(http.ServerContextKey))
				close(arrived)
				untilDone(ends)(w, r)
			})
			rig.server.BaseContext = func(l net.Listener) context.Context {
				assert.Equal(t, rig.listener, l)
				return base
			}
			rig.server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, "conn")
			}
			rig.server.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					close(closed)
				}
			}
			rig.serve()
			from := rig.send(nil)
			receive(t, arrived)
			why := errors.New("the base is over")
			endBase(why)
			assert.Equal(t, end{err: context.Canceled, cause: why}, func() end { e := receive(t, ends); e.after = 0; return e }())
			assert.Equal(t, answer{status: http.StatusOK}, receive(t, from))
			rig.client.CloseIdleConnections()
			receive(t, closed)
			rig.stop.Trip(nil)
			assert.NoError(t, receive(t, rig.served))
		})
	}
	t.Run("the default handler", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", nil)
		rig.server.Handler = nil
		rig.serve()
		got := receive(t, rig.send(nil))
		assert.Equal(t, http.StatusNotFound, got.status)
		rig.stop.Trip(nil)
		assert.NoError(t, receive(t, rig.served))
	})
	t.Run("a context of one's own for connections", func(t *testing.T) {
		arrived, proceed, ends := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		rig := assemble(t, "HTTP/1", func(_ http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			close(arrived)
			<-proceed
			ends <- context.Cause(ctx)
		})
		rig.server.ConnContext = func(context.Context, net.Conn) context.Context { return context.Background() }
		rig.serve(breakerhttp.WithCutTimeout(0))
		from := rig.send(nil)
		receive(t, arrived)
		rig.shutDown()
		rig.cut.Trip(nil)
		assertCut(t, receive(t, rig.served), 1, 1)
		close(proceed)
		assert.NotEqual(t, breakerhttp.ErrShutdown, receive(t, ends), "counted, but out of reach of the cut")
		receive(t, from)
	})
}

// With Handler in between, the cut comes through, and Handler's own reasons do.
func TestServe_WithHandler(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			arrived, ends := make(chan struct{}), make(chan end, 1)
			inner := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				untilDone(ends)(w, r)
			}), breakerhttp.WithLimit(forever))
			rig := assemble(t, protocol, inner.ServeHTTP)
			rig.serve()
			from := rig.send(nil)
			receive(t, arrived)
			rig.shutDown()
			rig.cut.Trip(nil)
			got := receive(t, ends)
			assert.Equal(t, context.Canceled, got.err)
			assert.Equal(t, breakerhttp.ErrShutdown, got.cause)
			receive(t, from)
			assertCut(t, receive(t, rig.served), 1, 0)
		})
	}
}

// A panic of a handler's doesn't spoil the count.
func TestServe_HandlerPanics(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			rig := assemble(t, protocol, func(http.ResponseWriter, *http.Request) { panic("on purpose") })
			rig.serve()
			assert.Error(t, receive(t, rig.send(nil)).err)
			rig.client.CloseIdleConnections()
			rig.stop.Trip(nil)
			assert.NoError(t, receive(t, rig.served))
		})
	}
}

// A listener of others may return connections that can't be compared.
func TestServe_IncomparableConnections(t *testing.T) {
	arrived, ends := make(chan struct{}, 2), make(chan end, 2)
	rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		untilDone(ends)(w, r)
	})
	rig.listener = incomparableListener{rig.listener}
	rig.serve()
	one, two := rig.send(nil), rig.send(nil)
	receive(t, arrived)
	receive(t, arrived)
	rig.shutDown()
	rig.cut.Trip(nil)
	assertCut(t, receive(t, rig.served), 2, 0)
	receive(t, one)
	receive(t, two)
}

type incomparableListener struct{ net.Listener }

type incomparableConn struct {
	net.Conn
	_ []byte
}

func (l incomparableListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return incomparableConn{Conn: conn}, err
}

func TestServe_Panics(t *testing.T) {
	server, stop := new(http.Server), breaker.New()
	listener := newPipes()
	none := (*breaker.Breaker)(nil)
	tests := map[string]func(){
		"breakerhttp: Serve: the server is nil":                      func() { _ = breakerhttp.Serve(nil, listener, stop) },
		"breakerhttp: Serve: the listener is nil":                    func() { _ = breakerhttp.Serve(server, nil, stop) },
		"breakerhttp: Serve: the breaker stop is nil":                func() { _ = breakerhttp.Serve(server, listener, none) },
		"breakerhttp: Serve: option 0 is nil":                        func() { _ = breakerhttp.Serve(server, listener, stop, nil) },
		"breakerhttp: WithGrace: the grace period is negative: -1ns": func() { breakerhttp.WithGrace(-1) },
		"breakerhttp: WithCutTimeout: the timeout is negative: -1ns": func() { breakerhttp.WithCutTimeout(-1) },
		"breakerhttp: WithSignals: signal 1 is nil":                  func() { breakerhttp.WithSignals(os.Interrupt, nil) },
		"breakerhttp: WithCut: the breaker is nil":                   func() { breakerhttp.WithCut(nil) },
	}
	for text, f := range tests {
		assert.PanicsWithValue(t, text, f)
	}
	assert.Nil(t, server.Handler, "nothing has changed")
}

// pipes is a listener in memory. Its connections have no buffer, so a write waits until it is read.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	err   error
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipes) fail(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.done)
	})
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, p.err
	}
}

func (p *pipes) Close() error {
	p.fail(net.ErrClosed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
