package breakerhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// seen is what an observer is told.
type seen struct {
	pattern  string
	value    any
	reason   string
	status   int
	duration time.Duration
}

func TestObserve_Observer(t *testing.T) {
	type key struct{}
	tests := map[string]struct {
		header  []string
		handler http.HandlerFunc
		options []breakerhttp.HandlerOption
		want    seen
	}{
		"nothing written": {handler: func(http.ResponseWriter, *http.Request) {}, want: seen{status: 200}},
		"a status": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusTeapot)
		}, want: seen{status: http.StatusTeapot}},
		"a body": {handler: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second) // in a bubble
			fmt.Fprint(w, "hello")
		}, want: seen{status: 200, duration: time.Second}},
		"a string": {handler: func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }, want: seen{status: 200}},
		"a timeout": {
			header:  []string{"X-Timeout", "3s"},
			handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			want:    seen{reason: "timeout", status: 200, duration: 3 * time.Second},
		},
		"a timeout, answered": {
			header:  []string{"X-Timeout", "3s"},
			handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			options: []breakerhttp.HandlerOption{breakerhttp.WithTimeoutResponse(503, "no")},
			want:    seen{reason: "timeout", status: 503, duration: 3 * time.Second},
		},
		"refused":   {header: []string{"X-Timeout", "0s"}, want: seen{reason: "timeout", status: 504}},
		"malformed": {header: []string{"X-Timeout", "soon"}, want: seen{status: 400}},
		"a panic":   {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"a panic after the header": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			panic(http.ErrAbortHandler)
		}, want: seen{status: 201}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := http.NewServeMux()
				mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { tt.handler(w, r) })
				var all []seen
				options := append(tt.options, breakerhttp.WithObserver(func(r *http.Request, cause error, status int, d time.Duration) {
					all = append(all, seen{r.Pattern, r.Context().Value(key{}), breakerhttp.Reason(cause), status, d})
				}))
				func() {
					defer func() { _ = recover() }() // a panic goes up
					r := get(context.WithValue(t.Context(), key{}, "outside"), tt.header...)
					breakerhttp.Handler(mux, options...).ServeHTTP(httptest.NewRecorder(), r)
				}()
				want := tt.want
				want.value = "outside"
				if tt.handler != nil {
					want.pattern = "GET /{$}"
				}
				assert.Equal(t, []seen{want}, all)
			})
		})
	}
}

// What the writer could do, it still can, and by the same names.
func TestObserve_ObserverKeepsTheWriter(t *testing.T) {
	observed := make(chan seen, 1)
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			inner := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, hijacks := w.(http.Hijacker)
				_, pushes := w.(http.Pusher)
				_, flushes := w.(http.Flusher)
				assert.Equal(t, r.ProtoMajor == 1, hijacks)
				assert.Equal(t, r.ProtoMajor == 2, pushes)
				assert.True(t, flushes)
				if pushes {
					assert.Error(t, w.(http.Pusher).Push("/", nil), "Go's client allows none")
				}
				n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello, "))
				assert.NoError(t, err)
				assert.Equal(t, int64(7), n)
				w.(http.Flusher).Flush()
				assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(forever)))
				_, _ = io.WriteString(w, "world")
			}), breakerhttp.WithObserver(func(_ *http.Request, _ error, status int, _ time.Duration) { observed <- seen{status: status} }))
			rig := assemble(t, protocol, inner.ServeHTTP)
			rig.serve()
			assert.Equal(t, answer{http.StatusOK, "hello, world", nil}, receive(t, rig.send(nil)))
			assert.Equal(t, seen{status: 200}, receive(t, observed))
			rig.endWell()
		})
	}
	t.Run("hijacked", func(t *testing.T) {
		inner := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hijack(t, w).Close()
		}), breakerhttp.WithObserver(func(_ *http.Request, _ error, status int, _ time.Duration) { observed <- seen{status: status} }),
			breakerhttp.WithTimeoutResponse(504, "never"))
		rig := assemble(t, "HTTP/1", inner.ServeHTTP)
		rig.serve()
		rig.hijacked()
		assert.Equal(t, seen{}, receive(t, observed))
		rig.endWell()
	})
	t.Run("a plain one", func(t *testing.T) {
		handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, flushes := w.(http.Flusher)
			assert.False(t, flushes)
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
			assert.NoError(t, err)
		}), breakerhttp.WithTimeoutResponse(504, ""))
		w := httptest.NewRecorder()
		handler.ServeHTTP(struct{ http.ResponseWriter }{w}, get(t.Context()))
		assert.Equal(t, "hello", w.Body.String())
	})
}

