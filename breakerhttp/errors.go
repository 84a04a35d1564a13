package breakerhttp

import (
	"context"
	"fmt"

	"github.com/kamilsk/breaker"
)

// These are causes of a request's context, besides those of the request itself and of the process.
// They match breaker.Interrupted and the error of the context, because callers look for either.
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

// ErrNoTimeLeft is what Transport returns for a request whose remaining time doesn't exceed the
// margin. The request isn't sent. It matches context.DeadlineExceeded and breaker.Interrupted.
var ErrNoTimeLeft error = &endError{text: "breakerhttp: not sent: no more time left than the margin", as: context.DeadlineExceeded}

// endError is a cause made by this package, like the type of breaker.ErrClosed.
type endError struct {
	text string
	as   error
}

func (e *endError) Error() string { return e.text }

func (e *endError) Is(target error) bool { return target == breaker.Interrupted || target == e.as }

// Timeout lets net.Error, os.IsTimeout and url.Error recognize a timeout.
func (e *endError) Timeout() bool { return e.as == context.DeadlineExceeded }

// Temporary completes net.Error, which context.DeadlineExceeded implements, too.
func (e *endError) Temporary() bool { return e.Timeout() }

// CutError is what Serve returns if it had to end requests.
type CutError struct {
	// Requests is how many were cut: their handlers were running when their contexts were ended.
	// Some of them may have finished all the same.
	Requests int
	// Connections is how many connections were closed although something was still going on there:
	// a handler that hadn't returned in time, or a response that was still being written.
	Connections int
	// Cause says what ended the grace period. It matches context.DeadlineExceeded if time ran out.
	// After a second signal it is a breaker.SignalError. Otherwise it is the cause of the breaker
	// in WithCut.
	Cause error
}

// Error says how many were cut, and why.
func (e *CutError) Error() string {
	return fmt.Sprintf("breakerhttp: requests cut by the shutdown: %d, connections closed while busy: %d, because: %v",
		e.Requests, e.Connections, e.Cause)
}

// Unwrap returns the cause.
func (e *CutError) Unwrap() error { return e.Cause }
