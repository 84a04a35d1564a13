// Package breakerhttp makes HTTP requests interruptible, on both sides, and ends servers in order.
//
//   - Handler gives each request a context that is done at the earliest of: the request's own end, the time that its client
//     allows, the server's limit, the end of the process.
//   - Transport tells the next service how much of that time is left.
//   - Serve shuts a server down in two phases: drain, in which requests in flight go on undisturbed, and cut.
//
// Handlers need to know nothing of it. They pass on r.Context(), as ever, and whatever they call stops when it is done;
// context.Cause says why:
//
//	cause of r.Context()                     matches, by errors.Is                       what happened
//	ErrClientTimeout                         context.DeadlineExceeded, Interrupted       the client's time is over
//	ErrServerTimeout                         context.DeadlineExceeded, Interrupted       the server's limit has been reached
//	ErrShutdown                              context.Canceled, Interrupted               Serve has cut the request
//	the cause of the breaker in WithProcess  as that does                                the process ends
//	context.Canceled                         itself                                      net/http has seen the client hang up
//	breaker.ErrClosed                        context.Canceled, Interrupted               the handler has returned
//
// (Interrupted is breaker.Interrupted. With Handler between Serve and the handler, ErrShutdown comes through all the same.)
//
// # On the wire
//
// There is no standard header for a timeout. By default Handler reads these, and the first that is present counts:
//
//	X-Timeout           a Go duration: 150ms, 2s, 1m30s; at most 64 bytes
//	Grpc-Timeout        up to 8 digits and a unit: H, M, S, m, u or n, as in gRPC
//	Connect-Timeout-Ms  up to 10 digits, as in Connect
//
// They carry a duration and not a moment, so the clocks of the two sides needn't agree; the time on the way isn't counted,
// which is what the margin of Transport is for.
//
// # Concurrency
//
// Every function may be called concurrently, and so may what Handler and Transport return, if what they were given may. Only a
// *http.Server belongs to the one call of Serve that it was given to.
package breakerhttp
