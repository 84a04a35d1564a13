// Package breakerhttp sets time limits for HTTP requests, on both sides, and shuts servers down
// gracefully.
//
//   - Handler, or Middleware for a router, gives each request a context. It is done at the earliest
//     of: the request's own end, the client's timeout, the server's limit, the end of the process.
//   - Transport tells the next service how much of that time is left.
//   - Serve, ListenAndServe and ListenAndServeTLS shut a server down in two phases: drain, in which
//     requests in flight go on undisturbed, and cut.
//
// A server in production:
//
//	mux.Handle("GET /ready", breakerhttp.Ready())
//	handler := breakerhttp.Handler(mux,
//		breakerhttp.WithLimit(30*time.Second),
//		breakerhttp.WithConnDeadlines(),
//	)
//	server := &http.Server{Addr: ":8080", Handler: handler, ReadHeaderTimeout: 10 * time.Second}
//	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
//	defer stop.Close()
//	err := breakerhttp.ListenAndServe(server, stop, breakerhttp.WithDrainDelay(5*time.Second))
//
// A stream that doesn't end by itself:
//
//	case <-breakerhttp.Draining(r.Context()): // say goodbye
//
// A metric:
//
//	breakerhttp.WithObserver(func(r *http.Request, cause error, status int, d time.Duration) {
//		durations.WithLabelValues(r.Pattern, breakerhttp.Reason(cause)).Observe(d.Seconds())
//	})
//
// Handlers need no change. They pass on r.Context() as usual, and whatever they call stops when it
// is done. context.Cause says why:
//
//	cause of r.Context()      matches                        what happened
//	ErrClientTimeout          DeadlineExceeded, Interrupted  the client's timeout has expired
//	ErrServerTimeout          DeadlineExceeded, Interrupted  the server's limit has been reached
//	ErrShutdown               Canceled, Interrupted          Serve has cut the request
//	the cause of WithProcess  as that does                   the process ends
//	context.Canceled          itself                         net/http has seen the client hang up
//	breaker.ErrClosed         Canceled, Interrupted          the handler has returned
//
// They match by errors.Is. Interrupted is breaker.Interrupted; DeadlineExceeded and Canceled are
// those of package context. ErrShutdown also passes through Handler.
//
// # On the wire
//
// There is no standard header for a timeout. By default Handler reads these, and the shortest
// timeout counts:
//
//	X-Timeout           a Go duration: 150ms, 2s, 1m30s; at most 64 bytes
//	Grpc-Timeout        up to 8 digits and a unit: H, M, S, m, u or n, as in gRPC
//	Connect-Timeout-Ms  up to 10 digits, as in Connect
//
// They carry a duration, so the clocks of the two sides needn't agree. The time on the way isn't
// counted; the margin of Transport allows for it. Transport sends one of them, and removes the
// others.
//
// # Concurrency
//
// Every function may be called concurrently. What Handler and Transport return may be called
// concurrently if what they wrap may. Pass a *http.Server to one call of Serve only. An observer
// runs on the goroutine of each request, so it must allow concurrent calls.
//
// # Inside package context
//
// To answer context.Cause for a request that a process breaker can end, this package learns a
// private key of package context, once. If a later Go release takes that away, context.Cause
// returns the error of the context instead of the cause.
package breakerhttp
