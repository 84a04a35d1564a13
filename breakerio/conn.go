package breakerio

import (
	"io"
	"net"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

// Conn returns inner with its reads and writes bound to the breaker. When br trips, blocked ones
// return at once, and later ones fail without beginning.
//
// They return the cause of br inside a *net.OpError: errors.Is(err, br.Cause()) and errors.Is(err,
// breaker.Interrupted) hold, and Timeout reports whether br timed out. A blocked Write also returns
// how much it has written. Other errors stay as they are, such as io.EOF and the timeouts of your
// own deadlines.
//
// Deadlines that you have set before keep working, and so do those that you set later through the
// result. None of them undoes the trip. Don't set deadlines on inner itself meanwhile.
//
// Close unregisters from br and closes inner. Conn doesn't own br, and never closes it. To put
// inner back into a pool instead of closing it, call Release.
//
// Conn costs one registration and no goroutine. Each Read or Write costs one more call of br.Err.
// If SetDeadline of inner fails at the trip, inner is closed instead, on a goroutine of its own.
// That of an SSH channel fails, for example.
//
// The result has ReadFrom and WriteTo, so that io.Copy lets the kernel copy where it would with
// inner. It has CloseWrite, CloseRead and SyscallConn if inner has them. NetConn returns inner, for
// options such as SetNoDelay. Over a packet socket the result is a net.PacketConn instead, with
// NetConn and no other method. Put it under a *tls.Conn, not over it: net/http, for example, needs
// to see the *tls.Conn.
//
// Don't call Fd on a file returned by File of inner. That puts inner into blocking mode, too, where
// no deadline works.
//
// Conn panics if br or inner is nil. The methods may be called concurrently if those of inner may.
func Conn(br breaker.Interface, inner net.Conn) net.Conn {
	mustBreaker("Conn", br)
	if inner == nil {
		panic("breakerio: Conn: the connection is nil")
	}
	return newConn(br, inner)
}

func newConn(br breaker.Interface, inner net.Conn) net.Conn {
	c := &conn{Conn: inner}
	c.arm(br, func() error { return inner.SetDeadline(past) }, inner.Close)
	if packets, ok := inner.(net.PacketConn); ok && !isStream(inner) {
		return packetConn{c, packets}
	}
	if _, ok := inner.(duplex); ok {
		return duplexConn{halfConn{c}}
	}
	if _, ok := inner.(closeWriter); ok {
		return halfConn{c}
	}
	return c
}

// Release unbinds a connection that Conn or a Listener has returned from its breaker. It returns
// the connection beneath.
//
// When Release returns, the breaker no longer touches that connection. It may go back into a pool,
// even if br trips at this very moment. The error is nil if the connection is as it was. Otherwise
// the error is the cause of br, and the deadlines of the connection lie in the past. Close it, or
// set new deadlines if you know what was read and written.
//
// Call it when no Read or Write is in progress, and don't use the wrapper afterwards. Release waits
// for a callback that is setting the deadline at this moment, and for nothing else. It panics if
// conn isn't from this package.
func Release(conn net.Conn) (inner net.Conn, err error) {
	w, ok := conn.(wrapper)
	if !ok {
		panic("breakerio: Release: the connection is not from Conn or Listener")
	}
	c := w.base()
	if c.release() {
		err = causeOf(c.br)
	}
	return c.Conn, err
}

type (
	closeWriter interface{ CloseWrite() error }
	// duplex is what the stream connections of package net have.
	duplex interface {
		closeWriter
		CloseRead() error
		syscall.Conn
	}
	wrapper interface{ base() *conn }
)

// conn is a connection with a guard.
type conn struct {
	net.Conn
	guard
}

func (c *conn) base() *conn { return c }

// NetConn returns the connection beneath.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) Read(p []byte) (int, error) {
	if c.tripped() {
		return 0, c.refuse("read")
	}
	n, err := c.Conn.Read(p)
	return n, c.explain(err)
}

func (c *conn) Write(p []byte) (int, error) {
	if c.tripped() {
		return 0, c.refuse("write")
	}
	n, err := c.Conn.Write(p)
	return n, c.explain(err)
}

