package breakerhttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/kamilsk/breaker"
)

const (
	defaultGrace      = 10 * time.Second
	defaultCutTimeout = 2 * time.Second
)

// A ServeOption is for Serve.
type ServeOption func(*serving)

// WithGrace sets the grace period: how long requests in flight may go on once the shutdown has begun. With zero they are
// cut at once. By default it is 10 seconds. WithGrace panics if it is negative.
func WithGrace(grace time.Duration) ServeOption {
	if grace < 0 {
		panic("breakerhttp: WithGrace: the grace period is negative: " + grace.String())
	}
	return func(s *serving) { s.grace = grace }
}

// WithCutTimeout sets how long requests that have been cut may take to return before their connections are closed. By
// default it is 2 seconds. WithCutTimeout panics if it is negative.
func WithCutTimeout(timeout time.Duration) ServeOption {
	if timeout < 0 {
		panic("breakerhttp: WithCutTimeout: the timeout is negative: " + timeout.String())
	}
	return func(s *serving) { s.cutTimeout = timeout }
}

// WithSignals sets the signals that end the grace period. They are caught from the beginning of the shutdown until the cut;
// what arrives before that is none of Serve's business, and after it they have their default effect again, so that
// one more kills the process.
//
// By default, if a signal began the shutdown, they are that one, os.Interrupt and syscall.SIGTERM, and else none. Without an
// argument they are none. WithSignals panics if a signal is nil.
func WithSignals(sig ...os.Signal) ServeOption {
	for i, s := range sig {
		if s == nil {
			panic("breakerhttp: WithSignals: signal " + strconv.Itoa(i) + " is nil")
		}
	}
	sig = slices.Clone(sig)
	return func(s *serving) { s.signals = func(error) []os.Signal { return sig } }
}

// WithCut adds a breaker that ends the grace period when it trips. It is only watched, never closed. If it trips
// before the shutdown has begun, the requests in flight are cut as soon as that begins. Each further WithCut
// adds one more. WithCut panics if the breaker is nil.
func WithCut(cut breaker.Interface) ServeOption {
	if isNil(cut) {
		panic("breakerhttp: WithCut: the breaker is nil")
	}
	return func(s *serving) { s.cuts = append(s.cuts, breaker.NopCloser(cut)) }
}

// Serve serves HTTP on the listener until stop trips, then shuts the server down in two phases:
//
//  1. Drain. The listener and idle connections are closed, and no request is accepted any more. Those in flight go on
//     undisturbed until the grace period is over. Their clients are told to use the connection no longer.
//  2. Cut, if requests are still in flight when the grace period is over, at a second signal, or when a breaker in WithCut
//     trips. Their contexts end, with the cause ErrShutdown. Where one doesn't return soon after, its connection is closed.
//
// It returns
//
//   - nil, if nothing was cut;
//   - a *CutError that says how many requests were;
//   - http.ErrServerClosed at once, if someone else shuts the server down or closes it: the rest is then up to them;
//   - the server's own error, if it fails otherwise. What is in flight is drained and cut before, and a *CutError joined if it
//     came to that.
//
// In flight is a request whose handler is running, also if that has hijacked the connection: other than
// http.Server.Shutdown, Serve waits for such handlers, and cuts and closes them, like any other. A connection whose handler has returned
// after hijacking it is left to whoever has it. A response that isn't written completely when its
// handler returns is waited for, too; it has no context to be cut by, only a connection to be closed. Nor does the cut end
// a Read from a slow body, or any other that knows no context: the closing of the connection does.
//
// The drain takes no longer than the grace period, the cut no longer than the cut timeout, even if a handler never returns.
// Within that, http.Server notices that all is done in half a second, gives clients on HTTP/2 a second to go away, and
// connections on which nothing was ever sent five. A request that arrives after the cut on an open connection gets 503, and isn't counted.
//
// Serve watches stop and never closes it. Pass what BreakBySignal returns as it is: behind a Multiplex or a NopCloser, a
// second signal within a millisecond of the first may have its default effect. And don't make a context of it, or one of
// signal.NotifyContext, the server's BaseContext: then the first signal would cancel every request.
//
// From here on the server belongs to Serve, which wraps its Handler, BaseContext, ConnContext and ConnState. Those given are called
// as ever, and so is what RegisterOnShutdown has registered, once, when the drain begins. The server must not be changed or
// served again. For TLS pass a listener of tls.NewListener, with "h2" among the NextProtos if HTTP/2 is wanted. The
// listener is closed in any case.
//
// It costs one goroutine more than http.Server does, and one during the shutdown, besides those for signals; a small allocation
// for each connection, and two atomic additions for each request. Serve panics if an argument or an option is nil.
func Serve(server *http.Server, listener net.Listener, stop breaker.Interface, options ...ServeOption) error {
	switch {
	case server == nil:
		panic("breakerhttp: Serve: the server is nil")
	case listener == nil:
		panic("breakerhttp: Serve: the listener is nil")
	case isNil(stop):
		panic("breakerhttp: Serve: the breaker stop is nil")
	}
	s := &serving{
		server:     server,
		signals:    sameOrUsual,
		grace:      defaultGrace,
		cutTimeout: defaultCutTimeout,
		life:       breaker.New(),
	}
	apply("Serve", s, options)
	return s.run(listener, stop)
}

