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

// WithCut adds a breaker that ends the grace period when it trips. It is never closed. If it has
// tripped before the shutdown begins, the requests in flight are cut at once when it does. Each
// further WithCut adds one more. WithCut panics if the breaker is nil.
func WithCut(cut breaker.Interface) ServeOption {
	if isNil(cut) {
		panic("breakerhttp: WithCut: the breaker is nil")
	}
	return func(s *serving) { s.cuts = append(s.cuts, cut) }
}

// Serve serves HTTP on the listener until stop trips, then shuts the server down gracefully. There
// are two phases, and WithDrainDelay adds one before them:
//
//  1. Drain. Serve closes the listeners and idle connections, and accepts no more requests.
//     Requests in flight go on undisturbed until the grace period ends. Their clients are told not
//     to use the connection again. Handlers that watch Draining are told to finish.
//  2. Cut, if requests are still in flight at the end of the grace period, at a second signal, or
//     when a breaker in WithCut trips. Their contexts end, with the cause ErrShutdown. If a handler
//     doesn't return within the cut timeout, its connection is closed.
//
// It returns
//
//   - nil, if nothing was cut;
//   - a *CutError that says how many requests were cut;
//   - http.ErrServerClosed at once, if other code shuts the server down or closes it. The rest is
//     then up to that code;
//   - the server's own error, if it fails otherwise. Serve first drains and cuts what is in flight,
//     without a delay. If it cut any, a *CutError is joined to the error.
//
// A request is in flight while its handler is running, even if the handler has hijacked the
// connection. Unlike http.Server.Shutdown, Serve waits for such handlers, and cuts and closes them
// like any other. If a handler has returned after hijacking, its connection is left to the new
// owner. Serve also waits for a response that is still being written after its handler has
// returned. The cut can't end that response, because it has no context, and can't end a Read from a
// slow body, unless Handler has WithConnDeadlines. Closing the connection ends both.
//
// The drain takes at most the grace period, and the cut at most the cut timeout, even if a handler
// never returns. Within that, http.Server takes up to half a second to notice that all is done, and
// gives clients on HTTP/2 a second to go away. A connection that hasn't sent a request yet may hold
// up the drain for five seconds at most: with HTTP/1 nothing tells the client that it is late. A
// request that arrives on an open connection after the cut gets 503, and isn't counted.
//
// Serve never closes stop. Pass the result of BreakBySignal as it is. Behind a Multiplex or a
// NopCloser, or with signal.NotifyContext, a second signal within a millisecond of the first may
// have its default effect. Don't use a context of stop as the server's BaseContext: the first
// signal would cancel every request. Other callbacks on stop don't delay the shutdown.
//
// Don't change or serve the server again: Serve wraps its Handler, BaseContext, ConnContext and
// ConnState. Your own are called as usual. So are the functions of RegisterOnShutdown, once, when
// the drain begins. For TLS see ListenAndServeTLS, or pass a listener of tls.NewListener, with "h2"
// among the NextProtos for HTTP/2. Serve always closes the listener. If http.Server panics, because
// BaseContext returns nil, so does Serve.
//
// For HTTP/2 without TLS set server.Protocols. The older way is a handler of
// golang.org/x/net/http2/h2c. It takes whole connections away from the server, which then can't
// count or drain them. If it is the server's own handler, Serve sets server.Protocols instead. If
// it is further in, Serve refuses such a connection with 505, and the server's log says so. It
// ignores an upgrade to h2c from HTTP/1.1, and serves the request as it is.
//
// Compared with http.Server, Serve costs one more goroutine for each listener, one during the
// shutdown, a small allocation for each connection, and two atomic additions for each request.
// Serve panics if an argument or an option is nil.
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

	// life is the breaker behind the contexts of all requests. The cut trips it.
	life breaker.Breaker
	traffic
}

// newServing checks the arguments that all serving functions have in common.
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

// serveOn serves on a listener. It returns a panic, so that Serve can panic on its own goroutine.
func (s *serving) serveOn(listener net.Listener) (end ending) {
	defer func() { end.panicked = recover() }()
	defer listener.Close() // http.Server.ServeTLS doesn't if it can't read the certificate
	return ending{err: s.serve(listener)}
}

// takeOver wraps the functions of the server, so that we see its connections and requests.
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
