package breakerhttp

import (
	"context"
	"net/http"
	"time"
)

// A TransportOption configures Transport.
type TransportOption func(*transport)

// WithMargin sets what Transport subtracts from the time left, for the way there and back. By
// default it is zero. WithMargin panics if the margin is negative.
func WithMargin(margin time.Duration) TransportOption {
	if margin < 0 {
		panic("breakerhttp: WithMargin: the margin is negative: " + margin.String())
	}
	return func(t *transport) { t.margin = margin }
}

// WithHeader sets the header in which Transport sends the time left. By default it is XTimeout.
// WithHeader panics if the header has no Name or no Format.
func WithHeader(header TimeoutHeader) TransportOption {
	switch {
	case header.Name == "":
		panic("breakerhttp: WithHeader: the header has no Name")
	case header.Format == nil:
		panic("breakerhttp: WithHeader: the header has no Format")
	}
	return func(t *transport) { t.header = header }
}

// Transport returns an http.RoundTripper that tells the next service, in a header, how much time is
// left. That is the time until the deadline of the request's context, minus a margin. It sends the
// request by base, or by http.DefaultTransport if base is nil.
//
// It replaces the header if the request has it already, and removes the other timeout headers of
// this package. Otherwise a proxy that copies its client's headers would pass on a stale limit. A
// request without a deadline is sent as it is. Transport never changes your request: it sends a
// copy with its own headers, at the cost of some 4 allocations.
//
// It doesn't send a request whose time has run out. If the context is done, the error is its
// context.Cause. If no more than the margin is left, it is ErrNoTimeLeft. http.Client wraps either
// in a *url.Error. The body is closed, as usual.
//
// Transport sets no timeout of its own, and doesn't retry. CloseIdleConnections is passed on to
// base. The result may be used concurrently if base may. Transport panics if an option is nil.
func Transport(base http.RoundTripper, options ...TransportOption) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{base: base, header: XTimeout()}
	apply("Transport", t, options)
	return t
}

type transport struct {
	base   http.RoundTripper
	margin time.Duration
	header TimeoutHeader
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if ctx.Err() != nil {
		return notSent(r, context.Cause(ctx))
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return t.base.RoundTrip(r)
	}
	left := time.Until(deadline) - t.margin
	if left <= 0 {
		return notSent(r, ErrNoTimeLeft)
	}
	sent := r.WithContext(ctx) // a shallow copy
	sent.Header = r.Header.Clone()
	if sent.Header == nil {
		sent.Header = make(http.Header)
	}
	t.tell(sent.Header, left)
	return t.base.RoundTrip(sent)
}

// tell sets the header to the time left, and removes the other timeout headers: the next service
// may read one of those only.
func (t *transport) tell(header http.Header, left time.Duration) {
	for name := range header {
		if isTimeoutHeader(name) {
			delete(header, name)
		}
	}
	header.Set(t.header.Name, t.header.Format(left))
}

// CloseIdleConnections is called by http.Client.CloseIdleConnections.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// notSent ends a round trip before it began. A RoundTripper closes the body in any case.
func notSent(r *http.Request, err error) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close() // what counts is why it wasn't sent
	}
	return nil, err
}
