package breakerhttp_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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

// end is how a request's context ended.
type end struct {
	err, cause error
	after      time.Duration
}

// untilDone waits for the end of the request's context and tells it.
func untilDone(ends chan<- end) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		<-r.Context().Done()
		ends <- end{r.Context().Err(), context.Cause(r.Context()), time.Since(begun)}
	}
}

// get returns a request with the context, or a plain one if that is nil, and headers in pairs.
func get(ctx context.Context, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if ctx != nil {
		r = r.WithContext(ctx)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestHandler_Ends(t *testing.T) {
	own := errors.New("the request's own")
	signal := breaker.SignalError{Signal: os.Interrupt}

	tests := map[string]struct {
		options  []breakerhttp.HandlerOption
		header   []string
		ctx      func(context.Context) (context.Context, context.CancelFunc)
		trip     time.Duration // when the process breaker does
		err      error
		cause    error
		after    time.Duration
		deadline time.Duration // none if zero
	}{
		"the client's time": {
			header: []string{"X-Timeout", "3s"},
			err:    context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the client's time, below the limit": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithLimit(4 * time.Second)},
			header:  []string{"Grpc-Timeout", "3S"},
			err:     context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the client's time, which is the limit": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithLimit(3 * time.Second)},
			header:  []string{"Connect-Timeout-Ms", "3000"},
			err:     context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the limit, which the client's time is above": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithLimit(3 * time.Second)},
			header:  []string{"Grpc-Timeout", "99999999H"},
			err:     context.DeadlineExceeded, cause: breakerhttp.ErrServerTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the limit, without a word of the client": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithLimit(3 * time.Second)},
			err:     context.DeadlineExceeded, cause: breakerhttp.ErrServerTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the least of the headers that are present": {
			header: []string{"Connect-Timeout-Ms", "4000", "Grpc-Timeout", "3S"},
			err:    context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the headers asked for": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithHeaders(
				breakerhttp.TimeoutHeader{Name: "budget", Parse: time.ParseDuration}, breakerhttp.GRPCTimeout(),
			)},
			header: []string{"X-Timeout", "malformed", "Grpc-Timeout", "4S", "Budget", "3s"},
			err:    context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"no headers asked for": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithHeaders(), breakerhttp.WithLimit(3 * time.Second)},
			header:  []string{"X-Timeout", "malformed", "Grpc-Timeout", "0S"},
			err:     context.DeadlineExceeded, cause: breakerhttp.ErrServerTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the request's own end": {
			header: []string{"X-Timeout", "3s"},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(2*time.Second, func() { cancel(own) })
				return ctx, func() { cancel(nil) }
			},
			err: context.Canceled, cause: own, after: 2 * time.Second, deadline: 3 * time.Second,
		},
		"the request's own deadline": {
			header: []string{"X-Timeout", "3s"},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(ctx, 2*time.Second, own)
			},
			err: context.DeadlineExceeded, cause: own, after: 2 * time.Second, deadline: 2 * time.Second,
		},
		"the client's time, before the request's own deadline": {
			header: []string{"X-Timeout", "3s"},
			ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(ctx, 4*time.Second, own)
			},
			err: context.DeadlineExceeded, cause: breakerhttp.ErrClientTimeout, after: 3 * time.Second, deadline: 3 * time.Second,
		},
		"the process": {
			options: []breakerhttp.HandlerOption{breakerhttp.WithLimit(3 * time.Second)},
			trip:    2 * time.Second,
			err:     context.Canceled, cause: signal, after: 2 * time.Second, deadline: 3 * time.Second,
		},
		"the process, with no time limit": {
			trip: 2 * time.Second,
			err:  context.Canceled, cause: signal, after: 2 * time.Second,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.ctx != nil {
					ctx, cancel = tt.ctx(ctx)
					defer cancel()
				}
				options := tt.options
				if tt.trip > 0 {
					process := breaker.New()
					time.AfterFunc(tt.trip, func() { process.Trip(signal) })
					options = append(options, breakerhttp.WithProcess(process))
				}

				ends := make(chan end, 1)
				next := untilDone(ends)
				begun := time.Now()
				handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					at, ok := r.Context().Deadline()
					assert.Equal(t, tt.deadline > 0, ok)
					if ok {
						assert.Equal(t, tt.deadline, at.Sub(begun))
					}
					assert.NoError(t, r.Context().Err())
					next(w, r)
				}), options...)
				handler.ServeHTTP(httptest.NewRecorder(), get(ctx, tt.header...))

				got := <-ends
				assert.Equal(t, tt.err, got.err)
				assert.Equal(t, tt.cause, got.cause)
				assert.Equal(t, tt.after, got.after)
			})
		})
	}
}

