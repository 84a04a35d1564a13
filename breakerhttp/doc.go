// Package breakerhttp sets time limits for HTTP requests, on both sides, and shuts servers down
// gracefully.
//
//   - Handler, or Middleware for a router, gives each request a context that is done at the
//     earliest of: the request's own end, the client's timeout, the server's limit, the end of the
//     process.
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
// Handlers need to know nothing of it. They pass on r.Context(), as ever, and whatever they call
// stops when it is done; context.Cause says why:
//
//	cause of r.Context()      matches                        what happened
//	ErrClientTimeout          DeadlineExceeded, Interrupted  the client's timeout has expired
//	ErrServerTimeout          DeadlineExceeded, Interrupted  the server's limit has been reached
//	ErrShutdown               Canceled, Interrupted          Serve has cut the request
//	the cause of WithProcess  as that does                   the process ends
//	context.Canceled          itself                         net/http has seen the client hang up
//	breaker.ErrClosed         Canceled, Interrupted          the handler has returned
//
// (Matches by errors.Is. Interrupted is breaker.Interrupted, the others are those of package
// context. With Handler between Serve and the handler, ErrShutdown comes through all the same.)
//
// # On the wire
//
// There is no standard header for a timeout. By default Handler reads these, and the least of those
// that are present counts:
//
//	X-Timeout           a Go duration: 150ms, 2s, 1m30s; at most 64 bytes
//	Grpc-Timeout        up to 8 digits and a unit: H, M, S, m, u or n, as in gRPC
//	Connect-Timeout-Ms  up to 10 digits, as in Connect
//
// They carry a duration and not a moment, so the clocks of the two sides needn't agree; the time on
// the way isn't counted, which is what the margin of Transport is for. Transport sends one of them,
// and removes the others.
//
// # Concurrency
//
// Every function may be called concurrently, and so may what Handler and Transport return, if what
// they were given may. Only a *http.Server belongs to the one call of Serve that it was given to.
// What an observer is told is told on the goroutine of the request, so observers run concurrently.
//
// # Inside package context
//
// A request that a process breaker can end has a context that asks package context for its private
// key, once, to answer for its cause. Should that be gone in a later release of Go, context.Cause
// returns the error of the context instead of the cause.
package breakerhttp
