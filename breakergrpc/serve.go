package breakergrpc

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerrun"
)

const (
	defaultGrace      = 10 * time.Second
	defaultCutTimeout = 2 * time.Second

	// handshakeTime is how long handshakes may go on while the server drains.
	handshakeTime = time.Second
	// closingTime is how long the server may take to return once its connections are closed.
	closingTime = time.Second
)

// A ServeOption configures Serve.
type ServeOption func(*serving)

// WithGrace sets the grace period: how long calls in flight may go on once the shutdown has begun.
// With zero they are cut at once. By default it is 10 seconds. WithGrace panics if it is negative.
func WithGrace(grace time.Duration) ServeOption {
	if grace < 0 {
		panic("breakergrpc: WithGrace: the grace period is negative: " + grace.String())
	}
	return func(s *serving) { s.runner = append(s.runner, breakerrun.WithGrace(grace)) }
}

// WithCutTimeout sets how long calls that have been cut may take to return before their connections
// are closed. By default it is 2 seconds. WithCutTimeout panics if it is negative.
func WithCutTimeout(timeout time.Duration) ServeOption {
	if timeout < 0 {
		panic("breakergrpc: WithCutTimeout: the timeout is negative: " + timeout.String())
	}
	return func(s *serving) { s.cutTimeout = timeout }
}

// WithSignals sets the signals that end the grace period, as WithSignals of breakerrun does. It
// panics if a signal is nil.
func WithSignals(sig ...os.Signal) ServeOption {
	for i, s := range sig {
		if s == nil {
			panic("breakergrpc: WithSignals: signal " + strconv.Itoa(i) + " is nil")
		}
	}
	option := breakerrun.WithSignals(sig...)
	return func(s *serving) { s.runner = append(s.runner, option) }
}

// WithSignalGap sets how soon after the first signal a second one counts, as WithSignalGap of
// breakerrun does. By default the gap is one second. WithSignalGap panics if it is negative.
func WithSignalGap(gap time.Duration) ServeOption {
	if gap < 0 {
		panic("breakergrpc: WithSignalGap: the gap is negative: " + gap.String())
	}
	return func(s *serving) { s.runner = append(s.runner, breakerrun.WithSignalGap(gap)) }
}

// WithCut adds a breaker that ends the grace period when it trips. It is never closed. Each further
// WithCut adds one more. WithCut panics if the breaker is nil.
func WithCut(cut breaker.Interface) ServeOption {
	if isNil(cut) {
		panic("breakergrpc: WithCut: the breaker is nil")
	}
	return func(s *serving) { s.runner = append(s.runner, breakerrun.WithCut(cut)) }
}

// WithCalls passes the Calls of the server to Serve, so that the cut can end the calls with a
// cause, and count them. The server must have been made with their ServerOptions. WithCalls panics
// if calls is nil.
func WithCalls(calls *Calls) ServeOption {
	if calls == nil {
		panic("breakergrpc: WithCalls: calls is nil")
	}
	return func(s *serving) { s.calls = calls }
}

// WithListeners adds listeners. Serve always closes them. WithListeners panics if one is nil.
func WithListeners(listeners ...net.Listener) ServeOption {
	for i, l := range listeners {
		if l == nil {
			panic("breakergrpc: WithListeners: listener " + strconv.Itoa(i) + " is nil")
		}
	}
	return func(s *serving) { s.listeners = append(s.listeners, listeners...) }
}