func TestHandler_Refuses(t *testing.T) {
	tripped := breaker.New()
	tripped.Trip(breaker.SignalError{Signal: os.Interrupt})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()

	limit := breakerhttp.WithLimit(time.Hour)
	tests := map[string]struct {
		ctx    context.Context
		option breakerhttp.HandlerOption
		header []string
		status int
		body   string
	}{
		"malformed": {
			option: limit, header: []string{"X-Timeout", "soon"},
			status: 400, body: "malformed header X-Timeout: want a Go duration such as 150ms or 2s\n",
		},
		"malformed for gRPC": {
			option: limit, header: []string{"Grpc-Timeout", "1s"},
			status: 400, body: "malformed header Grpc-Timeout: want 1 to 8 digits and one of the units H, M, S, m, u, n\n",
		},
		"malformed for Connect": {
			option: limit, header: []string{"Connect-Timeout-Ms", "1ms"},
			status: 400, body: "malformed header Connect-Timeout-Ms: want 1 to 10 digits\n",
		},
		"present, but empty": {
			option: limit, header: []string{"X-Timeout", "", "Grpc-Timeout", "1S"},
			status: 400, body: "malformed header X-Timeout: want a Go duration such as 150ms or 2s\n",
		},
		"twice": {
			option: limit, header: []string{"X-Timeout", "1s", "X-Timeout", "1s"},
			status: 400, body: "malformed header X-Timeout: it is there more than once\n",
		},
		"malformed, and no time either": {
			option: breakerhttp.WithProcess(tripped), header: []string{"X-Timeout", "soon"},
			status: 400, body: "malformed header X-Timeout: want a Go duration such as 150ms or 2s\n",
		},
		"zero":           {option: limit, header: []string{"X-Timeout", "0s"}, status: 504, body: "no time left for this request\n"},
		"zero for gRPC":  {option: limit, header: []string{"Grpc-Timeout", "0n"}, status: 504, body: "no time left for this request\n"},
		"negative":       {option: limit, header: []string{"X-Timeout", "-1ns"}, status: 504, body: "no time left for this request\n"},
		"least":          {option: limit, header: []string{"X-Timeout", "-9223372036854775808ns"}, status: 504, body: "no time left for this request\n"},
		"zero, no limit": {option: breakerhttp.WithHeaders(breakerhttp.ConnectTimeout()), header: []string{"Connect-Timeout-Ms", "0"}, status: 504, body: "no time left for this request\n"},
		"its deadline is over": {
			ctx: expired, option: limit,
			status: 504, body: "no time left for this request\n",
		},
		"its context has ended": {
			ctx: canceled, option: limit,
			status: 503, body: "this server is shutting down\n",
		},
		"the process has ended": {
			option: breakerhttp.WithProcess(tripped), header: []string{"X-Timeout", "1h"},
			status: 503, body: "this server is shutting down\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Fail(t, "the handler was called") })
			w := httptest.NewRecorder()
			breakerhttp.Handler(next, tt.option).ServeHTTP(w, get(tt.ctx, tt.header...))
			assert.Equal(t, tt.status, w.Code)
			assert.Equal(t, tt.body, w.Body.String())
		})
	}
}