// hostile is an error that does what it shouldn't.
type hostile struct{}

func (hostile) Is(error) bool { panic("Is") }
func (hostile) As(any) bool   { panic("As") }
func (hostile) Error() string { panic("Error") }

func TestObserve_Reason(t *testing.T) {
	timeout, closed := breaker.BreakByTimeout(0), breaker.New()
	closed.Close()
	plain := breaker.New()
	plain.Trip(nil)
	for want, causes := range map[string][]error{
		"": {nil},
		"timeout": {
			breakerhttp.ErrClientTimeout, breakerhttp.ErrServerTimeout, breakerhttp.ErrNoTimeLeft, context.DeadlineExceeded, timeout.Cause(),
			fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
		},
		"signal":    {breaker.SignalError{Signal: os.Interrupt}, fmt.Errorf("wrapped: %w", breaker.SignalError{})},
		"closed":    {breaker.ErrClosed, closed.Cause(), plain.Cause()},
		"cancelled": {context.Canceled, fmt.Errorf("wrapped: %w", context.Canceled)},
		"cut":       {breakerhttp.ErrShutdown, &breakerhttp.CutError{Cause: context.DeadlineExceeded}},
		"other":     {errors.New("the license is over"), hostile{}, (*os.PathError)(nil)},
	} {
		for _, cause := range causes {
			assert.Equal(t, want, breakerhttp.Reason(cause))
		}
	}
}

func TestObserve_RecordCause(t *testing.T) {
	own := errors.New("the outermost")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(own)
	tests := map[string]struct {
		next http.Handler
		ctx  context.Context
		want error
	}{
		"nothing": {breakerhttp.Handler(http.NotFoundHandler(), breakerhttp.WithLimit(forever)), t.Context(), nil},
		"the limit": {breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}), breakerhttp.WithLimit(time.Millisecond)), t.Context(), breakerhttp.ErrServerTimeout},
		"the limit of the inner": {breakerhttp.Handler(breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}), breakerhttp.WithLimit(time.Millisecond)), breakerhttp.WithLimit(forever)), t.Context(), breakerhttp.ErrServerTimeout},
		"refused":        {breakerhttp.Handler(http.NotFoundHandler(), breakerhttp.WithLimit(forever)), ended, own},
		"without any":    {http.NotFoundHandler(), t.Context(), nil},
		"without, ended": {http.NotFoundHandler(), ended, own},
		"in a copy": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			}), breakerhttp.WithLimit(time.Millisecond)).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), hostile{}, 1)))
		}), t.Context(), breakerhttp.ErrServerTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := get(tt.ctx)
			cause := breakerhttp.RecordCause(r)
			tt.next.ServeHTTP(httptest.NewRecorder(), r)
			assert.Equal(t, tt.want, cause())
		})
	}
}

func TestObserve_TimeoutResponse(t *testing.T) {
	wait := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := map[string]struct {
		header      []string
		handler     http.HandlerFunc
		body        string
		status      int
		contentType string
		answer      string
	}{
		"after the handler": {[]string{"X-Timeout", "1ms"}, wait, `{"error":"timeout"}`, 503, "application/json", `{"error":"timeout"}`},
		"on arrival":        {[]string{"X-Timeout", "0s"}, wait, "no time", 503, "text/plain; charset=utf-8", "no time"},
		"without a body":    {[]string{"X-Timeout", "1ms"}, wait, "", 503, "", ""},
		"the handler's type": {[]string{"X-Timeout", "200ms"}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/x-own")
			w.Header().Set("Content-Length", "1000")
			<-r.Context().Done()
		}, "no", 503, "text/x-own", "no"},
		"the handler's answer": {[]string{"X-Timeout", "1ms"}, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			fmt.Fprint(w, "so far")
		}, "no", 200, "text/plain; charset=utf-8", "so far"},
		"no timeout": {nil, func(http.ResponseWriter, *http.Request) {}, "no", 200, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// In a bubble, or the timeout may pass before the handler is called.
			synctest.Test(t, func(t *testing.T) {
				w := httptest.NewRecorder()
				breakerhttp.Handler(tt.handler, breakerhttp.WithTimeoutResponse(503, tt.body)).ServeHTTP(w, get(t.Context(), tt.header...))
				assert.Equal(t, tt.status, w.Code)
				assert.Equal(t, tt.contentType, w.Result().Header.Get("Content-Type"))
				assert.Empty(t, w.Result().Header.Get("Content-Length"))
				assert.Equal(t, tt.answer, w.Body.String())
			})
		})
	}
	t.Run("gRPC", func(t *testing.T) {
		w := httptest.NewRecorder()
		handler := breakerhttp.Handler(http.HandlerFunc(wait), breakerhttp.WithTimeoutResponse(503, "no"))
		handler.ServeHTTP(w, get(t.Context(), "Content-Type", "application/grpc", "Grpc-Timeout", "1m"))
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, "4", w.Header().Get("Grpc-Status"))
	})
	t.Run("the end of another kind", func(t *testing.T) {
		process, arrived := breaker.New(), make(chan struct{})
		w, done := httptest.NewRecorder(), make(chan struct{})
		handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			wait(w, r)
		}), breakerhttp.WithTimeoutResponse(503, "no"), breakerhttp.WithProcess(process))
		go func() {
			defer close(done)
			handler.ServeHTTP(w, get(t.Context()))
		}()
		receive(t, arrived)
		process.Close()
		receive(t, done)
		assert.Equal(t, http.StatusOK, w.Code)
	})
}

