package breakerhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker/breakerhttp"
)

// Every proxy on the way may have its say; the strictest counts, whichever header it is in.
func TestLimit_HandlerTakesTheLeast(t *testing.T) {
	tests := map[string]struct {
		header []string
		after  time.Duration
		cause  error
		status int
	}{
		"the edge's, and a stale one of the client's": {header: []string{"X-Timeout", "1h", "Grpc-Timeout", "5S"}, after: 5 * time.Second, cause: breakerhttp.ErrClientTimeout},
		"the other way round":                         {header: []string{"X-Timeout", "5s", "Grpc-Timeout", "1H"}, after: 5 * time.Second, cause: breakerhttp.ErrClientTimeout},
		"the third":                                   {header: []string{"X-Timeout", "1h", "Grpc-Timeout", "1H", "Connect-Timeout-Ms", "5000"}, after: 5 * time.Second, cause: breakerhttp.ErrClientTimeout},
		"the limit is less than any":                  {header: []string{"X-Timeout", "1h", "Grpc-Timeout", "2M"}, after: time.Minute, cause: breakerhttp.ErrServerTimeout},
		"one is zero":                                 {header: []string{"X-Timeout", "1h", "Connect-Timeout-Ms", "0"}, status: http.StatusGatewayTimeout},
		"one is malformed":                            {header: []string{"X-Timeout", "0s", "Connect-Timeout-Ms", "soon"}, status: http.StatusBadRequest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends := make(chan end, 1)
				w := httptest.NewRecorder()
				handler := breakerhttp.Handler(untilDone(ends), breakerhttp.WithLimit(time.Minute))
				handler.ServeHTTP(w, get(t.Context(), tt.header...))
				if tt.status != 0 {
					assert.Equal(t, tt.status, w.Code)
					assert.Empty(t, ends)
					return
				}
				assert.Equal(t, end{context.DeadlineExceeded, tt.cause, tt.after}, <-ends)
			})
		})
	}
}

// A handler that passes its headers on, as a proxy does, doesn't pass on what it was told.
func TestLimit_TransportRemovesTheOthers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	own := breakerhttp.TimeoutHeader{Name: "budget", Format: time.Duration.String}
	for _, header := range append(headers(), own) {
		r := get(ctx, "X-Timeout", "1h", "Grpc-Timeout", "1H", "Connect-Timeout-Ms", "3600000", "Other", "stays")
		r.Header["x-timeout"] = []string{"1h"} // as some proxies copy it
		base := roundTripper(func(sent *http.Request) (*http.Response, error) {
			assert.Len(t, sent.Header, 2, header.Name)
			assert.Equal(t, "stays", sent.Header.Get("Other"))
			assert.NotEmpty(t, sent.Header.Get(header.Name))
			return &http.Response{Body: http.NoBody}, nil
		})
		_, err := breakerhttp.Transport(base, breakerhttp.WithHeader(header)).RoundTrip(r)
		assert.NoError(t, err)
		assert.Len(t, r.Header, 5, "the request given is never changed")
	}
}

// The values of a request's context are the request's: the process that ends it has none to add.
func TestLimit_HandlerValues(t *testing.T) {
	type key string
	ctx := context.WithValue(t.Context(), key("request"), "its own")
	process, cancel := context.WithCancelCause(context.WithValue(t.Context(), key("process"), "leaked"))
	defer cancel(nil)
	for _, header := range [][]string{nil, {"X-Timeout", "1h"}} {
		handler := breakerhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "its own", r.Context().Value(key("request")))
			assert.Nil(t, r.Context().Value(key("process")))
			derived, cancel := context.WithCancel(context.WithValue(r.Context(), key("derived"), "too"))
			defer cancel()
			assert.Nil(t, derived.Value(key("process")))
			assert.Equal(t, "too", derived.Value(key("derived")))
		}), breakerhttp.WithProcess(byContext(process)))
		handler.ServeHTTP(httptest.NewRecorder(), get(ctx, header...))
	}
}