// serving is one call of Serve.
type serving struct {
	server     *http.Server
	signals    func(cause error) []os.Signal
	cuts       []breaker.Interface
	grace      time.Duration
	cutTimeout time.Duration

	// life is what all requests live on. The cut trips it.
	life *breaker.Breaker
	traffic
}

func (s *serving) run(listener net.Listener, stop breaker.Interface) error {
	s.takeOver()
	begin := s.watch(stop)
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(listener) }()

	select {
	case err := <-failed:
		if errors.Is(err, http.ErrServerClosed) {
			begin.never()
			return err // and s.life stays open: someone else is draining
		}
		if cut := s.shutDown(begin.now()); cut != nil {
			return errors.Join(err, cut)
		}
		return err
	case <-begin.done:
		err := s.shutDown(begin.now())
		<-failed // it has nothing new to say
		return err
	}
}

// takeOver sets what has to be known of the server's connections and requests.
func (s *serving) takeOver() {
	server := s.server
	next := server.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		if !s.enter(c) {
			w.Header().Set("Connection", "close")
			refuse(w, ErrShutdown)
			return
		}
		defer s.leave(c)
		next.ServeHTTP(w, r)
	})

	base := server.BaseContext
	server.BaseContext = func(l net.Listener) context.Context {
		if base == nil {
			return breaker.ToContext(s.life)
		}
		ctx := base(l)
		if ctx == nil {
			return nil // for http.Server to complain
		}
		//lostclose:ignore s.life ends it, at the end of shutDown
		return breaker.ToContext(breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.NopCloser(s.life)))
	}

	connContext := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx = context.WithValue(ctx, connectionKey{}, s.add(conn))
		if connContext == nil {
			return ctx
		}
		return connContext(ctx, conn)
	}

	connState := server.ConnState
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		s.move(conn, state)
		if connState != nil {
			connState(conn, state)
		}
	}
}

// A beginning is that of the shutdown.
type beginning struct {
	serving *serving
	// source is the breaker to be closed in the end, or nil.
	source *breaker.Breaker
	// stop takes back the callback.
	stop func() bool
	// done is closed by the callback, once patience is set.
	done chan struct{}
	// patience trips at the end of the grace period.
	patience *breaker.Breaker
}

// watch waits for the trip of stop.
//
// The breaker for the second signal has to be made after the first one has arrived, or that would trip it, and before the
// breaker for the first one lets go of it, or a second one in between would kill the process. A callback of that very
// breaker runs in this window.
func (s *serving) watch(stop breaker.Interface) *beginning {
	b := &beginning{serving: s, done: make(chan struct{})}
	source, ok := stop.(interface{ OnTrip(func()) func() bool })
	if !ok {
		b.source = breaker.Multiplex(breaker.NopCloser(stop))
		source = b.source
	}
	b.stop = source.OnTrip(func() {
		b.begin(context.Cause(breaker.ToContext(stop)))
		close(b.done)
	})
	return b
}

// begin starts the grace period.
func (b *beginning) begin(cause error) {
	s := b.serving
	sources := slices.Clone(s.cuts)
	if sig := s.signals(cause); len(sig) > 0 {
		sources = append(sources, breaker.BreakBySignal(sig...))
	}
	b.patience = breaker.Multiplex(append(sources, breaker.BreakByTimeout(s.grace))...)
}

// now returns what trips at the end of the grace period, which begins if it hasn't yet.
func (b *beginning) now() (patience *breaker.Breaker) {
	if b.end() {
		b.begin(nil)
	}
	return b.patience
}

// never gives up waiting.
func (b *beginning) never() {
	if !b.end() {
		b.patience.Close()
	}
}

// end reports whether it has prevented the callback. If it hasn't, it waits for it.
func (b *beginning) end() bool {
	prevented := b.stop()
	if !prevented {
		<-b.done
	}
	if b.source != nil {
		b.source.Close()
	}
	return prevented
}

// sameOrUsual returns the signals that end a grace period which one of them began.
func sameOrUsual(cause error) []os.Signal {
	var first breaker.SignalError
	if !errors.As(cause, &first) || first.Signal == nil {
		return nil
	}
	return append(breaker.TerminationSignals(), first.Signal)
}

// shutDown drains the server as long as the patience lasts, then cuts, then closes.
func (s *serving) shutDown(patience *breaker.Breaker) error {
	defer patience.Close()
	defer s.life.Close() // nobody lives on it any more, or is meant to

	s.draining.Store(true)
	// One Shutdown for both phases: each call of it would call what is registered with RegisterOnShutdown.
	limit := breaker.New()
	quiet := make(chan error, 1)
	go func() {
		err := s.server.Shutdown(breaker.ToContext(limit))
		s.awaitHijackers(limit)
		quiet <- err
	}()

	select {
	case err := <-quiet:
		return err
	case <-patience.Done():
	}

	cut := &CutError{Requests: s.cut(), Cause: patience.Cause()}
	s.life.Trip(ErrShutdown)

	unwind := breaker.BreakByTimeout(s.cutTimeout)
	defer unwind.Close()
	var err error
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