func TestHandler_PassesOn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	process := breaker.New()
	defer process.Close()

	t.Run("values, the writer, and all but the context", func(t *testing.T) {
		w, r := httptest.NewRecorder(), get(ctx, "X-Timeout", "1h")
		kept := context.Background()
		next := http.HandlerFunc(func(gotWriter http.ResponseWriter, got *http.Request) {
			assert.Same(t, w, gotWriter)
			assert.Equal(t, "value", got.Context().Value(key{}))
			assert.Equal(t, r.Header, got.Header)
			assert.NotSame(t, r, got)
			kept = got.Context()
		})
		breakerhttp.Handler(next, breakerhttp.WithProcess(process)).ServeHTTP(w, r)
		assert.NoError(t, r.Context().Err(), "the context given isn't touched")
		// As with http.Server, the context ends when the handler returns.
		assert.Equal(t, context.Canceled, kept.Err())
		assert.Equal(t, context.Canceled, context.Cause(kept))
		assert.NoError(t, process.Err(), "a request never closes the process's breaker")
	})
	t.Run("the request as it is, if there is nothing to add", func(t *testing.T) {
		r := get(ctx)
		next := http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) { assert.Same(t, r, got) })
		breakerhttp.Handler(next).ServeHTTP(httptest.NewRecorder(), r)
	})
	t.Run("the longest time", func(t *testing.T) {
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			at, ok := r.Context().Deadline()
			assert.True(t, ok)
			assert.True(t, at.After(time.Now().AddDate(200, 0, 0)))
			assert.NoError(t, r.Context().Err())
		})
		for _, header := range [][]string{{"Grpc-Timeout", "99999999H"}, {"X-Timeout", "9223372036854775807ns"}} {
			w := httptest.NewRecorder()
			breakerhttp.Handler(next).ServeHTTP(w, get(ctx, header...))
			assert.Equal(t, http.StatusOK, w.Code)
		}
	})
	t.Run("a panic", func(t *testing.T) {
		kept := context.Background()
		next := http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
			kept = got.Context()
			panic(http.ErrAbortHandler)
		})
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
			breakerhttp.Handler(next).ServeHTTP(httptest.NewRecorder(), get(ctx, "X-Timeout", "1h"))
		})
		assert.Equal(t, context.Canceled, context.Cause(kept))
	})
	t.Run("one inside another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ends := make(chan end, 1)
			inner := breakerhttp.Handler(untilDone(ends), breakerhttp.WithLimit(time.Minute))
			outer := breakerhttp.Handler(inner, breakerhttp.WithHeaders(), breakerhttp.WithLimit(time.Second))
			outer.ServeHTTP(httptest.NewRecorder(), get(t.Context(), "X-Timeout", "1h"))
			assert.Equal(t, end{context.DeadlineExceeded, breakerhttp.ErrServerTimeout, time.Second}, <-ends)
		})
	})
}

func TestHandler_Causes(t *testing.T) {
	for _, err := range []error{breakerhttp.ErrClientTimeout, breakerhttp.ErrServerTimeout, breakerhttp.ErrNoTimeLeft} {
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, breaker.Interrupted)
		assert.True(t, os.IsTimeout(err))
	}
	assert.NotErrorIs(t, breakerhttp.ErrClientTimeout, breakerhttp.ErrServerTimeout)
	assert.NotErrorIs(t, breakerhttp.ErrServerTimeout, breakerhttp.ErrClientTimeout)
	assert.ErrorIs(t, breakerhttp.ErrShutdown, context.Canceled)
	assert.ErrorIs(t, breakerhttp.ErrShutdown, breaker.Interrupted)
	assert.False(t, os.IsTimeout(breakerhttp.ErrShutdown))
}

// What a handler calls stops by nothing but r.Context().
func TestHandler_DownstreamStops(t *testing.T) {
	t.Run("database/sql", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			db := sql.OpenDB(slowDatabase{})
			defer db.Close()
			handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, err := db.QueryContext(r.Context(), "SELECT pg_sleep(3600)")
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, breakerhttp.ErrClientTimeout, context.Cause(r.Context()))
			}))
			handler.ServeHTTP(httptest.NewRecorder(), get(t.Context(), "X-Timeout", "1s"))
		})
	})
	t.Run("a client", func(t *testing.T) {
		arrived, ends := make(chan struct{}), make(chan end, 1)
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			untilDone(ends)(w, r)
		}))
		defer backend.Close()
		process := breaker.New()
		signal := breaker.SignalError{Signal: os.Interrupt}
		handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, backend.URL, nil)
			require.NoError(t, err)
			response, err := backend.Client().Do(out)
			if assert.Error(t, err) {
				assert.ErrorIs(t, err, signal)
				assert.ErrorIs(t, err, context.Canceled)
				return
			}
			response.Body.Close()
		}), breakerhttp.WithProcess(process))
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			handler.ServeHTTP(httptest.NewRecorder(), get(t.Context(), "X-Timeout", "1h"))
		}()
		receive(t, arrived)
		process.Trip(signal)
		receive(t, returned)
		assert.Equal(t, context.Canceled, receive(t, ends).err)
	})
}

// slowDatabase is a database whose queries take as long as their contexts let them.
type slowDatabase struct{}

