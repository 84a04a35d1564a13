package breakerhttp

import (
	"context"
	"fmt"

	"github.com/kamilsk/breaker"
)

// What context.Cause of a request's context may be, besides what the request or the process brings
// along. They match breaker.Interrupted and the error that the context has, because callers look
// for either.
var (
	// ErrClientTimeout is the cause if the client's timeout has expired. It matches
	// context.DeadlineExceeded.
	ErrClientTimeout error = &endError{text: "breakerhttp: the client's timeout has expired", as: context.DeadlineExceeded}
	// ErrServerTimeout is the cause if the server's limit has been reached. It matches
	// context.DeadlineExceeded.
	ErrServerTimeout error = &endError{text: "breakerhttp: the server's time limit has been reached", as: context.DeadlineExceeded}
	// ErrShutdown is the cause if Serve has cut the request. It matches context.Canceled.
	ErrShutdown error = &endError{text: "breakerhttp: cut by the server's shutdown", as: context.Canceled}
)

// ErrNoTimeLeft is what Transport returns for a request that it doesn't send because no more than
// the margin is left of its time. It matches context.DeadlineExceeded and breaker.Interrupted.
var ErrNoTimeLeft error = &endError{text: "breakerhttp: not sent: no more time left than the margin", as: context.DeadlineExceeded}

// endError is to this package what breaker.ErrClosed and its like are to that one.
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == breaker.Interrupted || target == e.as }

// Timeout makes a timeout one for net.Error, os.IsTimeout and url.Error, too.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary goes with Timeout to make a net.Error, as context.DeadlineExceeded is one.
func (e *endError) Temporary() bool { return e.Timeout() }

// CutError is what Serve returns if it had to end requests.
type CutError struct {
	// Requests is how many were cut: their handlers were running when their contexts were ended.
	// Some of them may have finished all the same.
	Requests int
	// Connections is how many connections were closed although something was still going on there:
	// a handler that hadn't returned in time, or a response that was still being written.
	Connections int
	// Cause says what ended the grace period. It matches context.DeadlineExceeded if that was over.
	// After a second signal it is a breaker.SignalError, and else the cause of the breaker in
	// WithCut.
	Cause error
}

// Error says how many were cut, and why.
func (e *CutError) Error() string {
	return fmt.Sprintf("breakerhttp: requests cut by the shutdown: %d, connections closed while busy: %d, because: %v",
		e.Requests, e.Connections, e.Cause)
}

// Unwrap returns the cause.
func (e *CutError) Unwrap() error { return e.Cause }
