package breakerhttp

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/kamilsk/breaker"
)

type observer func(r *http.Request, cause error, status int, duration time.Duration)

// WithObserver makes Handler call a function at the end of each request, also of those that it
// refuses. Use it for logs and metrics:
//
//   - r is the request as Handler got it, with its route in Pattern, and with the context values of
//     outer middleware.
//   - cause is why the request ended before its handler had returned, or nil if nothing ended it.
//     See Reason.
//   - status is the status sent: 200 if the handler has written nothing. It is 0 if there was no
//     answer, because the handler hijacked the connection, or panicked before it wrote.
//   - duration is the time since Handler got the request.
//
// The function is called on the goroutine of the request, after the handler has returned or while
// it panics. The response may not have been sent yet, so a slow function keeps the client waiting.
// Each further WithObserver adds one more. WithObserver panics if the function is nil.
func WithObserver(observe func(r *http.Request, cause error, status int, duration time.Duration)) HandlerOption {
	if observe == nil {
		panic("breakerhttp: WithObserver: the function is nil")
	}
	return func(h *handler) { h.observers = append(h.observers, observe) }
}

func (h *handler) observe(r *http.Request, rec *recorder, duration time.Duration) {
	for _, observe := range h.observers {
		observe(r, rec.cause, rec.sent(), duration)
	}
}

// Reason returns one of a few words for a cause, to use as the label of a metric:
//
//	timeout    a timeout or a deadline: the client's, the server's, or another
//	signal     a signal to the process
//	closed     a breaker was closed, or tripped without a cause
//	cancelled  a context was cancelled; most often, the client has hung up
//	cut        Serve has cut the request
//	other      anything else
//
// For nil it returns the empty string: nothing has ended the request. It may be called
// concurrently.
func Reason(cause error) string {
	switch {
	case cause == nil:
		return ""
	case is(cause, ErrShutdown), isCut(cause):
		return "cut"
	case isTimeout(cause):
		return "timeout"
	case isSignal(cause):
		return "signal"
	case is(cause, breaker.ErrClosed), cause == error(breaker.Interrupted):
		return "closed"
	case is(cause, context.Canceled):
		return "cancelled"
	default:
		return "other"
	}
}

func isCut(cause error) (yes bool) {
	defer func() { _ = recover() }() // As of a foreign cause may panic
	var cut *CutError
	return errors.As(cause, &cut)
}

// isSignal also recognizes the cause of signal.NotifyContext. Its type is private, so the package
// path has to do.
func isSignal(cause error) (yes bool) {
	defer func() { _ = recover() }()
	var signal breaker.SignalError
	return errors.As(cause, &signal) || reflect.TypeOf(cause).PkgPath() == "os/signal"
}

// RecordCause lets middleware outside of Handler learn why a request ended. Handler, further in,
// stores the cause, and the returned function returns it:
//
//	cause := breakerhttp.RecordCause(r)
//	next.ServeHTTP(w, r)
//	log.Print(r.URL, breakerhttp.Reason(cause()))
//
// The function returns nil if nothing had ended the request when its handler returned. Without a
// Handler further in, it returns the cause of the request's own context. Of several Handlers, the
// innermost that has a cause counts.
//
// RecordCause replaces the context of the request, in place. So call it before you pass the request
// to anything that may use it concurrently. It costs three allocations. RecordCause panics if the
// request is nil.
func RecordCause(r *http.Request) (cause func() error) {
	if r == nil {
		panic("breakerhttp: RecordCause: the request is nil")
	}
	record := new(causeRecord)
	ctx := r.Context()
	// In place, because net/http and the middleware in between look into their own request
	// afterwards.
	*r = *r.WithContext(context.WithValue(ctx, causeRecordKey{}, record))
	return func() error {
		if cause := record.Load(); cause != nil {
			return *cause
		}
		return context.Cause(ctx)
	}
}

// causeRecordKey is the key of a *causeRecord among the values of a request's context.
type causeRecordKey struct{}

// causeRecord is written by Handler, which may run on another goroutine than the reader, for
// example under http.TimeoutHandler.
type causeRecord struct{ atomic.Pointer[error] }

// leaveCause leaves the cause for RecordCause.
func leaveCause(ctx context.Context, cause error) {
	if cause == nil {
		return
	}
	if record, ok := ctx.Value(causeRecordKey{}).(*causeRecord); ok {
		record.CompareAndSwap(nil, &cause)
	}
}
