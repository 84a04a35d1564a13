package breakergrpc

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// connections keeps track of the connections that the server has accepted, so that we can close
// them.
//
// Unlike an http.Server, a grpc.Server first waits for handshakes, in GracefulStop and in Stop. If
// a port scanner or a load balancer connects and sends nothing, the server sends no GOAWAY until
// its ConnectionTimeout of 120 s has passed.
type connections struct {
	mu  sync.Mutex
	all map[*connection]bool // whether the handshake is done
}

// listener is a net.Listener that keeps track of its connections.
type listener struct {
	net.Listener
	conns *connections
}

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if _, ok := conn.(*net.UnixConn); ok {
		return conn, nil // credentials may need a *net.UnixConn, to ask for the peer's
	}
	setUserTimeout(conn)
	c := &connection{Conn: conn, conns: l.conns}
	l.conns.mu.Lock()
	defer l.conns.mu.Unlock()
	if l.conns.all == nil {
		l.conns.all = map[*connection]bool{}
	}
	l.conns.all[c] = false
	return c, nil
}

type connection struct {
	net.Conn
	conns *connections
}

// SetDeadline is called by the server before the handshake, and with the zero time after it.
func (c *connection) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.conns.mu.Lock()
		if _, ok := c.conns.all[c]; ok {
			c.conns.all[c] = true
		}
		c.conns.mu.Unlock()
	}
	return c.Conn.SetDeadline(t)
}

func (c *connection) Close() error {
	c.conns.mu.Lock()
	delete(c.conns.all, c)
	c.conns.mu.Unlock()
	return c.Conn.Close()
}

// SyscallConn is for channelz, which shows socket options.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, syscall.EINVAL
}

// close closes the connections that are still in their handshake, or all of them. It returns how
// many of those it closed had completed the handshake.
func (c *connections) close(all bool) (established int) {
	c.mu.Lock()
	var closing []*connection
	for conn, done := range c.all {
		if done {
			established++
		}
		if all || !done {
			closing = append(closing, conn)
		}
	}
	c.mu.Unlock()
	for _, conn := range closing {
		_ = conn.Close()
	}
	return established
}
