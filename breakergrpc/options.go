package breakergrpc

import (
	"slices"
	"strconv"
	"time"

	"github.com/kamilsk/breaker"
)

// An Option configures the interceptors of servers and clients.
type Option func(*settings)

type settings struct {
	limit     time.Duration // zero: none
	processes []breaker.Interface
	drainEnds map[string]bool
	withText  bool
}

// WithLimit sets the longest time that a call may take. An earlier deadline still counts. By
// default there is no limit. WithLimit panics if the limit isn't more than zero.
//
// The limit is for whole calls, including streams. For long-lived streams use interceptors without
// a limit.
func WithLimit(limit time.Duration) Option {
	if limit <= 0 {
		panic("breakergrpc: WithLimit: the limit is not more than zero: " + limit.String())
	}
	return func(s *settings) { s.limit = limit }
}

// WithProcess adds a breaker that outlives the calls, and ends all of them when it trips. It is
// never closed. There is one registration with it for each WithProcess, not for each call. Calls
// don't get its values. Each further WithProcess adds one more. WithProcess panics if the breaker
// is nil.
//
// Don't pass a server the breaker that begins the shutdown in Serve: it would cut the calls that
// Serve lets go on.
func WithProcess(process breaker.Interface) Option {
	if isNil(process) {
		panic("breakergrpc: WithProcess: the breaker is nil")
	}
	return func(s *settings) {
		// A breaker over a context has the values of that context. A breaker of our own in between
		// keeps them out.
		plain := breaker.New()
		process.OnTrip(func() { plain.Trip(process.Cause()) })
		s.processes = append(s.processes, breaker.NopCloser(plain))
	}
}

// WithDrainEnds sets the full names of methods whose calls end when Serve begins to drain, and not
// only at the cut. Use it for streams that never finish by themselves: they would use up the grace
// period. By default they are Watch of the health service and the reflection services. Without an
// argument there are none. Clients ignore it. WithDrainEnds panics if a name doesn't begin with a
// slash.
func WithDrainEnds(methods ...string) Option {
	ends := map[string]bool{}
	for i, method := range methods {
		if method == "" || method[0] != '/' {
			panic("breakergrpc: WithDrainEnds: method " + strconv.Itoa(i) + " is not a full name: " + strconv.Quote(method))
		}
		ends[method] = true
	}
	return func(s *settings) { s.drainEnds = ends }
}

// WithCauseText makes the server send clients the text of each cause, too. By default they learn
// only the reason, because the text may be confidential. Clients ignore the option.
func WithCauseText() Option { return func(s *settings) { s.withText = true } }

func newSettings(function string, options []Option) *settings {
	s := &settings{}
	WithDrainEnds(
		"/grpc.health.v1.Health/Watch",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	)(s)
	apply(function, s, options)
	return s
}

// sources returns the breakers that a call watches: those of the settings, and more.
func (s *settings) sources(timeout error, more ...breaker.Interface) []breaker.Interface {
	all := slices.Concat(s.processes, more)
	if s.limit > 0 {
		all = append(all, breaker.BreakByTimeoutCause(s.limit, timeout))
	}
	return all
}

// apply applies the options to the target. Its panic names the function.
func apply[T any, O ~func(T)](function string, target T, options []O) {
	for i, option := range options {
		if option == nil {
			panic("breakergrpc: " + function + ": option " + strconv.Itoa(i) + " is nil")
		}
		option(target)
	}
}

// isNil reports whether the breaker is nil, or a nil pointer.
func isNil(br breaker.Interface) (yes bool) {
	defer func() { yes = recover() != nil }()
	breaker.NopCloser(br)
	return false
}
