package breakerhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// deadlined serves a handler whose reads and writes end with the breaker, and returns it with the
// rig.
func deadlined(t *testing.T, protocol string, options []breakerhttp.HandlerOption, handler http.HandlerFunc) (*rig, *breaker.Breaker) {
	process := breaker.New()
	t.Cleanup(process.Close)
	options = append(options, breakerhttp.WithConnDeadlines(), breakerhttp.WithProcess(process))
	rig := assemble(t, protocol, breakerhttp.Handler(handler, options...).ServeHTTP)
	rig.serve()
	return rig, process
}

func (r *rig) endWell() {
	r.t.Helper()
	r.client.CloseIdleConnections()
	r.stop.Trip(nil)
	assert.NoError(r.t, receive(r.t, r.served))
}

// A Read that waits for a slow body ends at the limit, at the end of the process, and at the cut.
func TestConn_DeadlinesRead(t *testing.T) {
	for _, protocol := range protocols {
		for _, by := range []string{"the limit", "the process", "the cut"} {
			t.Run(protocol+", by "+by, func(t *testing.T) {
				var options []breakerhttp.HandlerOption
				if by == "the limit" {
					options = append(options, breakerhttp.WithLimit(200*time.Millisecond))
				}
				read, failed := make(chan struct{}), make(chan error, 2)
				rig, process := deadlined(t, protocol, options, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadFull(r.Body, make([]byte, 5))
					if by != "the limit" { // on a busy machine, that may pass before the body comes
						assert.NoError(t, err)
					}
					close(read)
					for range 2 { // and it doesn't come back to life
						_, err = r.Body.Read(make([]byte, 5))
						failed <- err
					}
					fmt.Fprint(w, breakerhttp.Reason(context.Cause(r.Context())))
				})
				body, feed := io.Pipe()
				defer feed.Close()
				from := rig.send(body)
				fmt.Fprint(feed, "part1")
				receive(t, read)
				want := "timeout"
				switch by {
				case "the process":
					process.Trip(breaker.SignalError{Signal: os.Interrupt})
					want = "signal"
				case "the cut":
					rig.shutDown()
					rig.cut.Trip(nil)
					want = "cut"
				}
				assert.ErrorIs(t, receive(t, failed), os.ErrDeadlineExceeded)
				assert.Error(t, receive(t, failed))
				feed.CloseWithError(errors.New("enough"))
				got := receive(t, from)
				if got.err == nil { // with HTTP/1, the client may notice its own end first
					assert.Equal(t, want, got.body)
				}
				if by == "the cut" {
					assertCut(t, receive(t, rig.served), 1, 0)
					return
				}
				rig.endWell()
			})
		}
	}
}

// A Write to a client that doesn't read ends as well.
func TestConn_DeadlinesWrite(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			wrote, failed := make(chan struct{}), make(chan error, 1)
			rig, process := deadlined(t, protocol, nil, func(w http.ResponseWriter, r *http.Request) {
				close(wrote)
				_, err := io.Copy(w, endless{})
				failed <- err
			})
			response, err := rig.client.Get(rig.url)
			if !assert.NoError(t, err) {
				return
			}
			defer response.Body.Close()
			receive(t, wrote)
			process.Trip(errors.New("over"))
			assert.ErrorIs(t, receive(t, failed), os.ErrDeadlineExceeded)
			response.Body.Close()
			rig.endWell()
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A request that ends by its limit without being blocked leaves its connection as it was, for the
// next (golang/go#70834).
func TestConn_DeadlinesLeaveTheConnection(t *testing.T) {
	for _, protocol := range protocols {
		for _, writeTimeout := range []time.Duration{0, forever} {
			t.Run(fmt.Sprint(protocol, ", WriteTimeout ", writeTimeout), func(t *testing.T) {
				t.Parallel() // it waits, most of the time
				remotes := make(chan string, 2)
				next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					remotes <- r.RemoteAddr
					body, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					assert.NoError(t, r.Context().Err())
					if string(body) == "slow" {
						<-r.Context().Done()
						assert.Equal(t, breakerhttp.ErrServerTimeout, context.Cause(r.Context()))
					}
					fmt.Fprint(w, string(body))
				})
				// The limit leaves the first time to read its body, and never ends the second.
				handlers := make(chan http.Handler, 2)
				for _, limit := range []time.Duration{time.Second, forever} {
					handlers <- breakerhttp.Handler(next, breakerhttp.WithConnDeadlines(), breakerhttp.WithLimit(limit))
				}
				rig := assemble(t, protocol, func(w http.ResponseWriter, r *http.Request) { (<-handlers).ServeHTTP(w, r) })
				rig.server.WriteTimeout = writeTimeout
				rig.serve()
				assert.Equal(t, answer{http.StatusOK, "slow", nil}, receive(t, rig.send(strings.NewReader("slow"))))
				// What the handler had left to answer is over.
				<-breaker.BreakByTimeout(1100 * time.Millisecond).Done()
				assert.Equal(t, answer{http.StatusOK, "fast", nil}, receive(t, rig.send(strings.NewReader("fast"))))
				assert.Equal(t, receive(t, remotes), receive(t, remotes), "on the same connection")
				rig.endWell()
			})
		}
	}
}

// With full duplex, net/http would go on with the rest of the body as if that was the next request.
func TestConn_DeadlinesFullDuplex(t *testing.T) {
	ended := make(chan error, 1)
	rig, process := deadlined(t, "HTTP/1", nil, func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, http.NewResponseController(w).EnableFullDuplex())
		fmt.Fprint(w, "so far")
		assert.NoError(t, http.NewResponseController(w).Flush())
		_, err := io.ReadAll(r.Body)
		ended <- err
	})
	conn := rig.dial()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: host\r\nContent-Length: 1000\r\n\r\nsome")
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	assert.NoError(t, err)
	assert.Contains(t, line, "200")
	process.Trip(errors.New("over"))
	assert.ErrorIs(t, receive(t, ended), os.ErrDeadlineExceeded)
	fmt.Fprint(conn, "GET /smuggled HTTP/1.1\r\nHost: host\r\n\r\n")
	text, _ := io.ReadAll(reader) // whatever the error is: the connection is over
	assert.NotContains(t, string(text), "HTTP/1.1")
	rig.endWell()
}

// Where nothing can be set, nothing changes.
func TestConn_DeadlinesUnsupported(t *testing.T) {
	handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		fmt.Fprint(w, "so far")
	}), breakerhttp.WithConnDeadlines(), breakerhttp.WithLimit(200*time.Millisecond))
	rig := assemble(t, "HTTP/1", func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
	rig.serve()
	assert.Equal(t, answer{http.StatusOK, "so far", nil}, receive(t, rig.send(nil)))
	rig.endWell()
}