// Serve serves gRPC on the listener until stop trips, then shuts the server down in two phases:
//
//  1. Drain. Serve closes the listeners, tells clients not to use their connections again, and
//     accepts no more calls. Calls in flight go on undisturbed until the grace period ends, also
//     streams. Streams that watch DrainOf are told to finish. Calls of WithDrainEnds end.
//  2. Cut, if calls are still in flight at the end of the grace period, at a second signal, or when
//     a breaker in WithCut trips. Their contexts end, with the cause ErrShutdown, and so do RecvMsg
//     and SendMsg. If a call doesn't return within the cut timeout, its connection is closed.
//     Without WithCalls, the connections are closed at once.
//
// It returns
//
//   - nil, if nothing was cut;
//   - a *CutError that says how many calls were cut;
//   - grpc.ErrServerStopped, if other code has stopped the server;
//   - the server's own error, if it fails otherwise. Serve first drains and cuts what is in flight.
//     If it cut any, a *CutError is joined to the error.
//
// The drain takes at most the grace period, and the cut at most the cut timeout and a second, even
// if a handler never returns. Within that, a connection is closed if its handshake isn't done a
// second after the drain has begun. gRPC gives a client that doesn't answer pings five seconds to
// go away.
//
// Serve never closes stop. Pass the result of BreakBySignal as it is; see Run of breakerrun, also
// for signals.
//
// Register the services before you call Serve, and serve the server only once. For TLS use
// grpc.Creds. Serve wraps each accepted connection, except those of a Unix socket, so credentials
// that look for a *net.TCPConn find none. On Linux it sets TCP_USER_TIMEOUT to 20 s, gRPC's
// default, whatever keepalive.ServerParameters say.
//
// Compared with the server itself, Serve costs two more goroutines for each listener, a small
// allocation for each connection, and none for a call. Serve panics if an argument or an option is
// nil, or if the Calls have been passed to Serve before.
func Serve(server *grpc.Server, listener net.Listener, stop breaker.Interface, options ...ServeOption) error {
	switch {
	case server == nil:
		panic("breakergrpc: Serve: the server is nil")
	case listener == nil:
		panic("breakergrpc: Serve: the listener is nil")
	case isNil(stop):
		panic("breakergrpc: Serve: the breaker stop is nil")
	}
	s := &serving{server: server, listeners: []net.Listener{listener}, cutTimeout: defaultCutTimeout}
	WithGrace(defaultGrace)(s)
	apply("Serve", s, options)
	if s.calls == nil {
		s.calls = NewCalls() // which stays empty
		s.blind = true
	}
	if s.calls.served.Swap(true) {
		panic("breakergrpc: Serve: the Calls have been given to Serve before")
	}
	return s.run(stop)
}

// serving is one call of Serve.
type serving struct {
	server     *grpc.Server
	listeners  []net.Listener
	runner     []breakerrun.Option
	cutTimeout time.Duration
	calls      *Calls
	// blind says that the calls aren't known.
	blind bool
	conns connections

	mu  sync.Mutex
	cut *CutError
}

func (s *serving) run(stop breaker.Interface) error {
	parts := []breakerrun.Part{breakerrun.Server("shutdown", s.shutDown)}
	for _, l := range s.listeners {
		parts = append(parts, breakerrun.Server("listener", func(breaker.Interface, breaker.Interface) error {
			return s.serve(l)
		}))
	}
	runner := breakerrun.New(append(s.runner, breakerrun.WithCutTimeout(s.cutTimeout+closingTime))...)
	err := runner.Run(stop, parts...)

	var all breakerrun.Errors
	if !errors.As(err, &all) {
		return err
	}
	// The parts are ours, so their errors are returned without the names of the parts.
	var errs []error
	cut := s.asError()
	for _, part := range all {
		switch {
		case part.Outcome == breakerrun.Failed:
			errs = append(errs, part.Err)
		case part.Outcome == breakerrun.Abandoned && cut == nil:
			cut = &CutError{Cause: part.Cause}
		}
	}
	if cut != nil {
		errs = append(errs, cut)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func (s *serving) serve(l net.Listener) error {
	err := s.server.Serve(listener{l, &s.conns})
	if err == nil && s.calls.draining.Err() == nil {
		return grpc.ErrServerStopped // by other code
	}
	return err
}

// shutDown drains the server until the cut, then cuts, then closes.
func (s *serving) shutDown(stop, cut breaker.Interface) error {
	<-stop.Done()
	defer s.calls.life.Close()
	s.calls.draining.Trip(ErrDraining)
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		s.server.GracefulStop()
	}()

	handshakes := breaker.BreakByTimeout(handshakeTime)
	defer handshakes.Close()
	for patient, hushed := true, handshakes.Done(); patient; {
		select {
		case <-quiet:
			return nil
		case <-hushed:
			s.conns.close(false)
			hushed = nil
		case <-cut.Done():
			patient = false
		}
	}

	e := &CutError{Calls: int(s.calls.running.Load()), Cause: cut.Cause()}
	s.note(e)
	s.conns.close(false) // handshakes would keep GracefulStop from sending GOAWAY
	if !s.blind {
		s.calls.life.Trip(ErrShutdown)
		unwind := breaker.BreakByTimeout(s.cutTimeout)
		defer unwind.Close()
		select {
		case <-quiet:
			return s.asError()
		case <-unwind.Done():
		}
	}
	// Stop waits for handshakes, which end only when their connections are closed, by Stop or by
	// us.
	go s.server.Stop()
	e = &CutError{Calls: e.Calls, Connections: s.conns.close(true), Cause: e.Cause}
	s.note(e)
	<-quiet
	return s.asError()
}

// note keeps the error to be returned, if anything was cut.
func (s *serving) note(e *CutError) {
	if e.Calls == 0 && e.Connections == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = e
}

// asError returns what has been noted.
func (s *serving) asError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == nil {
		return nil
	}
	return s.cut
}
