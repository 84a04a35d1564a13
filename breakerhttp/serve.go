package breakerhttp

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

const (
	defaultGrace      = 10 * time.Second
	defaultCutTimeout = 2 * time.Second
)

// A ServeOption configures Serve, ListenAndServe and ListenAndServeTLS.
type ServeOption func(*serving)

// WithGrace sets the grace period: how long requests in flight may go on once the drain has begun.
// With zero they are cut at once. By default it is 10 seconds. WithGrace panics if it is negative.
func WithGrace(grace time.Duration) ServeOption {
	if grace < 0 {
		panic("breakerhttp: WithGrace: the grace period is negative: " + grace.String())
	}
	return func(s *serving) { s.grace = grace }
}

// WithCutTimeout sets how long requests that have been cut may take to return before their
// connections are closed. By default it is 2 seconds. WithCutTimeout panics if it is negative.
func WithCutTimeout(timeout time.Duration) ServeOption {
	if timeout < 0 {
		panic("breakerhttp: WithCutTimeout: the timeout is negative: " + timeout.String())
	}
	return func(s *serving) { s.cutTimeout = timeout }
}

// WithCut adds a breaker that ends the grace period when it trips. It is only watched, never
// closed. If it trips before the shutdown has begun, the requests in flight are cut as soon as that
// begins. Each further WithCut adds one more. WithCut panics if the breaker is nil.
func WithCut(cut breaker.Interface) ServeOption {
	if isNil(cut) {
		panic("breakerhttp: WithCut: the breaker is nil")
	}
	return func(s *serving) { s.cuts = append(s.cuts, cut) }
}

// Serve serves HTTP on the listener until stop trips, then shuts the server down gracefully, in two
// phases, which WithDrainDelay precedes with a third:
//
//  1. Drain. The listeners and idle connections are closed, and no request is accepted any more.
//     Those in flight go on undisturbed until the grace period ends. Their clients are told to use
//     the connection no longer, and handlers that asked for it by Draining that this is the time to
//     finish.
//  2. Cut, if requests are still in flight at the end of the grace period, at a second signal, or
//     when a breaker in WithCut trips. Their contexts end, with the cause ErrShutdown. Where one
//     doesn't return soon after, its connection is closed.
//
// It returns
//
//   - nil, if nothing was cut;
//   - a *CutError that says how many requests were;
//   - http.ErrServerClosed at once, if other code shuts the server down or closes it: the rest is
//     then up to that;
//   - the server's own error, if it fails otherwise. What is in flight is drained and cut before,
//     without a delay, and a *CutError joined if it came to that.
//
// In flight is a request whose handler is running, also if that has hijacked the connection: other
// than http.Server.Shutdown, Serve waits for such handlers, and cuts and closes them, like any
// other. A connection whose handler has returned after hijacking it is left to its new owner. A
// response that isn't written completely when its handler returns is waited for, too; it has no
// context to be cut by, only a connection to be closed. Nor does the cut end a Read from a slow
// body, unless Handler has WithConnDeadlines: the closing of the connection does.
//
// The drain takes no longer than the grace period, the cut no longer than the cut timeout, even if
// a handler never returns. Within that, http.Server notices that all is done in half a second, and
// gives clients on HTTP/2 a second to go away. A connection that hasn't sent a request yet gets
// five seconds for it from the beginning of the drain at most, in which it may hold the drain up:
// with HTTP/1 nothing tells the client that it is late. A request that arrives after the cut on an
// open connection gets 503, and isn't counted.
//
// Serve watches stop and never closes it. Pass what BreakBySignal returns as it is: behind a
// Multiplex or a NopCloser, or with signal.NotifyContext, a second signal within a millisecond of
// the first may have its default effect. And don't make a context of stop the server's BaseContext:
// then the first signal would cancel every request. Other callbacks on stop don't delay the
// shutdown.
//
// From here on the server belongs to Serve, which wraps its Handler, BaseContext, ConnContext and
// ConnState. Those given are called as ever, and so is what RegisterOnShutdown has registered,
// once, when the drain begins. The server must not be changed or served again. For TLS see
// ListenAndServeTLS, or pass a listener of tls.NewListener, with "h2" among the NextProtos if
// HTTP/2 is wanted. The listener is closed in any case. If http.Server panics, because BaseContext
// returns nil, so does Serve.
//
// For HTTP/2 without TLS set server.Protocols. The older way, a handler of
// golang.org/x/net/http2/h2c, takes whole connections away from the server, which can then be
// neither counted nor drained. If it is the server's own handler, Serve sets server.Protocols for
// it; if it is further in, such a connection is refused, with 505, and the server's log says so. An
// upgrade to h2c from HTTP/1.1 is ignored, and the request served as it is.
//
// It costs one goroutine for each listener more than http.Server does, and one during the shutdown,
// a small allocation for each connection, and two atomic additions for each request. Serve panics
// if an argument or an option is nil.
func Serve(server *http.Server, listener net.Listener, stop breaker.Interface, options ...ServeOption) error {
	s := newServing("Serve", server, stop)
	if listener == nil {
		panic("breakerhttp: Serve: the listener is nil")
	}
	s.listeners = []net.Listener{listener}
	apply("Serve", s, options)
	return s.run()
}

