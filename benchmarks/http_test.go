package benchmarks_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// P16: a whole request over loopback, with a limit: breakerhttp.Handler beside the same handler
// that calls context.WithTimeout itself.
func BenchmarkP16Request(b *testing.B) {
	reply := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		_, _ = io.WriteString(w, "ok")
	})
	byContext := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
		defer cancel()
		reply.ServeHTTP(w, r.WithContext(ctx))
	})
	for _, proto := range []string{"1", "2"} {
		b.Run("http="+proto, func(b *testing.B) {
			for _, impl := range []struct {
				name    string
				handler http.Handler
			}{
				{"breaker", breakerhttp.Handler(reply, breakerhttp.WithLimit(time.Hour), breakerhttp.WithHeaders())},
				{"context", byContext},
				{"floor", reply},
			} {
				b.Run("impl="+impl.name, func(b *testing.B) { benchmarkRequests(b, impl.handler, proto == "2") })
			}
		})
	}
}

func benchmarkRequests(b *testing.B, handler http.Handler, http2 bool) {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	defer server.Close()
	client := server.Client()
	transport := client.Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 64
	if http2 {
		transport.TLSClientConfig.NextProtos = []string{"h2"}
		transport.TLSClientConfig.MinVersion = tls.VersionTLS13
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := client.Get(server.URL)
			if err != nil {
				b.Error(err)
				return
			}
			if http2 != (response.ProtoMajor == 2) {
				b.Errorf("the protocol is %s", response.Proto)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
	})
}

// inFlight is how many requests P17 has.
const inFlight = 10_000

// P17: the process is told to stop with 10,000 requests in flight. µs-done is how long it takes
// until the Done of the last one is closed, and µs-stall the longest that a new request takes to
// begin meanwhile; one comes every 10 µs.
func BenchmarkP17Shutdown(b *testing.B) {
	b.Run("impl=breaker", func(b *testing.B) {
		process := func() (begin func() <-chan struct{}, end func()) {
			br := breaker.New()
			return func() <-chan struct{} {
				return breaker.Within(context.Background(), time.Hour, br).Done()
			}, br.Close
		}
		benchmarkShutdown(b, process)
	})
	b.Run("impl=context", func(b *testing.B) {
		process := func() (begin func() <-chan struct{}, end func()) {
			ctx, cancel := context.WithCancel(context.Background())
			return func() <-chan struct{} {
				request, cancel := context.WithTimeout(ctx, time.Hour)
				_ = cancel // the process ends it
				return request.Done()
			}, cancel
		}
		benchmarkShutdown(b, process)
	})
}

func benchmarkShutdown(b *testing.B, process func() (begin func() <-chan struct{}, end func())) {
	var done, stall time.Duration
	for range b.N {
		b.StopTimer()
		begin, end := process()
		all := make([]<-chan struct{}, inFlight)
		for i := range all {
			all[i] = begin()
		}
		ended, starting := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			close(starting)
			for last := false; !last; {
				select {
				case <-ended:
					last = true
				default:
				}
				before := time.Now()
				begin()
				stall = max(stall, time.Since(before))
				for time.Since(before) < interval {
					runtime.Gosched()
				}
			}
		})
		<-starting
		runtime.GC()
		b.StartTimer()
		before := time.Now()
		wg.Go(end)
		for _, c := range all {
			<-c
		}
		done += time.Since(before) // what is left of the trip releases timers
		close(ended)
		wg.Wait()
	}
	b.ReportMetric(float64(done.Microseconds())/float64(b.N), "µs-done")
	b.ReportMetric(float64(stall.Nanoseconds())/1e3, "µs-stall")
	b.ReportMetric(0, "ns/op")
}
