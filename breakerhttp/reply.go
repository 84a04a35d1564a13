package breakerhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

const (
	textNoTime = "no time left for this request"
	textEnding = "this server is shutting down"
)

// WithTimeoutResponse sets the answer for a request whose time has run out: the status and the
// body. By default a handler that returns without writing answers an empty 200, as usual, and a
// request without any time left on arrival gets 504.
//
// Handler writes this answer to a request that has no time left on arrival. It also writes it after
// a handler that has written nothing, if a timeout, the limit or a deadline had ended the request
// when it returned. What the handler has sent stands, even if only the header. The Content-Type is
// the one that the handler has set. Otherwise it is application/json if the body begins like JSON,
// or else what http.DetectContentType finds. A gRPC request gets the status 4 (deadline exceeded)
// instead.
//
// Handler never answers while the handler is still running. http.TimeoutHandler does, but has to
// buffer the whole response for that. WithTimeoutResponse panics if the status isn't from 200 to
// 599.
func WithTimeoutResponse(status int, body string) HandlerOption {
	if status < 200 || status > 599 {
		panic("breakerhttp: WithTimeoutResponse: the status is not from 200 to 599: " + strconv.Itoa(status))
	}
	return func(h *handler) { h.onTimeout = &timeoutResponse{status, body} }
}

type timeoutResponse struct {
	status int
	body   string
}

func (t *timeoutResponse) write(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r) {
		replyGRPC(w, r, grpcDeadlineExceeded, textNoTime)
		return
	}
	header := w.Header()
	header.Del("Content-Length") // that of an answer that never came
	header.Del("Content-Encoding")
	if header.Get("Content-Type") == "" && t.body != "" {
		header.Set("Content-Type", contentTypeOf(t.body))
	}
	w.WriteHeader(t.status)
	_, _ = w.Write([]byte(t.body)) // fails if the client is gone
}

func contentTypeOf(body string) string {
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		return "application/json"
	}
	return http.DetectContentType([]byte(body))
}

// ProxyErrorHandler is an ErrorHandler for httputil.ReverseProxy. It answers
//
//   - 504 if time ran out, by the client's timeout, the server's limit, a deadline, or the margin
//     of Transport;
//   - 503 if the process or the server ended the request;
//   - 502 otherwise, as ReverseProxy does.
//
// A gRPC request gets the corresponding gRPC status, 4 or 14. ProxyErrorHandler logs nothing, and
// may be called concurrently.
func ProxyErrorHandler(w http.ResponseWriter, r *http.Request, err error) {
	// Older transports return the context's error and not its cause.
	cause := context.Cause(r.Context())
	switch {
	case isTimeout(err), isTimeout(cause):
		reply(w, r, http.StatusGatewayTimeout, textNoTime)
	case Reason(cause) == "signal", Reason(cause) == "cut", Reason(cause) == "closed":
		reply(w, r, http.StatusServiceUnavailable, textEnding)
	default:
		reply(w, r, http.StatusBadGateway, "the next service can't be reached")
	}
}

// refuse answers a request that has ended, for the cause.
func refuse(w http.ResponseWriter, r *http.Request, cause error) {
	if isTimeout(cause) {
		reply(w, r, http.StatusGatewayTimeout, textNoTime)
		return
	}
	reply(w, r, http.StatusServiceUnavailable, textEnding)
}

// reply answers with a status and a sentence, in the protocol of the request.
func reply(w http.ResponseWriter, r *http.Request, status int, text string) {
	if !isGRPC(r) {
		http.Error(w, text, status)
		return
	}
	code := grpcUnavailable
	switch status {
	case http.StatusGatewayTimeout:
		code = grpcDeadlineExceeded
	case http.StatusBadRequest:
		code = grpcInternal // as gRPC's own servers answer a malformed timeout
	}
	replyGRPC(w, r, code, text)
}

// The gRPC codes of a refusal.
const (
	grpcDeadlineExceeded = "4"
	grpcInternal         = "13"
	grpcUnavailable      = "14"
)

// isGRPC reports whether the request is one of gRPC, or gRPC-Web.
func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// replyGRPC sends what gRPC calls a trailers-only response: a header with the status, and nothing
// else. The text must be ASCII, without a percent sign.
func replyGRPC(w http.ResponseWriter, r *http.Request, code, text string) {
	header := w.Header()
	header.Set("Content-Type", r.Header.Get("Content-Type"))
	header.Set("Grpc-Status", code)
	header.Set("Grpc-Message", text)
	w.WriteHeader(http.StatusOK)
}

// isTimeout reports whether the cause is a deadline's.
func isTimeout(cause error) bool { return is(cause, context.DeadlineExceeded) }

// is is errors.Is for foreign causes, whose Is may panic.
func is(err, target error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return errors.Is(err, target)
}
