package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
)

// runMain in the environment makes the test binary the program itself.
const runMain = "BREAKER_EXAMPLE_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// program returns a command that runs main, and is killed when the breaker trips.
func program(limit breaker.Interface, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(breaker.ToContext(limit), os.Args[0], args...)
	cmd.Env = append(os.Environ(), runMain+"=1")
	return cmd
}

// whole is the body of a request that isn't interrupted.
var whole = func() string {
	var b strings.Builder
	for n := range chunks {
		fmt.Fprintf(&b, "%-*d\n", chunkSize-1, n)
	}
	return b.String()
}()

// In a bubble the chunks come at 5, 10, 15 ms exactly, so how many there are depends on nothing but the timeouts.
func TestStream(t *testing.T) {
	interrupt := breaker.SignalError{Signal: os.Interrupt}
	never := time.Duration(math.MaxInt64)

	for _, test := range []struct {
		name     string
		timeout  string
		leave    time.Duration // when the client hangs up; 0: never
		end      time.Duration // when the process ends; 0: never, negative: it has before
		endCause error
		chunks   int
		cause    string
	}{
		{name: "finished", timeout: "5s", chunks: chunks},
		{name: "finished just in time", timeout: "321ms", chunks: chunks},
		{name: "the longest timeout", timeout: never.String(), chunks: chunks},
		{name: "the last chunk is missing", timeout: "319ms", chunks: chunks - 1, cause: "timeout"},
		{name: "timeout", timeout: "52ms", chunks: 10, cause: "timeout"},
		{name: "the default timeout", chunks: 1, cause: "timeout"},
		{name: "no time for a chunk", timeout: "1ns", cause: "timeout"},
		{name: "client", timeout: "5s", leave: 52 * time.Millisecond, chunks: 10, cause: "client"},
		{name: "timeout before client", timeout: "22ms", leave: 52 * time.Millisecond, chunks: 4, cause: "timeout"},
		{name: "signal", timeout: "5s", end: 52 * time.Millisecond, endCause: interrupt, chunks: 10, cause: "signal: interrupt"},
		{name: "signal before the request", timeout: "5s", end: -1, endCause: interrupt, cause: "signal: interrupt"},
		{name: "signal after the request", timeout: "5s", end: time.Second, endCause: interrupt, chunks: chunks},
		{name: "failure", timeout: "5s", end: 52 * time.Millisecond, endCause: net.ErrClosed, chunks: 10, cause: net.ErrClosed.Error()},
		{name: "plain close", timeout: "5s", end: 52 * time.Millisecond, endCause: breaker.ErrClosed, chunks: 10, cause: "shutdown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				process := breaker.New()
				defer process.Close()
				switch end := func() { process.Trip(test.endCause) }; {
				case test.end < 0:
					end()
				case test.end > 0:
					defer time.AfterFunc(test.end, end).Stop()
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if test.leave > 0 {
					defer time.AfterFunc(test.leave, leave).Stop()
				}
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				if test.timeout != "" {
					r.Header.Set(timeoutHeader, test.timeout)
				}
				ended, response, body := do(stream{process: process, pace: defaultPace}, r)

				size := test.chunks * chunkSize
				assert.Equal(t, size, ended.bytes)
				assert.Equal(t, whole[:size], body)
				assert.Equal(t, fmt.Sprint(size), response.Header.Get("Content-Length"))
				assert.Equal(t, response.StatusCode, ended.status)
				assert.Equal(t, test.cause, ended.cause)
				assert.Equal(t, test.cause, response.Header.Get(causeHeader))
				switch {
				case test.chunks == chunks:
					assert.Equal(t, http.StatusOK, response.StatusCode)
					assert.NotContains(t, response.Header, "Content-Range")
				case test.chunks == 0:
					assert.Equal(t, http.StatusPartialContent, response.StatusCode)
					assert.Equal(t, "bytes */65536", response.Header.Get("Content-Range"))
				default:
					assert.Equal(t, http.StatusPartialContent, response.StatusCode)
					assert.Equal(t, fmt.Sprintf("bytes 0-%d/65536", size-1), response.Header.Get("Content-Range"))
				}
				if test.endCause == nil {
					assert.NoError(t, process.Err(), "a request has closed the process breaker")
				}
			})
		})
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []string
		want   string
	}{
		{"malformed", []string{"soon"}, `X-Timeout: "soon" is not a Go duration`},
		{"without a unit", []string{"5"}, `X-Timeout: "5" is not a Go duration`},
		{"empty", []string{""}, `X-Timeout: "" is not a Go duration`},
		{"two", []string{"1s", "2s"}, `X-Timeout: "1s, 2s" is not a Go duration`},
		{"more than there is", []string{"9999999h"}, `X-Timeout: "9999999h" is not a Go duration`},
		{"zero", []string{"0s"}, `X-Timeout: "0s" leaves no time`},
		{"negative", []string{"-5ms"}, `X-Timeout: "-5ms" leaves no time`},
	} {
		t.Run(test.name, func(t *testing.T) {
			process := breaker.New()
			defer process.Close()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header[timeoutHeader] = test.values
			ended, response, body := do(stream{process: process, pace: time.Hour}, r)

			assert.Equal(t, http.StatusBadRequest, response.StatusCode)
			assert.Contains(t, body, test.want)
			assert.NotContains(t, response.Header, causeHeader)
			assert.Equal(t, http.StatusBadRequest, ended.status)
			assert.Equal(t, len(body), ended.bytes)
			assert.Equal(t, body, ended.note+"\n")
		})
	}
}

