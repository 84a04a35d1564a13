package integrations_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kamilsk/breaker/breakerhttp"
)

// serveSlow serves two requests by a mux with the option: one in time, one out of time.
func serveSlow(option breakerhttp.HandlerOption) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fast", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	handler := breakerhttp.Handler(mux, option, breakerhttp.WithTimeoutResponse(http.StatusServiceUnavailable, "try later"))
	for _, request := range []struct{ path, timeout string }{{"/fast", "1m"}, {"/slow", "200ms"}} {
		r := httptest.NewRequest(http.MethodGet, request.path, nil)
		r.Header.Set("X-Timeout", request.timeout)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// A line for each request, by log/slog.
func Example_observerWithSlog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // not the same each time
		}
		return a
	}}))
	serveSlow(breakerhttp.WithObserver(func(r *http.Request, cause error, status int, _ time.Duration) {
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("route", r.Pattern), slog.Int("status", status), slog.String("reason", breakerhttp.Reason(cause)))
	}))
	// Output:
	// level=INFO msg=request route="GET /fast" status=200 reason=""
	// level=INFO msg=request route="GET /slow" status=503 reason=timeout
}

// A histogram with the reason as a label, by the Prometheus client. The reasons are a bounded set.
func Example_observerWithPrometheus() {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "request_seconds"}, []string{"route", "reason"})
	serveSlow(breakerhttp.WithObserver(func(r *http.Request, cause error, _ int, duration time.Duration) {
		durations.WithLabelValues(r.Pattern, breakerhttp.Reason(cause)).Observe(duration.Seconds())
	}))
	fmt.Println(testutil.CollectAndCount(durations), "series")
	fmt.Println(durations.DeleteLabelValues("GET /fast", ""), durations.DeleteLabelValues("GET /slow", "timeout"))
	// Output:
	// 2 series
	// true true
}

// A counter with the reason as an attribute, by OpenTelemetry.
func Example_observerWithOpenTelemetry() {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	defer provider.Shutdown(context.Background())
	ended, err := provider.Meter("example").Int64Counter("requests.ended")
	if err != nil {
		fmt.Println(err)
		return
	}
	serveSlow(breakerhttp.WithObserver(func(r *http.Request, cause error, status int, _ time.Duration) {
		if cause != nil {
			ended.Add(r.Context(), 1, metric.WithAttributes(
				attribute.String("http.route", r.Pattern),
				attribute.Int("http.response.status_code", status),
				attribute.String("breaker.reason", breakerhttp.Reason(cause)),
			))
		}
	}))
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		fmt.Println(err)
		return
	}
	for _, point := range metrics.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		fmt.Println(point.Value, point.Attributes.Encoded(attribute.DefaultEncoder()))
	}
	// Output: 1 breaker.reason=timeout,http.response.status_code=503,http.route=GET /slow
}