// ReadFrom copies as io.Copy does. It unwraps both sides, because package net lets the kernel copy
// only between its own types.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if c.tripped() {
		return 0, c.refuse("write")
	}
	from, bare := unwrap(r)
	if from != nil && from.tripped() {
		return 0, from.refuse("read")
	}
	n, err := io.Copy(c.Conn, bare)
	if limited, ok := r.(*io.LimitedReader); ok && bare != r {
		limited.N = bare.(*io.LimitedReader).N
	}
	return n, explainBoth(c, from, err)
}

// WriteTo copies as io.Copy does.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	if c.tripped() {
		return 0, c.refuse("read")
	}
	var to *conn
	if over, ok := w.(wrapper); ok {
		if to = over.base(); to.tripped() {
			return 0, to.refuse("write")
		}
		w = to.Conn
	}
	n, err := io.Copy(w, c.Conn)
	return n, explainBoth(c, to, err)
}

// explainBoth explains an error of one of two connections. The second may be nil.
func explainBoth(one, other *conn, err error) error {
	explained := one.explain(err)
	if explained == err && other != nil {
		return other.explain(err)
	}
	return explained
}

// unwrap returns the connection of this package that is read from, if it is one, and the reader
// without it.
func unwrap(r io.Reader) (from *conn, bare io.Reader) {
	switch v := r.(type) {
	case wrapper:
		from = v.base()
		return from, from.Conn
	case *io.LimitedReader:
		if over, ok := v.R.(wrapper); ok {
			from = over.base()
			return from, &io.LimitedReader{R: from.Conn, N: v.N}
		}
	}
	return nil, r
}

func (c *conn) SetDeadline(t time.Time) error      { return c.setDeadline(c.Conn.SetDeadline, t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.setDeadline(c.Conn.SetReadDeadline, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.Conn.SetWriteDeadline, t) }

// Close unregisters before it closes. If Close of inner puts it into a pool, no late deadline
// follows it there.
func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}

// refuse returns the error of an operation after the trip, in the form that package net gives it.
func (c *conn) refuse(op string) error {
	err := &net.OpError{Op: op, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: causeOf(c.br)}
	if err.Source != nil {
		err.Net = err.Source.Network()
	}
	return err
}

// halfConn is a conn over one with CloseWrite. Without that method proxies close the connection,
// and net/http doesn't wait until the client has read the response.
type halfConn struct{ *conn }

func (c halfConn) CloseWrite() error { return c.Conn.(closeWriter).CloseWrite() }

// duplexConn is a conn over one of package net.
type duplexConn struct{ halfConn }

func (c duplexConn) CloseRead() error { return c.Conn.(duplex).CloseRead() }

// SyscallConn returns the raw connection, whose waits the trip ends, too.
func (c duplexConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.Conn.(duplex).SyscallConn()
	if err != nil {
		return nil, err
	}
	return rawConn{raw, c.conn}, nil
}

// packetConn is a conn over a packet socket. Some code decides by net.PacketConn how messages are
// framed, such as the resolver of package net.
type packetConn struct {
	*conn
	packets net.PacketConn
}

func (c packetConn) ReadFrom(p []byte) (int, net.Addr, error) {
	if c.tripped() {
		return 0, nil, c.refuse("read")
	}
	n, from, err := c.packets.ReadFrom(p)
	return n, from, c.explain(err)
}

func (c packetConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if c.tripped() {
		return 0, c.refuse("write")
	}
	n, err := c.packets.WriteTo(p, to)
	return n, c.explain(err)
}

// isStream reports whether the connection is a stream although it has the methods of a
// net.PacketConn, as a *net.UnixConn always has.
func isStream(inner net.Conn) bool {
	u, ok := inner.(*net.UnixConn)
	return ok && u.LocalAddr().Network() == "unix"
}

// rawConn also hides the methods by which package os would copy past the wrapper, and return a
// timeout instead of the cause.
type rawConn struct {
	syscall.RawConn
	c *conn
}

func (r rawConn) Read(f func(fd uintptr) bool) error  { return r.c.explain(r.RawConn.Read(f)) }
func (r rawConn) Write(f func(fd uintptr) bool) error { return r.c.explain(r.RawConn.Write(f)) }