// A proxy of net/http/httputil says what there was, and not always 502.
func TestObserve_ProxyErrorHandler(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refused.Close())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	process := breaker.New()
	for name, tt := range map[string]struct {
		backend string
		header  []string
		margin  time.Duration
		stop    bool
		want    int
	}{
		"no time left":   {slow.URL, []string{"X-Timeout", "20ms"}, 0, false, http.StatusGatewayTimeout},
		"but the margin": {slow.URL, []string{"X-Timeout", "1h"}, 2 * forever, false, http.StatusGatewayTimeout},
		"no backend":     {"http://" + refused.Addr().String(), []string{"X-Timeout", "1h"}, 0, false, http.StatusBadGateway},
		"the process":    {slow.URL, []string{"X-Timeout", "1h"}, 0, true, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := url.Parse(tt.backend)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(target)
			proxy.ErrorHandler = breakerhttp.ProxyErrorHandler
			base := http.RoundTripper(http.DefaultTransport)
			if tt.stop {
				base = roundTripper(func(r *http.Request) (*http.Response, error) {
					time.AfterFunc(10*time.Millisecond, func() { process.Trip(breaker.SignalError{Signal: os.Interrupt}) })
					return http.DefaultTransport.RoundTrip(r)
				})
			}
			proxy.Transport = breakerhttp.Transport(base, breakerhttp.WithMargin(tt.margin))
			w := httptest.NewRecorder()
			breakerhttp.Handler(proxy, breakerhttp.WithProcess(process)).ServeHTTP(w, get(t.Context(), tt.header...))
			assert.Equal(t, tt.want, w.Code)
		})
		if tt.stop {
			process = breaker.New()
		}
	}
}

func TestObserve_Middleware(t *testing.T) {
	// In a bubble, or the limit may pass before the handler is called.
	synctest.Test(t, func(t *testing.T) {
		middleware := breakerhttp.Middleware(breakerhttp.WithLimit(time.Millisecond))
		for range 2 { // it can be used again
			ends := make(chan end, 1)
			middleware(untilDone(ends)).ServeHTTP(httptest.NewRecorder(), get(t.Context()))
			assert.Equal(t, breakerhttp.ErrServerTimeout, receive(t, ends).cause)
		}
	})
}

func TestObserve_Panics(t *testing.T) {
	for text, f := range map[string]func(){
		"breakerhttp: WithObserver: the function is nil":                            func() { breakerhttp.WithObserver(nil) },
		"breakerhttp: RecordCause: the request is nil":                              func() { breakerhttp.RecordCause(nil) },
		"breakerhttp: WithTimeoutResponse: the status is not from 200 to 599: 100":  func() { breakerhttp.WithTimeoutResponse(100, "") },
		"breakerhttp: WithTimeoutResponse: the status is not from 200 to 599: 1000": func() { breakerhttp.WithTimeoutResponse(1000, "") },
		"breakerhttp: Middleware: option 0 is nil":                                  func() { breakerhttp.Middleware(nil) },
		"breakerhttp: Middleware: next is nil":                                      func() { breakerhttp.Middleware()(nil) },
	} {
		assert.PanicsWithValue(t, text, f)
	}
}
