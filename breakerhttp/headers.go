package breakerhttp

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"
)

// A TimeoutHeader is a header that carries a timeout: its name, and how to read and write its
// value. The headers that this package makes may be used concurrently.
type TimeoutHeader struct {
	// Name is the name of the header, in upper or lower case.
	Name string
	// Parse reads the value, which may be anything that a client sends. Zero or less means that the
	// timeout has expired. An error means that the value is malformed; its text goes to the client.
	// Handler needs Parse.
	Parse func(value string) (time.Duration, error)
	// Format writes a timeout of more than zero in a form that Parse reads. It may round. Transport
	// needs Format.
	Format func(timeout time.Duration) string
}

// XTimeout returns the header X-Timeout, whose value is a Go duration, such as 150ms or 1m30s.
//
// Parse accepts what time.ParseDuration accepts, up to 64 bytes. That includes signs: -1s is
// well-formed, and has expired. A duration beyond the largest, some 292 years, is malformed.
func XTimeout() TimeoutHeader {
	return TimeoutHeader{Name: "X-Timeout", Parse: parseX, Format: time.Duration.String}
}

// GRPCTimeout returns the header Grpc-Timeout of gRPC over HTTP/2: one to eight digits and a unit,
// which is one of H, M, S (hours, minutes, seconds) and m, u, n (milli-, micro-, nanoseconds).
//
// Parse caps values from 2562048H on at the largest duration. Format chooses the finest unit in
// which the timeout has at most eight digits, and rounds down, by less than one in 90,000.
func GRPCTimeout() TimeoutHeader {
	return TimeoutHeader{Name: "Grpc-Timeout", Parse: parseGRPC, Format: formatGRPC}
}

// ConnectTimeout returns the header Connect-Timeout-Ms of the Connect protocol: one to ten digits,
// in milliseconds.
//
// Format rounds down to the millisecond, but writes less than one as 1, because 0 would mean that
// the timeout has expired. It caps timeouts from 116 days on at the largest number of ten digits.
func ConnectTimeout() TimeoutHeader {
	return TimeoutHeader{Name: "Connect-Timeout-Ms", Parse: parseConnect, Format: formatConnect}
}

// isTimeoutHeader reports whether the name, in any case, is one of the headers above.
func isTimeoutHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "X-Timeout", "Grpc-Timeout", "Connect-Timeout-Ms":
		return true
	default:
		return false
	}
}

const (
	maxX       = 64 // bytes
	maxGRPC    = 8  // digits
	maxConnect = 10 // digits

	largest = time.Duration(math.MaxInt64)
)

// The errors don't repeat the value: it is the client's, and may be long.
var (
	errX       = errors.New("want a Go duration such as 150ms or 2s")
	errGRPC    = errors.New("want 1 to 8 digits and one of the units H, M, S, m, u, n")
	errConnect = errors.New("want 1 to 10 digits")
)

func parseX(value string) (time.Duration, error) {
	if len(value) > maxX {
		return 0, errX
	}
	timeout, err := time.ParseDuration(value)
	if err != nil {
		return 0, errX
	}
	return timeout, nil
}

// grpcUnits are the units of gRPC, from the finest to the coarsest.
var grpcUnits = [...]struct {
	name byte
	unit time.Duration
}{
	{'n', time.Nanosecond},
	{'u', time.Microsecond},
	{'m', time.Millisecond},
	{'S', time.Second},
	{'M', time.Minute},
	{'H', time.Hour},
}

func parseGRPC(value string) (time.Duration, error) {
	if value == "" {
		return 0, errGRPC
	}
	last := len(value) - 1
	n, ok := parseDigits(value[:last], maxGRPC)
	if !ok {
		return 0, errGRPC
	}
	for _, u := range grpcUnits {
		if u.name != value[last] {
			continue
		}
		if n > int64(largest/u.unit) {
			return largest, nil
		}
		return time.Duration(n) * u.unit, nil
	}
	return 0, errGRPC
}

func formatGRPC(timeout time.Duration) string {
	const limit = 1e8 // the first number with nine digits
	coarsest := len(grpcUnits) - 1
	for _, u := range grpcUnits[:coarsest] {
		if n := int64(timeout / u.unit); n < limit {
			return strconv.FormatInt(n, 10) + string(u.name)
		}
	}
	// The largest duration has seven digits of hours.
	return strconv.FormatInt(int64(timeout/time.Hour), 10) + "H"
}

func parseConnect(value string) (time.Duration, error) {
	n, ok := parseDigits(value, maxConnect)
	if !ok {
		return 0, errConnect
	}
	return time.Duration(n) * time.Millisecond, nil // ten digits don't overflow
}

func formatConnect(timeout time.Duration) string {
	const most = 1e10 - 1
	return strconv.FormatInt(min(max(timeout.Milliseconds(), 1), most), 10)
}

// parseDigits reads digits only, from one to the given number. strconv would accept a sign, too.
// The number must be less than 19.
func parseDigits(s string, most int) (n int64, ok bool) {
	if s == "" || len(s) > most {
		return 0, false
	}
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
