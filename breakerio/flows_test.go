package breakerio_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// The lines of docs/flows.md that need nothing but the breaker, or that other packages don't test.

func TestFlows_Select(t *testing.T) {
	br := breaker.New()
	in, out := make(chan int), make(chan int)
	waiting := start(func() (int, error) {
		select {
		case <-in:
		case out <- 1:
		case <-br.Done():
			return 0, br.Cause()
		}
		return 0, nil
	})
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assert.Equal(t, errWhy, await(t, waiting).err)
}

func TestFlows_Loop(t *testing.T) {
	br := breaker.New()
	began := make(chan struct{})
	looping := start(func() (rounds int, err error) {
		close(began)
		for br.Err() == nil {
			rounds++
			runtime.Gosched()
		}
		return rounds, br.Cause()
	})
	<-began
	br.Trip(errWhy)
	assert.Equal(t, errWhy, await(t, looping).err)
}

func TestFlows_IOPipe(t *testing.T) {
	br := breaker.New()
	r, w := io.Pipe()
	stop := br.OnTrip(func() { _ = w.CloseWithError(br.Cause()) })
	defer stop()
	reading := start(func() (int, error) { return r.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assert.Equal(t, errWhy, await(t, reading).err)

	br = breaker.New()
	r, w = io.Pipe()
	defer br.OnTrip(func() { _ = r.CloseWithError(br.Cause()) })()
	writing := start(func() (int, error) { return w.Write(make([]byte, 1)) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assert.Equal(t, errWhy, await(t, writing).err)
}

// silent is a resolver that asks a server that never answers, and says when it does.
func silent(t *testing.T, bind func(net.Conn) net.Conn) (*net.Resolver, <-chan struct{}) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	closeAtEnd(t, server)
	asked := make(chan struct{}, 100)
	go func() {
		for p := make([]byte, 1000); ; {
			if _, _, err := server.ReadFrom(p); err != nil {
				return
			}
			asked <- struct{}{}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
		if err != nil {
			return nil, err
		}
		return bind(conn), nil
	}}, asked
}

// The query itself ends, and not only the wait for it; its own timeout is 5 seconds.
func TestFlows_DNS(t *testing.T) {
	br := breaker.New()
	resolver, asked := silent(t, func(conn net.Conn) net.Conn { return breakerio.Conn(br, conn) })
	lookup := start(func() (int, error) {
		_, err := resolver.LookupHost(breaker.ToContext(br), "breaker.example.")
		return 0, err
	})
	<-asked
	br.Trip(errWhy)
	err := await(t, lookup).err
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "i/o timeout")
}

func TestFlows_Dial(t *testing.T) {
	br := breaker.New()
	resolver, asked := silent(t, func(conn net.Conn) net.Conn { return breakerio.Conn(br, conn) })
	dialer := &net.Dialer{Resolver: resolver}
	dialing := start(func() (int, error) {
		_, err := dialer.DialContext(breaker.ToContext(br), "tcp", "breaker.example.:80")
		return 0, err
	})
	<-asked
	br.Trip(errWhy)
	assert.Error(t, await(t, dialing).err)
}

func TestFlows_HTTPClient(t *testing.T) {
	br := breaker.New()
	entered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	defer server.Close()
	client := server.Client()
	calling := start(func() (int, error) {
		r, err := http.NewRequestWithContext(breaker.ToContext(br), http.MethodGet, server.URL, nil)
		if err != nil {
			return 0, err
		}
		_, err = client.Do(r)
		return 0, err
	})
	<-entered
	br.Trip(errWhy)
	assert.ErrorIs(t, await(t, calling).err, errWhy)
}

// A response that the client doesn't take: the deadline is that of its ResponseWriter.
func TestFlows_ResponseWriter(t *testing.T) {
	br := breaker.New()
	began := make(chan struct{}, 1)
	copied := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		zero, err := os.Open("/dev/zero")
		if err == nil {
			began <- struct{}{}
			_, err = breakerio.Copy(br, w, onlyReader{zero})
			_ = zero.Close()
		}
		copied <- err
	}))
	defer server.Close()
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	closeAtEnd(t, client)
	_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-began
	br.Trip(errWhy)
	assert.ErrorIs(t, <-copied, errWhy)
}

// What can't be interrupted: the wait ends, and the work goes on.
func TestFlows_Goroutine(t *testing.T) {
	br := breaker.New()
	gate := make(chan struct{})
	done := make(chan struct{})
	waiting := start(func() (int, error) {
		go func() {
			defer close(done)
			<-gate // stands for a call of C, or a system call without a deadline
		}()
		select {
		case <-done:
			return 0, nil
		case <-br.Done():
			return 0, br.Cause()
		}
	})
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assert.Equal(t, errWhy, await(t, waiting).err)
	close(gate)
	<-done
}
