package breakergrpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kamilsk/breaker"
)

// These are causes of a call's context, besides those of the call itself and of the process. They
// match breaker.Interrupted and the error of the context, because callers look for either.
var (
	// ErrServerTimeout is the cause if the server's limit has been reached. It matches
	// context.DeadlineExceeded.
	ErrServerTimeout error = &endError{text: "breakergrpc: the server's time limit has been reached", as: context.DeadlineExceeded}
	// ErrClientTimeout is the cause if the limit of the client's interceptor has been reached. It
	// matches context.DeadlineExceeded.
	ErrClientTimeout error = &endError{text: "breakergrpc: the client's time limit has been reached", as: context.DeadlineExceeded}
	// ErrDraining is the cause if Serve has begun to drain and the method is in WithDrainEnds. It
	// matches context.Canceled.
	ErrDraining error = &endError{text: "breakergrpc: ended because the server is draining", as: context.Canceled}
	// ErrShutdown is the cause if Serve has cut the call. It matches context.Canceled.
	ErrShutdown error = &endError{text: "breakergrpc: cut by the server's shutdown", as: context.Canceled}
)

// endError is a cause made by this package, like the type of breaker.ErrClosed.
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == breaker.Interrupted || target == e.as }

// Timeout lets net.Error and os.IsTimeout recognize a timeout.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary completes net.Error, which context.DeadlineExceeded implements, too.
func (e *endError) Temporary() bool { return e.Timeout() }

// A Reason is what a server tells its clients about a cause. There are only a few, so you can use
// it as the label of a metric.
type Reason string

const (
	ReasonTimeout   Reason = "TIMEOUT"   // a limit or a deadline
	ReasonSignal    Reason = "SIGNAL"    // the process received a signal
	ReasonDraining  Reason = "DRAINING"  // ErrDraining
	ReasonShutdown  Reason = "SHUTDOWN"  // ErrShutdown
	ReasonClosed    Reason = "CLOSED"    // the breaker of the process was closed
	ReasonCancelled Reason = "CANCELLED" // a context was canceled
	ReasonOther     Reason = "OTHER"     // an error of the server's own
)

// ReasonOf returns the reason for a cause, and ReasonOther for nil. It may be called concurrently.
func ReasonOf(cause error) Reason {
	var signal breaker.SignalError
	switch {
	case errors.Is(cause, ErrShutdown):
		return ReasonShutdown
	case errors.Is(cause, ErrDraining):
		return ReasonDraining
	case errors.Is(cause, breaker.ErrClosed):
		return ReasonClosed
	case errors.As(cause, &signal):
		return ReasonSignal
	case errors.Is(cause, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(cause, context.Canceled):
		return ReasonCancelled
	default:
		return ReasonOther
	}
}

// domain is the domain of the ErrorInfo that carries a reason.
const domain = "github.com/kamilsk/breaker"

// texts are what a client is told.
var texts = map[Reason]string{
	ReasonTimeout:   "the call's time limit was reached",
	ReasonSignal:    "the server is shutting down",
	ReasonDraining:  "the server is draining",
	ReasonShutdown:  "the call was cut by the server's shutdown",
	ReasonClosed:    "the server is shutting down",
	ReasonCancelled: "the call was canceled",
	ReasonOther:     "the server has stopped the call",
}

// statusOf returns the status that tells a client about the cause: the reason as an ErrorInfo, and
// the cause's text if wanted.
func statusOf(cause error, withText bool) *status.Status {
	reason := ReasonOf(cause)
	code := codes.Unavailable
	switch reason {
	case ReasonTimeout:
		code = codes.DeadlineExceeded
	case ReasonCancelled:
		code = codes.Canceled
	}
	info := &errdetails.ErrorInfo{Domain: domain, Reason: string(reason)}
	message := texts[reason]
	if withText {
		message += ": " + cause.Error()
		info.Metadata = map[string]string{"text": cause.Error()}
	}
	st := status.New(code, message)
	if detailed, err := st.WithDetails(info); err == nil {
		return detailed
	}
	return st // the text isn't UTF-8
}

// RemoteError is a cause that the server has reported. It matches breaker.Interrupted, and the one
// of ErrServerTimeout, ErrDraining and ErrShutdown that has its reason. It matches neither error of
// package context, because the client's own context is still open.
type RemoteError struct {
	// Reason is one of the constants of this package, or one that a newer version has added.
	Reason Reason
	// Text is the text of the cause if the server has WithCauseText, and else empty.
	Text string
}

// Error returns the server's reason, and its text if there is one.
func (e *RemoteError) Error() string {
	text, ok := texts[e.Reason]
	if !ok {
		text = string(e.Reason)
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return "breakergrpc: server: " + text
}

// Is reports whether the target is breaker.Interrupted, or has the reason of the server.
func (e *RemoteError) Is(target error) bool {
	switch target {
	case breaker.Interrupted:
		return true
	case ErrServerTimeout:
		return e.Reason == ReasonTimeout
	case ErrDraining:
		return e.Reason == ReasonDraining
	case ErrShutdown:
		return e.Reason == ReasonShutdown
	default:
		return false
	}
}

// remoteOf returns the cause that the server has reported, or nil.
func remoteOf(st *status.Status) *RemoteError {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			return &RemoteError{Reason: Reason(info.GetReason()), Text: info.GetMetadata()["text"]}
		}
	}
	return nil
}

// CallError is what a call through this package's client interceptors returns if the reason for its
// end is known, from the client itself or from the server. It is the status error that the call
// would have returned, with the cause added.
type CallError struct {
	// Cause is a *RemoteError if the server ended the call. Otherwise it is the cause of the
	// client's context or breaker.
	Cause error

	status *status.Status
}

// Error returns the text of the status error and that of the cause.
func (e *CallError) Error() string { return e.status.Err().Error() + " (" + e.Cause.Error() + ")" }

// GRPCStatus returns the status, for status.FromError and status.Code.
func (e *CallError) GRPCStatus() *status.Status { return e.status }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Cause }

// CutError is what Serve returns if it had to end calls.
type CutError struct {
	// Calls is how many were cut: their handlers were running when their contexts were ended. Some
	// of them may have finished all the same. It is zero without WithCalls.
	Calls int
	// Connections is how many connections were closed although something was still going on there.
	Connections int
	// Cause says what ended the grace period. It matches context.DeadlineExceeded if time ran out.
	// After a second signal it is a breaker.SignalError. Otherwise it is the cause of the breaker
	// in WithCut.
	Cause error
}

// Error says how many were cut, and why.
func (e *CutError) Error() string {
	return fmt.Sprintf("breakergrpc: calls cut by the shutdown: %d, connections closed while busy: %d, because: %v",
		e.Calls, e.Connections, e.Cause)
}

// Unwrap returns the cause.
func (e *CutError) Unwrap() error { return e.Cause }