func (d slowDatabase) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d slowDatabase) Driver() driver.Driver                        { return nil }
func (d slowDatabase) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (d slowDatabase) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (d slowDatabase) Close() error                                 { return nil }
func (d slowDatabase) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// net/http cancels a request's context when its client hangs up, and that comes through.
func TestHandler_ClientHangsUp(t *testing.T) {
	arrived, ends := make(chan struct{}), make(chan end, 1)
	server := httptest.NewServer(breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		untilDone(ends)(w, r)
	}), breakerhttp.WithLimit(time.Hour)))
	defer server.Close()

	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		_, err := server.Client().Do(r)
		failed <- err
	}()
	receive(t, arrived)
	cancel()
	assert.Error(t, receive(t, failed))
	got := receive(t, ends)
	assert.Equal(t, context.Canceled, got.err)
	assert.Equal(t, context.Canceled, got.cause)
}

// Nobody has to believe the documentation about the many that watch one process.
func TestHandler_ProcessIsWatchedByMany(t *testing.T) {
	const many = 100
	process := breaker.New()
	ends := make(chan end, many)
	arrived := make(chan struct{}, many)
	handler := breakerhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		untilDone(ends)(w, r)
	}), breakerhttp.WithProcess(process), breakerhttp.WithLimit(time.Hour))
	for range many {
		go handler.ServeHTTP(httptest.NewRecorder(), get(t.Context()))
	}
	for range many {
		receive(t, arrived)
	}
	why := errors.New("over")
	process.Trip(why)
	for range many {
		assert.Equal(t, why, receive(t, ends).cause)
	}
}

func TestHandler_Panics(t *testing.T) {
	next := http.NotFoundHandler()
	none := (*breaker.Breaker)(nil)
	ok := breakerhttp.XTimeout()
	tests := map[string]func(){
		"breakerhttp: Handler: next is nil":                           func() { breakerhttp.Handler(nil) },
		"breakerhttp: Handler: option 1 is nil":                       func() { breakerhttp.Handler(next, breakerhttp.WithLimit(1), nil) },
		"breakerhttp: WithLimit: the limit is not more than zero: 0s": func() { breakerhttp.WithLimit(0) },
		"breakerhttp: WithProcess: the breaker is nil":                func() { breakerhttp.WithProcess(none) },
		"breakerhttp: WithHeaders: header 1 has no Name":              func() { breakerhttp.WithHeaders(ok, breakerhttp.TimeoutHeader{Parse: ok.Parse}) },
		"breakerhttp: WithHeaders: header 0 has no Parse":             func() { breakerhttp.WithHeaders(breakerhttp.TimeoutHeader{Name: "X"}) },
	}
	for text, f := range tests {
		assert.PanicsWithValue(t, text, f)
	}
}

// FuzzHandler sends whatever headers there may be. The answer is one of four, and agrees with the
// parsers.
func FuzzHandler(f *testing.F) {
	f.Fuzz(func(t *testing.T, x, grpc, connect string, present byte) {
		const limit = time.Hour
		header := make(http.Header)
		want := http.StatusOK
		least := limit
		for i, value := range []string{x, grpc, connect} {
			if present>>i&1 == 0 {
				continue
			}
			h := headers()[i]
			header[h.Name] = []string{value}
			timeout, err := h.Parse(value)
			if err != nil {
				want = http.StatusBadRequest
				continue
			}
			least = min(least, timeout)
		}
		switch {
		case want == http.StatusBadRequest:
		case least <= 0:
			want = http.StatusGatewayTimeout
		case least < time.Minute: // may be over before the handler is called
			return
		}
		called := false
		w := httptest.NewRecorder()
		r := get(t.Context())
		r.Header = header
		breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = true
			at, ok := r.Context().Deadline()
			assert.True(t, ok)
			assert.LessOrEqual(t, time.Until(at), limit)
		}), breakerhttp.WithLimit(limit)).ServeHTTP(w, r)
		assert.Equal(t, want, w.Code)
		assert.Equal(t, want == http.StatusOK, called)
		body, err := io.ReadAll(w.Body)
		assert.NoError(t, err)
		assert.Less(t, len(body), 128)
		assert.LessOrEqual(t, strings.Count(string(body), "\n"), 1)
	})
}

func BenchmarkHandler(b *testing.B) {
	process := breaker.New()
	handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Context().Done() }),
		breakerhttp.WithLimit(time.Hour), breakerhttp.WithProcess(process))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r := get(ctx, "X-Timeout", "1s")
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

// byContext returns a breaker that ends with the context, for as long as the test takes.
func byContext(ctx context.Context) breaker.Interface { return breaker.BreakByContext(ctx, nil) }