// serving is one call of Serve.
type serving struct {
	server     *http.Server
	listeners  []net.Listener
	serve      func(net.Listener) error
	stop       breaker.Interface
	cuts       []breaker.Interface
	signals    []os.Signal // nil: the usual
	gap        time.Duration
	drainDelay time.Duration
	grace      time.Duration
	cutTimeout time.Duration

	// life is what all requests live on. The cut trips it.
	life breaker.Breaker
	traffic
}

// newServing checks what all the functions that serve have in common.
func newServing(function string, server *http.Server, stop breaker.Interface) *serving {
	switch {
	case server == nil:
		panic("breakerhttp: " + function + ": the server is nil")
	case isNil(stop):
		panic("breakerhttp: " + function + ": the breaker stop is nil")
	}
	return &serving{
		server:     server,
		serve:      server.Serve,
		stop:       stop,
		gap:        defaultGap,
		grace:      defaultGrace,
		cutTimeout: defaultCutTimeout,
	}
}

// ending is how the server has ended on one of its listeners.
type ending struct {
	err      error
	panicked any
}

func (s *serving) run() error {
	s.takeOver()
	hold := holdSignals(s.stop, s.signals)
	defer hold.release()

	endings := make(chan ending, len(s.listeners))
	for _, listener := range s.listeners {
		go func() { endings <- s.serveOn(listener) }()
	}

	down := &shutdown{serving: s, hold: hold, endings: endings, listening: len(s.listeners)}
	select {
	case first := <-endings:
		return down.afterEnding(first)
	case <-s.stop.Done():
	}
	down.begin()
	if first, ended := down.delay(); ended {
		return down.afterEnding(first)
	}
	return down.drain()
}

// serveOn serves on a listener, and leaves it to the caller of Serve to panic.
func (s *serving) serveOn(listener net.Listener) (end ending) {
	defer func() { end.panicked = recover() }()
	defer listener.Close() // http.Server.ServeTLS doesn't if it can't read the certificate
	return ending{err: s.serve(listener)}
}

// takeOver has the server tell of its connections and requests.
func (s *serving) takeOver() {
	server := s.server
	next := server.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	s.takeOverH2C(next)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		if !s.enter(c) {
			w.Header().Set("Connection", "close")
			refuse(w, r, ErrShutdown)
			return
		}
		defer s.leave(c)
		if s.refusesH2C(w, r) {
			return
		}
		if s.stopping.Err() != nil {
			w.Header().Set("Connection", "close") // with HTTP/2, net/http makes it a GOAWAY
		}
		next.ServeHTTP(w, r)
	})

	base := server.BaseContext
	server.BaseContext = func(l net.Listener) context.Context {
		if base == nil {
			return breaker.ToContext(&s.life)
		}
		ctx := base(l)
		if ctx == nil {
			return nil // for http.Server to complain
		}
		//lostclose:ignore s.life ends it, at the end of the shutdown
		return breaker.ToContext(breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.NopCloser(&s.life)))
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
