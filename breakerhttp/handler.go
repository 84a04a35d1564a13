package breakerhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/kamilsk/breaker"
)

// A HandlerOption is for Handler.
type HandlerOption func(*handler)

// WithLimit sets the longest time that a request may take, counted from when Handler gets it. A client that allows more,
// or doesn't say, gets this. By default there is no limit. It panics if the limit isn't more than zero.
func WithLimit(limit time.Duration) HandlerOption {
	if limit <= 0 {
		panic("breakerhttp: WithLimit: the limit is not more than zero: " + limit.String())
	}
	return func(h *handler) { h.limit = limit }
}

// WithProcess adds a breaker that outlives the requests and ends all of them when it trips. It is only watched,
// never closed. Each further WithProcess adds one more. WithProcess panics if the breaker is nil.
//
// Don't give it the breaker that begins the shutdown in Serve: that would cut what Serve lets go on. Handlers under Serve
// need nothing here, as their requests' own contexts end when Serve cuts them.
func WithProcess(process breaker.Interface) HandlerOption {
	if isNil(process) {
		panic("breakerhttp: WithProcess: the breaker is nil")
	}
	return func(h *handler) { h.processes = append(h.processes, breaker.NopCloser(process)) }
}

// WithHeaders sets the headers in which a client may say how much time it allows. The first that is present counts. Without
// any, clients have no say. By default they are XTimeout, GRPCTimeout and ConnectTimeout, in this order. WithHeaders
// panics if a header has no name or no Parse.
func WithHeaders(headers ...TimeoutHeader) HandlerOption {
	own := make([]TimeoutHeader, len(headers))
	for i, header := range headers {
		switch {
		case header.Name == "":
			panic("breakerhttp: WithHeaders: header " + strconv.Itoa(i) + " has no Name")
		case header.Parse == nil:
			panic("breakerhttp: WithHeaders: header " + strconv.Itoa(i) + " has no Parse")
		}
		header.Name = http.CanonicalHeaderKey(header.Name)
		own[i] = header
	}
	return func(h *handler) { h.headers = own }
}

// Handler returns a handler that calls next with requests whose context is done at the earliest of:
//
//   - the end of the request's own context;
//   - the end of the time that the client allows in a header, or of the limit, whichever is less;
//   - the trip of the breakers in WithProcess;
//   - the return of next.
//
// The context has the values of the request's own, the earliest deadline, and a context.Cause that says which one it was;
// see the package documentation.
//
// Without calling next, it answers
//
//   - 400 and one sentence, if the header is malformed, or there more than once;
//   - 504, if the client allows zero or less, or a deadline is over on arrival;
//   - 503, if the request's context or a process breaker has ended otherwise on arrival.
//
// Once next has been called, the response is its own: Handler never writes one, doesn't buffer, and passes the
// http.ResponseWriter on as it is. It doesn't end a handler that doesn't look at its context, nor a Read or Write on the
// connection; for those there are http.ResponseController and the timeouts of http.Server.
//
// It costs some 15 small allocations and 2 µs for a request, a timer among them, no goroutine, and nothing if there
// is neither a header nor an option. Handler panics if next or an option is nil.
func Handler(next http.Handler, options ...HandlerOption) http.Handler {
	if next == nil {
		panic("breakerhttp: Handler: next is nil")
	}
	h := &handler{next: next}
	WithHeaders(XTimeout(), GRPCTimeout(), ConnectTimeout())(h)
	apply("Handler", h, options)
	return h
}

type handler struct {
	next      http.Handler
	headers   []TimeoutHeader
	limit     time.Duration // zero: none
	processes []breaker.Interface
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	timeout, cause, err := h.timeout(r.Header)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case cause != nil && timeout <= 0:
		refuse(w, cause)
		return
	case cause == nil && len(h.processes) == 0:
		h.next.ServeHTTP(w, r) // its own context is all there is
		return
	}

	ctx := r.Context()
	var timer *breaker.Breaker
	if cause != nil {
		timer = breaker.BreakByTimeout(timeout)
		defer timer.Close()
		ctx = withDeadlineOf(ctx, timer)
	}
	// What h.processes has is NopCloser: closing br leaves it alone.
	br := breaker.Multiplex(append([]breaker.Interface{breaker.BreakByContext(ctx, nil)}, h.processes...)...)
	// The server ends a request's context when its handler returns. So do we, which also lets go of the process.
	defer br.Close()
	if timer != nil {
		// The timer isn't among the sources, because it has a cause of its own, which says neither whose time it was.
		timer.OnTrip(func() { br.Trip(cause) })
	}
	if br.Err() != nil {
		refuse(w, br.Cause())
		return
	}
	h.next.ServeHTTP(w, r.WithContext(breaker.ToContext(br)))
}

// timeout returns how long a request with the header may take, and the cause for it to end then, or a nil cause if there is no
// such time. The error is a sentence for the client.
func (h *handler) timeout(header http.Header) (timeout time.Duration, cause, err error) {
	if h.limit > 0 {
		timeout, cause = h.limit, ErrServerTimeout
	}
	for i := range h.headers {
		th := &h.headers[i]
		values := header[th.Name]
		switch len(values) {
		case 0:
			continue
		case 1:
		default:
			return 0, nil, errors.New("malformed header " + th.Name + ": it is there more than once")
		}
		client, err := th.Parse(values[0])
		if err != nil {
			return 0, nil, errors.New("malformed header " + th.Name + ": " + err.Error())
		}
		if cause == nil || client <= timeout {
			timeout, cause = client, ErrClientTimeout
		}
		return timeout, cause, nil
	}
	return timeout, cause, nil
}

// refuse answers a request whose time was over before it began.
func refuse(w http.ResponseWriter, cause error) {
	if errors.Is(cause, context.DeadlineExceeded) {
		http.Error(w, "the time for this request is over", http.StatusGatewayTimeout)
		return
	}
	http.Error(w, "this server is ending", http.StatusServiceUnavailable)
}

// withDeadlineOf returns ctx with the deadline of the timer, if that is earlier, for all who ask. It doesn't end then.
func withDeadlineOf(ctx context.Context, timer *breaker.Breaker) context.Context {
	at, _ := timer.Deadline()
	if own, ok := ctx.Deadline(); ok && own.Before(at) {
		return ctx
	}
	return deadlineContext{ctx, at}
}

type deadlineContext struct {
	context.Context
	at time.Time
}

func (c deadlineContext) Deadline() (time.Time, bool) { return c.at, true }

// apply applies the options to the target on behalf of a function with that name.
func apply[T any, O ~func(T)](function string, target T, options []O) {
	for i, option := range options {
		if option == nil {
			panic("breakerhttp: " + function + ": option " + strconv.Itoa(i) + " is nil")
		}
		option(target)
	}
}

// isNil reports whether there is no breaker, also behind a pointer that is nil.
func isNil(br breaker.Interface) (yes bool) {
	defer func() { yes = recover() != nil }()
	breaker.NopCloser(br)
	return false
}
