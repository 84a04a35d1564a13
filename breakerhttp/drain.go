package breakerhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/kamilsk/breaker"
)

// firstRequestTimeout is how long the drain waits for the first request of a connection, as
// http.Server.Shutdown does.
const firstRequestTimeout = 5 * time.Second

// WithDrainDelay adds a phase before the drain. It is for a load balancer or Kubernetes in front of
// the server, which learns of the shutdown only from a failing readiness check. During the delay
// the server still accepts new connections and requests, but
//
//   - Ready answers 503;
//   - each response tells the client to use another connection next: Connection: close with HTTP/1,
//     GOAWAY with HTTP/2;
//   - the signals in WithSignals are held, so that a second one doesn't kill the process.
//
// Make the delay somewhat longer than the checks take to notice: interval times threshold. The
// grace period begins after it. A second signal or a breaker in WithCut ends the delay, too, and so
// does the failure of a listener. By default there is no delay. WithDrainDelay panics if the delay
// is negative.
func WithDrainDelay(delay time.Duration) ServeOption {
	if delay < 0 {
		panic("breakerhttp: WithDrainDelay: the delay is negative: " + delay.String())
	}
	return func(s *serving) { s.drainDelay = delay }
}

// Ready returns a handler for readiness checks. It answers 200 at first. It answers 503 once one of
// the breakers has tripped, or the server that runs it under Serve has begun its shutdown. So it
// fails when Serve's stop trips, before the drain. If the checks are on an admin server that
// outlives the others, pass the breaker that stops those.
//
// Ready never closes the breakers. The handler may be called concurrently. Ready panics if a
// breaker is nil.
func Ready(stop ...breaker.Interface) http.Handler {
	for _, br := range stop {
		if isNil(br) {
			panic("breakerhttp: Ready: a breaker is nil")
		}
	}
	stop = append([]breaker.Interface(nil), stop...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		if isStopping(r.Context()) || anyTripped(stop) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "shutting down\n") // fails if the client is gone
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
}

func isStopping(ctx context.Context) bool {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	return ok && c.traffic.stopping.Err() != nil
}

func anyTripped(breakers []breaker.Interface) bool {
	for _, br := range breakers {
		if br.Err() != nil {
			return true
		}
	}
	return false
}

// Draining returns a channel that is closed when the server of the request begins to drain. It is
// for handlers that don't end by themselves: streams of events, long polls, WebSockets. Otherwise
// they would use up the grace period, and be cut at its end.
//
//	for {
//		select {
//		case event := <-events:
//			// send it
//		case <-breakerhttp.Draining(r.Context()):
//			return // the client connects again, to another instance
//		case <-r.Context().Done():
//			return
//		}
//	}
//
// The drain begins after the delay of WithDrainDelay, because a client that reconnected earlier
// could reach this instance again. If ctx doesn't belong to a request under Serve, Draining returns
// nil, a channel that is never closed. It costs one lookup of a value in the context.
func Draining(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return c.traffic.draining.Done()
	}
	return nil
}

// shutdown ends a serving. It belongs to the goroutine of Serve.
type shutdown struct {
	*serving
	hold *signalHold
	// endings delivers one ending for each listener. The count says how many are to come.
	endings   <-chan ending
	listening int

	begun time.Time
	// impatience trips if the requests in flight are to be cut before the grace period ends.
	impatience *breaker.Breaker
}

// begin begins the shutdown: from here on, readiness fails and signals are held.
func (s *shutdown) begin() {
	if s.impatience != nil {
		return
	}
	s.hold.take()
	s.begun = time.Now()
	s.stopping.Close()
	// The life is among them because Any needs a breaker. It ends too late to matter here.
	s.impatience = breaker.Any(append([]breaker.Interface{&s.life}, s.cuts...)...)
}

// await returns what comes from the channel, or nothing if the breaker trips first. Meanwhile a
// second signal counts as impatience.
func await[T any](s *shutdown, from <-chan T, until *breaker.Breaker) (v T, ok bool) {
	for {
		select {
		case v = <-from:
			return v, true
		case <-until.Done():
			return v, false
		case sig := <-s.hold.arrivals:
			if time.Since(s.begun) >= s.gap {
				s.impatience.Trip(breaker.SignalError{Signal: sig})
			}
		}
	}
}

// delay waits for the end of the delay, and reports whether the server has ended on a listener
// before that.
func (s *shutdown) delay() (first ending, ended bool) {
	if s.drainDelay == 0 {
		return first, false
	}
	over := breaker.Multiplex(breaker.NopCloser(s.impatience), breaker.BreakByTimeout(s.drainDelay))
	defer over.Close()
	return await(s, s.endings, over)
}

// afterEnding shuts the server down because it has ended on a listener.
func (s *shutdown) afterEnding(first ending) error {
	s.listening--
	switch {
	case first.panicked != nil:
		_ = s.server.Close() // what matters is the panic
		s.life.Close()
		panic(first.panicked)
	case errors.Is(first.err, http.ErrServerClosed):
		return first.err // and the life stays open: other code is draining
	}
	s.begin()
	if cut := s.drain(); cut != nil {
		return errors.Join(first.err, cut)
	}
	return first.err
}

// drain drains the server until the grace period ends, then cuts, then closes.
func (s *shutdown) drain() error {
	defer s.impatience.Close()
	defer s.life.Close() // no request is left, or is meant to be
	patience := breaker.Multiplex(breaker.NopCloser(s.impatience), breaker.BreakByTimeout(s.grace))
	defer patience.Close()

	s.draining.Close()
	unused := time.AfterFunc(firstRequestTimeout, s.closeUnused)
	defer unused.Stop()

	// One Shutdown for both phases: each call would run the functions of RegisterOnShutdown again.
	limit := breaker.New()
	quiet := make(chan error, 1)
	go func() {
		err := s.server.Shutdown(breaker.ToContext(limit))
		s.awaitHijackers(limit)
		quiet <- err
	}()
	defer s.awaitEndings()

	if err, ok := await(s, quiet, patience); ok {
		return err
	}
	s.hold.release()
	return s.cutOff(patience.Cause(), quiet, limit)
}

// cutOff cuts the requests in flight, then closes the connections of those that don't return.
func (s *shutdown) cutOff(cause error, quiet <-chan error, limit *breaker.Breaker) (err error) {
	cut := &CutError{Requests: s.cut(), Cause: cause}
	s.life.Trip(ErrShutdown)

	unwind := breaker.BreakByTimeout(s.cutTimeout)
	defer unwind.Close()
	select {
	case err = <-quiet:
	case <-unwind.Done():
		cut.Connections = s.closeHijacked()
		err = s.server.Close()
		limit.Close()
		<-quiet
	}
	switch {
	case cut.Requests == 0 && cut.Connections == 0:
		return err
	case err == nil:
		return cut
	default:
		return errors.Join(cut, err)
	}
}

// awaitEndings waits until the server has ended on all listeners. It ignores their errors, but
// passes on a panic.
func (s *shutdown) awaitEndings() {
	for ; s.listening > 0; s.listening-- {
		if end := <-s.endings; end.panicked != nil {
			panic(end.panicked)
		}
	}
}
