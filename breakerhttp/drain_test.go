package breakerhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// fetch sends a GET on whatever connection there is.
func (r *rig) fetch(path string) (*http.Response, string) {
	r.t.Helper()
	response, err := r.client.Get(r.url + path)
	require.NoError(r.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response, string(text)
}

// awaitStatus asks until the answer has the status.
func (r *rig) awaitStatus(path string, status int) (*http.Response, string) {
	r.t.Helper()
	for begun := time.Now(); ; {
		response, text := r.fetch(path)
		if response.StatusCode == status {
			return response, text
		}
		if time.Since(begun) > patience {
			require.FailNow(r.t, "it never came", "%d", status)
		}
	}
}

// During the delay all goes on, but Ready already answers 503.
func TestDrain_ServeDrainDelay(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/ready", breakerhttp.Ready())
			draining := make(chan (<-chan struct{}), 1)
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				select {
				case draining <- breakerhttp.Draining(r.Context()):
				default:
				}
				fmt.Fprint(w, "hello")
			})
			connections := make(chan struct{}, 100)
			rig := assemble(t, protocol, mux.ServeHTTP)
			rig.server.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections <- struct{}{}
				}
			}
			rig.serve(breakerhttp.WithDrainDelay(forever))
			response, text := rig.fetch("/ready")
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, "ready\n", text)
			assert.False(t, response.Close)
			_, text = rig.fetch("/")
			assert.Equal(t, "hello", text)
			its := receive(t, draining)
			receive(t, connections)
			assert.Empty(t, connections, "one connection is enough")

			rig.stop.Trip(nil)
			rig.awaitStatus("/ready", http.StatusServiceUnavailable)
			// The next one, because the shutdown may begin in the middle of the first: after Serve
			// has looked, and before Ready does.
			response, text = rig.fetch("/ready")
			assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			assert.Equal(t, "shutting down\n", text)
			assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
			assert.Equal(t, response.ProtoMajor == 1, response.Close, "keep-alives are told to close")
			// HTTP/2 tells a little later.
			for begun := time.Now(); len(connections) == 0 && time.Since(begun) < patience; {
				response, text = rig.fetch("/")
				assert.Equal(t, http.StatusOK, response.StatusCode)
				assert.Equal(t, "hello", text)
			}
			assert.NotEmpty(t, connections, "the client has used another connection, and that was accepted")
			assert.Empty(t, rig.served)
			select {
			case <-its:
				assert.Fail(t, "it doesn't drain yet")
			case <-rig.draining:
				assert.Fail(t, "it doesn't drain yet")
			default:
			}
			rig.cut.Trip(nil) // the operator is impatient
			assert.NoError(t, receive(t, rig.served))
			receive(t, its)
		})
	}
}

func TestDrain_ServeDrainDelayEnds(t *testing.T) {
	t.Run("by itself", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", nil)
		begun := time.Now()
		rig.serve(breakerhttp.WithDrainDelay(50 * time.Millisecond))
		rig.stop.Trip(nil)
		assert.NoError(t, receive(t, rig.served))
		assert.GreaterOrEqual(t, time.Since(begun), 50*time.Millisecond)
	})
	t.Run("by others", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", breakerhttp.Ready().ServeHTTP)
		rig.serve(breakerhttp.WithDrainDelay(forever))
		rig.fetch("/")
		rig.stop.Trip(nil)
		rig.awaitStatus("/", http.StatusServiceUnavailable)
		assert.NoError(t, rig.server.Close())
		assert.Equal(t, http.ErrServerClosed, receive(t, rig.served))
	})
	t.Run("by a failure", func(t *testing.T) {
		failure := errors.New("out of sockets")
		rig := assemble(t, "HTTP/1", breakerhttp.Ready().ServeHTTP)
		pipes := newPipes()
		rig.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return pipes.dial(), nil }
		rig.listener = pipes
		rig.serve(breakerhttp.WithDrainDelay(forever))
		rig.fetch("/")
		rig.stop.Trip(nil)
		rig.awaitStatus("/", http.StatusServiceUnavailable)
		pipes.fail(failure)
		assert.Equal(t, failure, receive(t, rig.served))
	})
	t.Run("not at all, if the server fails before", func(t *testing.T) {
		rig := assemble(t, "HTTP/1", nil)
		rig.listener.Close()
		rig.serve(breakerhttp.WithDrainDelay(forever))
		assert.ErrorIs(t, receive(t, rig.served), net.ErrClosed)
	})
}

// A server for administration has to say that the others end.
func TestDrain_ReadyWatches(t *testing.T) {
	one, two := breaker.New(), breaker.New()
	ready := breakerhttp.Ready(one, two)
	ask := func() int {
		w := httptest.NewRecorder()
		ready.ServeHTTP(w, get(t.Context()))
		return w.Code
	}
	assert.Equal(t, http.StatusOK, ask())
	two.Close()
	assert.Equal(t, http.StatusServiceUnavailable, ask())
	assert.NoError(t, one.Err(), "they are watched, not closed")
}

func TestDrain_DrainingElsewhere(t *testing.T) {
	assert.Nil(t, breakerhttp.Draining(t.Context()))
}

// Handlers that ask for it end with the drain, and nothing is cut.
func TestDrain_Draining(t *testing.T) {
	const many = 5
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			arrived := make(chan struct{}, many)
			handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				select {
				case <-breakerhttp.Draining(r.Context()):
					fmt.Fprint(w, "come again")
				case <-r.Context().Done():
				}
			}), breakerhttp.WithLimit(forever))
			rig := assemble(t, protocol, handler.ServeHTTP)
			rig.serve()
			var answers []<-chan answer
			for range many {
				answers = append(answers, rig.send(nil))
			}
			for range many {
				receive(t, arrived)
			}
			rig.stop.Trip(nil)
			for _, from := range answers {
				assert.Equal(t, answer{http.StatusOK, "come again", nil}, receive(t, from))
			}
			assert.NoError(t, receive(t, rig.served))
		})
	}
}

func TestDrain_Panics(t *testing.T) {
	none := (*breaker.Breaker)(nil)
	for text, f := range map[string]func(){
		"breakerhttp: WithDrainDelay: the delay is negative: -1ns": func() { breakerhttp.WithDrainDelay(-1) },
		"breakerhttp: WithSignalGap: the gap is negative: -1ns":    func() { breakerhttp.WithSignalGap(-1) },
		"breakerhttp: Ready: a breaker is nil":                     func() { breakerhttp.Ready(none) },
	} {
		assert.PanicsWithValue(t, text, f)
	}
}
