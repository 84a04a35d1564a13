package breakerio

import (
	"io"
	"net"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

// Conn returns the connection with its reads and writes bound to the breaker: one that is blocked
// when br trips ends at once, and later ones don't begin.
//
// Their error is the cause of br, inside a *net.OpError: errors.Is(err, br.Cause()) and
// errors.Is(err, breaker.Interrupted) hold, and Timeout reports whether br timed out. A Write that
// was blocked also returns how much of it was written. Other errors stay as they are: io.EOF, for
// example, and the timeouts of your own deadlines.
//
// Deadlines keep working: those that were set before, and those that you set later through the
// result. None of them undoes the trip. Don't set deadlines on inner itself meanwhile.
//
// Close unregisters from br and closes inner. Conn doesn't own br, and never closes it. To put
// inner back into a pool instead of closing it, call Release.
//
// It costs one registration and no goroutine; a Read or a Write costs one more call of br.Err. If
// SetDeadline of inner fails at the trip (that of an SSH channel does), inner is closed instead, on
// a goroutine of its own.
//
// The result has the methods ReadFrom and WriteTo, so that io.Copy lets the kernel copy where it
// would with inner; CloseWrite, CloseRead and SyscallConn if inner has them; and NetConn, which
// returns inner, for options such as SetNoDelay. Over a socket for packets it is a net.PacketConn
// instead, and has only NetConn besides. Put it under a *tls.Conn rather than over it:
// net/http, for one, needs to see the *tls.Conn.
//
// Don't call Fd on a file that the method File of inner has returned. That puts inner into blocking
// mode, too, where no deadline works.
//
// Conn panics if br or inner is nil. All methods may be called concurrently, as far as those of
// inner may.
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

// Release takes the breaker off a connection that Conn or a Listener has returned, and returns the
// connection beneath.
//
// When it returns, the breaker doesn't touch that connection any more: it may go back into a pool,
// even if br trips at this very moment. The error is nil if the connection is as it was. Otherwise
// br had interrupted it, and the error is the cause: the deadlines of the connection lie in the
// past. Close it, or set new ones if you know what was read and written.
//
// No Read or Write may be in progress. The wrapper must not be used afterwards. Release waits for a
// callback that is just setting the deadline, and for nothing else. It panics if conn isn't from
// this package.
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

// ReadFrom copies as io.Copy does. Package net looks for its own types to have the kernel copy, so
// neither side may be wrapped.
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

// Close unregisters before it closes: what inner's Close puts into a pool gets no late deadline.
func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}

// refuse returns the error of an operation that comes after the trip, in the form that net gives
// it.
func (c *conn) refuse(op string) error {
	err := &net.OpError{Op: op, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: causeOf(c.br)}
	if err.Source != nil {
		err.Net = err.Source.Network()
	}
	return err
}

// halfConn is a conn over one with CloseWrite. Proxies close the connection if it hasn't got that,
// and net/http doesn't wait until the client has read the response.
type halfConn struct{ *conn }

func (c halfConn) CloseWrite() error { return c.Conn.(closeWriter).CloseWrite() }

// duplexConn is a conn over one of package net.
type duplexConn struct{ halfConn }

func (c duplexConn) CloseRead() error { return c.Conn.(duplex).CloseRead() }

// SyscallConn returns the raw connection. The trip ends its waiting, too.
func (c duplexConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.Conn.(duplex).SyscallConn()
	if err != nil {
		return nil, err
	}
	return rawConn{raw, c.conn}, nil
}

// packetConn is a conn over a socket for packets. The resolver of package net, for one, asks for a
// net.PacketConn to decide how messages are framed.
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

// isStream reports whether a net.PacketConn is one only because *net.UnixConn is all in one.
func isStream(inner net.Conn) bool {
	u, ok := inner.(*net.UnixConn)
	return ok && u.LocalAddr().Network() == "unix"
}

// rawConn also hides what package os looks for in a raw connection: it would copy past the wrapper,
// and return a timeout where there is a cause.
type rawConn struct {
	syscall.RawConn
	c *conn
}

func (r rawConn) Read(f func(fd uintptr) bool) error  { return r.c.explain(r.RawConn.Read(f)) }
func (r rawConn) Write(f func(fd uintptr) bool) error { return r.c.explain(r.RawConn.Write(f)) }
