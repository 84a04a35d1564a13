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

// What context.Cause of a call's context may be, besides what the call or the process brings along.
// They match breaker.Interrupted and the error that the context has, because callers look for
// either.
var (
	// ErrServerTimeout is the cause if the server's limit has been reached. It matches
	// context.DeadlineExceeded.
	ErrServerTimeout error = &endError{text: "breakergrpc: the server's time limit has been reached", as: context.DeadlineExceeded}
	// ErrClientTimeout is the cause if the limit of the client's interceptor has been reached. It
	// matches context.DeadlineExceeded.
	ErrClientTimeout error = &endError{text: "breakergrpc: the client's time limit has been reached", as: context.DeadlineExceeded}
	// ErrDraining is the cause of a call of WithDrainEnds once Serve has begun to drain. It matches
	// context.Canceled.
	ErrDraining error = &endError{text: "breakergrpc: ended because the server drains", as: context.Canceled}
	// ErrShutdown is the cause if Serve has cut the call. It matches context.Canceled.
	ErrShutdown error = &endError{text: "breakergrpc: cut by the server's shutdown", as: context.Canceled}
)

// endError is to this package what breaker.ErrClosed and its like are to that one.
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == breaker.Interrupted || target == e.as }

// Timeout makes a timeout one for net.Error and os.IsTimeout, too.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary goes with Timeout to make a net.Error, as context.DeadlineExceeded is one.
func (e *endError) Temporary() bool { return e.Timeout() }

// A Reason is what a server tells its clients of a cause. The set is bounded, so it is good for a
// metric's label.
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

// ReasonOf returns the reason that stands for the cause. It is ReasonOther for nil.
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

// domain is that of the ErrorInfo in which a reason travels.
const domain = "github.com/kamilsk/breaker"

// texts are what a client is told.
var texts = map[Reason]string{
	ReasonTimeout:   "the time for this call is over",
	ReasonSignal:    "the server is ending",
	ReasonDraining:  "the server is draining",
	ReasonShutdown:  "the call was cut by the server's shutdown",
	ReasonClosed:    "the server is ending",
	ReasonCancelled: "the call was canceled",
	ReasonOther:     "the server has stopped the call",
}

// statusOf returns the status that tells a client of the cause: the reason as an ErrorInfo, and the
// cause's text if wanted.
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

// RemoteError is the cause of a call's end as its server says it. It matches breaker.Interrupted,
// and ErrServerTimeout, ErrDraining or ErrShutdown if the reason is that. It matches neither error
// of package context: the client's own context goes on.
type RemoteError struct {
	// Reason is one of those that this package knows, or what a newer version of it says.
	Reason Reason
	// Text is that of the cause, if the server has WithCauseText.
	Text string
}

// Error says what the server said.
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

// Is reports whether the target stands for what the server said.
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

// remoteOf returns what the server said of a cause, or nil.
func remoteOf(st *status.Status) *RemoteError {
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			return &RemoteError{Reason: Reason(info.GetReason()), Text: info.GetMetadata()["text"]}
		}
	}
	return nil
}

// CallError is what a call through this package's client interceptors returns if it is known why it
// ended: because of the client, or as the server says. It is the status error that the call would
// have returned, with the cause added.
type CallError struct {
	// Cause is a *RemoteError if the server ended the call, and else the cause of the client's
	// context or breaker.
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
	// After a second signal it is a breaker.SignalError, and else the cause of the breaker in
	// WithCut.
	Cause error
}

// Error says how many were cut, and why.
func (e *CutError) Error() string {
	return fmt.Sprintf("breakergrpc: calls cut by the shutdown: %d, connections closed while busy: %d, because: %v",
		e.Calls, e.Connections, e.Cause)
}

// Unwrap returns the cause.
func (e *CutError) Unwrap() error { return e.Cause }
