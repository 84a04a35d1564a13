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
// body. By default a handler that returns without writing answers 200 with nothing in it, as ever,
// and a request without any time left on arrival gets 504.
//
// It is written for a request that has no time left on arrival, and after a handler that returns
// having written nothing, if a timeout, the limit or a deadline had ended the request by then.
// Anything that the handler has sent, even if only the header, stands. The Content-Type is the one
// that the handler has set; else application/json if the body begins as JSON does, else what
// http.DetectContentType finds. A gRPC request gets the status 4 (deadline exceeded) instead.
//
// Handler doesn't answer in a handler's place while that is still running: see http.TimeoutHandler,
// which has to buffer the whole response for that. WithTimeoutResponse panics if the status isn't
// from 200 to 599.
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
	_, _ = w.Write([]byte(t.body)) // fails if the client is gone, and nobody is left to be told
}

func contentTypeOf(body string) string {
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		return "application/json"
	}
	return http.DetectContentType([]byte(body))
}

// ProxyErrorHandler is an ErrorHandler for httputil.ReverseProxy. It answers 504 if there was no
// time left, by the client's timeout, the server's limit, a deadline, or the margin of Transport;
// 503 if the process or the server ended the request; and else 502, as ReverseProxy does. gRPC
// requests get the same as a status of gRPC: 4 or 14. It logs nothing.
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
		code = grpcInternal // what gRPC's own servers say of a malformed timeout
	}
	replyGRPC(w, r, code, text)
}

// The codes of gRPC that a refusal may have.
const (
	grpcDeadlineExceeded = "4"
	grpcInternal         = "13"
	grpcUnavailable      = "14"
)

// isGRPC reports whether the request is one of gRPC, or gRPC-Web.
func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// replyGRPC answers with what gRPC calls trailers only: a header with the status, and nothing else.
// The text must be ASCII, without a percent sign.
func replyGRPC(w http.ResponseWriter, r *http.Request, code, text string) {
	header := w.Header()
	header.Set("Content-Type", r.Header.Get("Content-Type"))
	header.Set("Grpc-Status", code)
	header.Set("Grpc-Message", text)
	w.WriteHeader(http.StatusOK)
}

// isTimeout reports whether the cause is a deadline's.
func isTimeout(cause error) bool { return is(cause, context.DeadlineExceeded) }

// is is errors.Is for causes of others, whose Is may panic.
func is(err, target error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return errors.Is(err, target)
}
