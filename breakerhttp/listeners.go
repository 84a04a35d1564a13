package breakerhttp

import (
	"cmp"
	"net"
	"net/http"
	"strconv"

	"github.com/kamilsk/breaker"
)

// WithListeners adds listeners: one server with one shutdown then has several addresses. If a
// listener fails, the whole server shuts down. Serve always closes the listeners. WithListeners
// panics if one is nil.
func WithListeners(listeners ...net.Listener) ServeOption {
	for i, listener := range listeners {
		if listener == nil {
			panic("breakerhttp: WithListeners: listener " + strconv.Itoa(i) + " is nil")
		}
	}
	listeners = append([]net.Listener(nil), listeners...)
	return func(s *serving) { s.listeners = append(s.listeners, listeners...) }
}

// ListenAndServe listens on the TCP address server.Addr, or on :http if that is empty, and then
// calls Serve. If it can't listen, it returns the error, closes the listeners in WithListeners, and
// leaves the server unchanged. It panics as Serve does.
func ListenAndServe(server *http.Server, stop breaker.Interface, options ...ServeOption) error {
	s := newServing("ListenAndServe", server, stop)
	apply("ListenAndServe", s, options)
	return s.listenAndRun(cmp.Or(server.Addr, ":http"))
}

// ListenAndServeTLS is ListenAndServe for TLS, with HTTP/2, on :https if server.Addr is empty. The
// files are those of http.Server.ListenAndServeTLS: a certificate and its key, or empty names if
// server.TLSConfig has one. TLS is used on the listeners in WithListeners, too.
func ListenAndServeTLS(server *http.Server, certFile, keyFile string, stop breaker.Interface, options ...ServeOption) error {
	s := newServing("ListenAndServeTLS", server, stop)
	apply("ListenAndServeTLS", s, options)
	s.serve = func(l net.Listener) error { return server.ServeTLS(l, certFile, keyFile) }
	return s.listenAndRun(cmp.Or(server.Addr, ":https"))
}

func (s *serving) listenAndRun(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		closeAll(s.listeners)
		return err
	}
	s.listeners = append(s.listeners, listener)
	return s.run()
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close() // there is a better error to be returned
	}
}
