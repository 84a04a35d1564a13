package breakerhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

func ExampleHandler() {
	handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // stands for a query, a call, whatever takes too long
		fmt.Fprint(w, context.Cause(r.Context()))
	}), breakerhttp.WithLimit(time.Minute))

	server := httptest.NewServer(handler)
	defer server.Close()

	for _, timeout := range []string{"200ms", "0s", "soon"} {
		r, _ := http.NewRequest(http.MethodGet, server.URL, nil)
		r.Header.Set("X-Timeout", timeout)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Printf("%s: %d %s\n", timeout, response.StatusCode, body)
	}
	// Output:
	// 200ms: 200 breakerhttp: the client's timeout has expired
	// 0s: 504 no time left for this request
	//
	// soon: 400 malformed header X-Timeout: want a Go duration such as 150ms or 2s
}

// serveOnce calls the handler with a request that has the header.
func serveOnce(handler http.Handler, header ...string) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	handler.ServeHTTP(httptest.NewRecorder(), r)
}

// why waits for the end of a request and prints its cause.
var why = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	fmt.Println(context.Cause(r.Context()))
})

func ExampleWithLimit() {
	handler := breakerhttp.Handler(why, breakerhttp.WithLimit(300*time.Millisecond))
	serveOnce(handler)                    // a client that doesn't say
	serveOnce(handler, "X-Timeout", "1h") // one that allows more
	serveOnce(handler, "X-Timeout", "200ms")
	// Output:
	// breakerhttp: the server's time limit has been reached
	// breakerhttp: the server's time limit has been reached
	// breakerhttp: the client's timeout has expired
}

func ExampleWithProcess() {
	process := breaker.New() // of the whole process: it ends when the license does, say
	defer process.Close()
	time.AfterFunc(10*time.Millisecond, func() { process.Trip(errors.New("the license is over")) })

	serveOnce(breakerhttp.Handler(why, breakerhttp.WithProcess(process)))
	// Output: the license is over
}

func ExampleWithHeaders() {
	seconds := breakerhttp.TimeoutHeader{
		Name:  "Request-Timeout",
		Parse: func(value string) (time.Duration, error) { return time.ParseDuration(value + "s") },
	}
	handler := breakerhttp.Handler(why, breakerhttp.WithHeaders(seconds, breakerhttp.GRPCTimeout()))
	serveOnce(handler, "Request-Timeout", "0.2")
	serveOnce(handler, "Grpc-Timeout", "200m")
	// Output:
	// breakerhttp: the client's timeout has expired
	// breakerhttp: the client's timeout has expired
}

func ExampleXTimeout() {
	header := breakerhttp.XTimeout()
	timeout, err := header.Parse("1m30s")
	fmt.Println(header.Name, timeout.Seconds(), err, header.Format(150*time.Millisecond))
	// Output: X-Timeout 90 <nil> 150ms
}

func ExampleGRPCTimeout() {
	header := breakerhttp.GRPCTimeout()
	timeout, err := header.Parse("90S")
	fmt.Println(header.Name, timeout, err, header.Format(150*time.Millisecond))
	// Output: Grpc-Timeout 1m30s <nil> 150000u
}

func ExampleConnectTimeout() {
	header := breakerhttp.ConnectTimeout()
	timeout, err := header.Parse("90000")
	fmt.Println(header.Name, timeout, err, header.Format(150*time.Millisecond))
	// Output: Connect-Timeout-Ms 1m30s <nil> 150
}

func ExampleTransport() {
	next := httptest.NewServer(breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		deadline, ok := r.Context().Deadline()
		fmt.Println(ok, time.Until(deadline) < time.Minute)
	})))
	defer next.Close()

	client := &http.Client{Transport: breakerhttp.Transport(http.DefaultTransport)}

	// In a handler, r.Context()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, next.URL, nil)
	response, err := client.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	// Output: true true
}

func ExampleWithMargin() {
	client := &http.Client{Transport: breakerhttp.Transport(nil, breakerhttp.WithMargin(50*time.Millisecond))}

	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com", nil)
	_, err := client.Do(r)
	fmt.Println(errors.Is(err, breakerhttp.ErrNoTimeLeft) || errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleWithHeader() {
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		fmt.Println("sent with Grpc-Timeout:", r.Header.Get("Grpc-Timeout") != "")
		return &http.Response{Body: http.NoBody}, nil
	})
	client := &http.Client{
		Transport: breakerhttp.Transport(base, breakerhttp.WithHeader(breakerhttp.GRPCTimeout())),
		Timeout:   time.Minute, // is a deadline, too
	}
	if response, err := client.Get("http://example.com"); err == nil {
		response.Body.Close()
	}
	// Output: sent with Grpc-Timeout: true
}

