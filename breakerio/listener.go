package breakerio

import (
	"net"
	"time"

	"github.com/kamilsk/breaker"
)

// A ListenerOption configures Listener.
type ListenerOption func(*listener)

// WithConns has Listener return each accepted connection as Conn(br, connection). That breaker may
// be another one than the listener's: the first ends the accepting, the second, later, the
// connections. WithConns panics if br is nil.
func WithConns(br breaker.Interface) ListenerOption {
	mustBreaker("WithConns", br)
	return func(l *listener) { l.conns = br }
}

// Listener returns the listener with Accept bound to the breaker: one that is blocked when br trips
// ends at once, and later ones don't begin. Connections that were accepted before go on; see
// WithConns.
//
// Accept then returns the cause of br in a *net.OpError, as Conn does. It isn't Temporary, so
// net/http and others that retry return.
//
// The trip ends Accept by a deadline, and inner stays open until you close it. A listener without
// SetDeadline, such as that of tls.NewListener, is closed instead, on a goroutine of its own. To
// avoid that, call tls.NewListener(breakerio.Listener(br, inner), config).
//
// Close unregisters from br and closes inner. Listener doesn't own br. It costs one registration
// and no goroutine. It panics if br or inner is nil. All methods may be called concurrently. The
// result has SetDeadline, if inner has it.
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
