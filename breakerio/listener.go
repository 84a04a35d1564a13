package breakerio

import (
	"net"
	"time"

	"github.com/kamilsk/breaker"
)

// A ListenerOption configures Listener.
type ListenerOption func(*listener)

// WithConns makes Accept return each connection as Conn(br, connection). The breaker may differ
// from the listener's: one stops accepting, and the other cuts the connections later. WithConns
// panics if br is nil.
func WithConns(br breaker.Interface) ListenerOption {
	mustBreaker("WithConns", br)
	return func(l *listener) { l.conns = br }
}

// Listener returns inner with Accept bound to the breaker. When br trips, a blocked Accept returns
// at once, and later ones fail without beginning. Connections that were accepted before go on,
// unless you pass WithConns.
//
// After the trip, Accept returns the cause of br in a *net.OpError, as Conn does. The error isn't
// Temporary, so net/http and other callers that retry return.
//
// The trip ends Accept by a deadline, and inner stays open until you close it. A listener without
// SetDeadline, such as that of tls.NewListener, is closed instead, on a goroutine of its own. To
// avoid that, call tls.NewListener(breakerio.Listener(br, inner), config).
//
// The result has SetDeadline if inner has it. Close unregisters from br and closes inner. Listener
// never closes br. It costs one registration and no goroutine. It panics if br or inner is nil. All
// methods may be called concurrently.
func Listener(br breaker.Interface, inner net.Listener, how ...ListenerOption) net.Listener {
	mustBreaker("Listener", br)
	if inner == nil {
		panic("breakerio: Listener: the listener is nil")
	}
	l := &listener{Listener: inner}
	for _, option := range how {
		if option == nil {
			panic("breakerio: Listener: an option is nil")
		}
		option(l)
	}
	d, ok := inner.(deadliner)
	if !ok {
		l.arm(br, func() error { return ErrNotInterruptible }, inner.Close)
		return l
	}
	l.arm(br, func() error { return d.SetDeadline(past) }, inner.Close)
	return deadlineListener{l}
}

type deadliner interface{ SetDeadline(time.Time) error }

type listener struct {
	net.Listener
	guard
	// conns interrupts what is accepted, unless it is nil.
	conns breaker.Interface
}

func (l *listener) Accept() (net.Conn, error) {
	if l.tripped() {
		addr := l.Addr()
		return nil, &net.OpError{Op: "accept", Net: addr.Network(), Addr: addr, Err: causeOf(l.br)}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, l.explain(err)
	}
	if l.conns != nil {
		c = newConn(l.conns, c)
	}
	return c, nil
}

func (l *listener) Close() error {
	l.release()
	return l.Listener.Close()
}

type deadlineListener struct{ *listener }

func (l deadlineListener) SetDeadline(t time.Time) error {
	return l.setDeadline(l.Listener.(deadliner).SetDeadline, t)
}