func ExampleServe() {
	server := &http.Server{
		Handler:           breakerhttp.Handler(http.NotFoundHandler(), breakerhttp.WithLimit(time.Minute)),
		ReadHeaderTimeout: 10 * time.Second,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	stop := breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM)
	defer stop.Close()
	time.AfterFunc(10*time.Millisecond, func() { stop.Close() }) // stands for the signal

	err = breakerhttp.Serve(server, listener, stop, breakerhttp.WithGrace(30*time.Second))

	var cut *breakerhttp.CutError
	if errors.As(err, &cut) {
		fmt.Println(cut.Requests, "requests were cut")
	}
	fmt.Println(err)
	// Output: <nil>
}

// serveStuck serves, with the options, until a request is in flight, and prints what comes of the
// shutdown then.
func serveStuck(stop *breaker.Breaker, trip func(), options ...breakerhttp.ServeOption) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		trip()
		<-r.Context().Done()
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := http.Get("http://" + listener.Addr().String()); err == nil {
			response.Body.Close()
		}
	}()
	err = breakerhttp.Serve(server, listener, stop, options...)
	var cut *breakerhttp.CutError
	if errors.As(err, &cut) {
		fmt.Println(cut.Requests, "request was cut, by", breakerhttp.Reason(cut.Cause))
	}
	<-done
}

func ExampleWithGrace() {
	stop := breaker.New()
	serveStuck(stop, stop.Close, breakerhttp.WithGrace(10*time.Millisecond))
	// Output: 1 request was cut, by timeout
}

func ExampleWithCutTimeout() {
	stop := breaker.New()
	serveStuck(stop, stop.Close, breakerhttp.WithGrace(0), breakerhttp.WithCutTimeout(time.Minute))
	// Output: 1 request was cut, by timeout
}

func ExampleWithCut() {
	stop, cut := breaker.New(), breaker.New()
	serveStuck(stop, func() {
		stop.Close()
		cut.Trip(errors.New("the operator is impatient"))
	}, breakerhttp.WithCut(cut))
	// Output: 1 request was cut, by other
}

func ExampleWithSignals() {
	stop := breaker.New()
	time.AfterFunc(10*time.Millisecond, stop.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	// Once the shutdown has begun, for whatever reason, Ctrl-C ends the grace period.
	err = breakerhttp.Serve(new(http.Server), listener, stop, breakerhttp.WithSignals(os.Interrupt))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleReady() {
	mux := http.NewServeMux()
	mux.Handle("GET /ready", breakerhttp.Ready())

	stop := breaker.New() // in a program, BreakBySignal
	admin := breakerhttp.Ready(stop)
	ask := func() {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	ask()
	stop.Close()
	ask()
	// Output:
	// 200 ready
	// 503 shutting down
}

func ExampleWithDrainDelay() {
	stop := breaker.New()
	server := &http.Server{Addr: "127.0.0.1:0", Handler: breakerhttp.Ready()}
	time.AfterFunc(10*time.Millisecond, stop.Close) // stands for the signal

	begun := time.Now()
	err := breakerhttp.ListenAndServe(server, stop, breakerhttp.WithDrainDelay(50*time.Millisecond))
	fmt.Println(err, time.Since(begun) >= 50*time.Millisecond)
	// Output: <nil> true
}

func ExampleWithTimeoutResponse() {
	handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // and returns without a word
	}), breakerhttp.WithTimeoutResponse(http.StatusServiceUnavailable, `{"error":"try later"}`))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Timeout", "10ms")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Body)
	// Output: 503 application/json {"error":"try later"}
}

func ExampleRecordCause() {
	outside := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cause := breakerhttp.RecordCause(r)
			next.ServeHTTP(w, r)
			fmt.Println(breakerhttp.Reason(cause()))
		})
	}
	serveOnce(outside(breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))), "X-Timeout", "10ms")
	// Output: timeout
}
