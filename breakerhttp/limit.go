package breakerhttp

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// WithLimit sets the longest time that a request may take, counted from when Handler gets it. It
// also applies if the client asks for more, or sets no timeout. By default there is no limit.
// WithLimit panics if the limit isn't more than zero.
func WithLimit(limit time.Duration) HandlerOption {
	if limit <= 0 {
		panic("breakerhttp: WithLimit: the limit is not more than zero: " + limit.String())
	}
	return func(h *handler) { h.limit = limit }
}

// WithHeaders sets the headers in which a client may set a timeout. The shortest of those present
// counts, because each proxy on the way may have added its own. Without an argument, clients can't
// set a timeout. By default the headers are XTimeout, GRPCTimeout and ConnectTimeout. WithHeaders
// panics if a header has no Name or no Parse.
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

// limit is how long a request may take, and the cause when it has taken that long. Without a cause
// there is no limit.
type limit struct {
	timeout time.Duration
	cause   error
}

func (l limit) isSet() bool { return l.cause != nil }

// limitOf returns the shortest limit of the server and of the headers present. The error is a
// sentence for the client.
func (h *handler) limitOf(header http.Header) (least limit, err error) {
	if h.limit > 0 {
		least = limit{h.limit, ErrServerTimeout}
	}
	for i := range h.headers {
		th := &h.headers[i]
		values := header[th.Name]
		switch len(values) {
		case 0:
			continue
		case 1:
		default:
			return limit{}, errors.New("malformed header " + th.Name + ": it is there more than once")
		}
		timeout, err := th.Parse(values[0])
		if err != nil {
			return limit{}, errors.New("malformed header " + th.Name + ": " + err.Error())
		}
		if !least.isSet() || timeout <= least.timeout {
			least = limit{timeout, ErrClientTimeout}
		}
	}
	return least, nil
}