// do has the handler answer the request. The response has only those headers that were set before the status.
func do(s stream, r *http.Request) (ended outcome, response *http.Response, body string) {
	s.log = func(o outcome) { ended = o }
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return ended, w.Result(), w.Body.String()
}

// Over a real connection, with work that never gets anywhere: only the interruption ends the request.
func TestStreamOverTheWire(t *testing.T) {
	process := breaker.New()
	defer process.Close()
	arrived, ended := make(chan struct{}), make(chan outcome, 1)
	handler := stream{process: process, pace: time.Hour, log: func(o outcome) { ended <- o }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	get := func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set(timeoutHeader, "1h")
		response, err := server.Client().Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		return response, err
	}

	t.Run("hang-up", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-arrived
			leave()
		}()
		_, err := get(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, "client", (<-ended).cause)
		assert.NoError(t, process.Err())
	})
	t.Run("end of the process", func(t *testing.T) {
		go func() {
			<-arrived
			process.Trip(breaker.SignalError{Signal: os.Interrupt})
		}()
		response, err := get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusPartialContent, response.StatusCode)
		assert.Equal(t, "signal: interrupt", response.Header.Get(causeHeader))
		assert.Equal(t, "signal: interrupt", (<-ended).cause)
	})
}

// D12: the shutdown doesn't wait for ever for a handler that does.
func TestShutdownHasALimit(t *testing.T) {
	process, stuck := breaker.New(), breaker.New()
	defer stuck.Close()
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-stuck.Done()
	}))
	defer server.Close()
	defer stuck.Close()
	answered := make(chan error, 1)
	go func() {
		response, err := server.Client().Get(server.URL)
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-arrived

	process.Close()
	patience := breaker.BreakByTimeout(time.Millisecond)
	defer patience.Close()
	err := shutdown(server.Config, patience)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "requests were cut off")
	assert.Error(t, <-answered)
}

// A process that ends for another reason than a signal says so.
func TestServeFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())

	process := breaker.New()
	defer process.Close()
	err = serve(listener, http.NotFoundHandler(), process, func() {})
	assert.ErrorIs(t, err, net.ErrClosed)
}

func TestDemonstration(t *testing.T) {
	limit := breaker.BreakByTimeout(10 * time.Second)
	defer limit.Close()
	var output, failure bytes.Buffer
	cmd := program(limit)
	cmd.Stdout, cmd.Stderr = &output, &failure
	err := cmd.Run()
	require.NoError(t, errors.Join(err, limit.Cause()), "%s%s", &output, &failure)
	assert.Empty(t, failure.String())

	for _, line := range []string{
		`REQUEST +STATUS +BYTES +INTERRUPTED BY +TIME`,
		`X-Timeout: 5s +200 +65536 +- +\d+ ms`,
		`X-Timeout: 150ms +206 +\d+ +timeout +\d+ ms`,
		`no X-Timeout, so 7ms +206 +\d+ +timeout +\d+ ms`,
		`X-Timeout: 1ns +206 +\d+ +timeout +\d+ ms`,
		`X-Timeout: -5ms +400 +\d+ +- +\d+ ms`,
		`X-Timeout: soon +400 +\d+ +- +\d+ ms`,
		`X-Timeout: 5s, client leaves at 50ms +206 +\d+ +client +\d+ ms`,
		`100 × X-Timeout: 150ms +206 +[\d-]+ +timeout +[\d-]+ ms`,
		`100 × X-Timeout: 5s +200 +65536 +- +[\d-]+ ms`,
		`20 requests in flight, then .*:`,
		`20 × X-Timeout: 1m +206 +[\d-]+ +signal: interrupt +[\d-]+ ms`,
		`breaker's: for SIGINT, for SIGTERM +2 +2 +0`,
	} {
		assert.Regexp(t, `(?m)^`+line+`$`, output.String())
	}
	if t.Failed() {
		t.Logf("the output:\n%s", &output)
	}
}
