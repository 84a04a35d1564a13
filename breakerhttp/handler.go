package breakerhttp

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/kamilsk/breaker"
)

// A HandlerOption configures Handler and Middleware.
type HandlerOption func(*handler)

// WithProcess adds a breaker that outlives the requests, and ends all of them when it trips. It is
// never closed. Each further WithProcess adds one more. WithProcess panics if the breaker is nil.
//
// Don't pass the breaker that begins the shutdown in Serve: it would end the requests that Serve
// lets finish. Handlers under Serve don't need WithProcess, because the contexts of their requests
// end when Serve cuts them.
func WithProcess(process breaker.Interface) HandlerOption {
	if isNil(process) {
		panic("breakerhttp: WithProcess: the breaker is nil")
	}
	return func(h *handler) { h.processes = append(h.processes, breaker.NopCloser(process)) }
}

// Handler returns a handler that calls next with requests whose context is done at the earliest of:
//
//   - the end of the request's own context;
//   - the timeout that the client sets in a header, or the limit, whichever is shorter;
//   - the trip of the breakers in WithProcess;
//   - the return of next.
//
// The context has the values of the request's own context and no others, and the earliest deadline.
// context.Cause says what ended it; see the package documentation.
//
// If a request can't be served, Handler answers without calling next:
//
//   - 400 and one sentence, if a header is malformed, or appears more than once;
//   - 504, or what WithTimeoutResponse says, if a timeout is zero or less, or a deadline has passed
//     on arrival;
//   - 503, if the request's context or a process breaker has ended otherwise on arrival.
//
// A gRPC request has a Content-Type that begins with application/grpc. It gets the corresponding
// gRPC status, in headers alone: 13 (internal), 4 (deadline exceeded), 14 (unavailable).
//
// Once next has been called, the response belongs to next. Handler doesn't buffer. It passes the
// http.ResponseWriter on as it is, unless WithTimeoutResponse, WithObserver or WithConnDeadlines
// need to know what is written. It doesn't stop a handler that ignores its context. To end Read and
// Write on the connection, use WithConnDeadlines.
//
// next gets a copy of the request. When next returns or panics, Handler copies what it has set back
// to the original: the parsed forms, the pattern and the path values, and a changed URL, Host,
// RemoteAddr or Header. So net/http removes the files of an upload, and middleware outside sees the
// route. After a panic, Handler removes these files itself.
//
// For each request, Handler costs a timer and a few small allocations, and no goroutine. It costs
// nothing if there is neither a timeout header nor an option. The result may be called concurrently
// if next may. Handler panics if next or an option is nil.
func Handler(next http.Handler, options ...HandlerOption) http.Handler {
	if next == nil {
		panic("breakerhttp: Handler: next is nil")
	}
	h := newHandler("Handler", options)
	h.next = next
	return h
}

// Middleware returns a function that calls Handler with these options. chi's Use, echo's
// WrapMiddleware and others take such a function. Middleware panics if an option is nil, and the
// function panics if next is nil.
func Middleware(options ...HandlerOption) func(next http.Handler) http.Handler {
	template := newHandler("Middleware", options)
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("breakerhttp: Middleware: next is nil")
		}
		h := *template
		h.next = next
		return &h
	}
}

type handler struct {
	next      http.Handler
	headers   []TimeoutHeader
	limit     time.Duration // zero: none
	processes []breaker.Interface

	onTimeout     *timeoutResponse // nil: none
	observers     []observer
	connDeadlines bool
}

func newHandler(function string, options []HandlerOption) *handler {
	h := new(handler)
	WithHeaders(XTimeout(), GRPCTimeout(), ConnectTimeout())(h)
	apply(function, h, options)
	return h
}

// isTransparent reports whether a request without a timeout can be passed on as it is.
func (h *handler) isTransparent() bool {
	return len(h.processes) == 0 && !h.needsRecorder()
}

// needsRecorder reports whether an option needs to know what next writes.
func (h *handler) needsRecorder() bool {
	return h.onTimeout != nil || len(h.observers) > 0 || h.connDeadlines
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limit, malformed := h.limitOf(r.Header)
	if malformed == nil && !limit.isSet() && h.isTransparent() {
		h.next.ServeHTTP(w, r)
		return
	}
	if !h.needsRecorder() {
		h.serve(w, r, nil, limit, malformed)
		return
	}
	begun := time.Now()
	w, rec := record(w)
	rec.panicked = true // until it has returned
	defer func() { h.observe(r, rec, time.Since(begun)) }()
	h.serve(w, r, rec, limit, malformed)
	rec.panicked = false
}

// serve refuses the request or calls next. The recorder is nil if no option needs it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, rec *recorder, limit limit, malformed error) {
	switch {
	case malformed != nil:
		reply(w, r, http.StatusBadRequest, malformed.Error())
		return
	case limit.isSet() && limit.timeout <= 0:
		h.refuse(w, r, rec, limit.cause)
		return
	}
	br := h.begin(r.Context(), limit)
	defer br.Close() // the server ends a request's context when its handler returns, and so do we
	if br.Err() != nil {
		h.refuse(w, r, rec, br.Cause())
		return
	}
	h.call(w, r, rec, br)
}

// begin returns the breaker of a request. Closing it leaves the processes alone.
func (h *handler) begin(ctx context.Context, limit limit) *breaker.Breaker {
	if limit.isSet() {
		return breaker.WithinCause(ctx, limit.timeout, limit.cause, h.processes...)
	}
	sources := make([]breaker.Interface, 0, 1+len(h.processes))
	sources = append(sources, breaker.BreakByContext(ctx, nil))
	return breaker.Multiplex(append(sources, h.processes...)...)
}

// call calls next.
func (h *handler) call(w http.ResponseWriter, r *http.Request, rec *recorder, br *breaker.Breaker) {
	inner := copyOf(r, h.contextOf(r, br))
	returned := false
	defer func() {
		cause := br.Cause()
		leaveCause(r.Context(), cause)
		if rec != nil {
			rec.cause = cause
		}
		if !returned {
			removeUploads(inner.MultipartForm)
		}
		giveBack(r, inner)
		if returned && r.ProtoMajor == 2 {
			removeUploadsLater(r)
		}
	}()

	if h.connDeadlines {
		deadlines := watchConn(w, inner, rec, br)
		defer func() { deadlines.end(returned) }()
	}
	h.next.ServeHTTP(w, inner)
	if h.onTimeout != nil && rec.isUntouched() && isTimeout(br.Cause()) {
		h.onTimeout.write(w, r)
	}
	returned = true
}

// refuse answers a request that had ended before it began.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, rec *recorder, cause error) {
	leaveCause(r.Context(), cause)
	if rec != nil {
		rec.cause = cause
	}
	if h.onTimeout != nil && isTimeout(cause) {
		h.onTimeout.write(w, r)
		return
	}
	refuse(w, r, cause)
}

// apply applies the options to the target. Its panic names the function.
func apply[T any, O ~func(T)](function string, target T, options []O) {
	for i, option := range options {
		if option == nil {
			panic("breakerhttp: " + function + ": option " + strconv.Itoa(i) + " is nil")
		}
		option(target)
	}
}

// isNil reports whether the breaker is nil, or a nil pointer.
func isNil(br breaker.Interface) (yes bool) {
	defer func() { yes = recover() != nil }()
	breaker.NopCloser(br)
	return false
}
