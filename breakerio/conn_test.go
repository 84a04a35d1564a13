package breakerio_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// each runs a test over every transport.
func each(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func TestConn_Read(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		for _, cause := range []error{errWhy, nil, context.DeadlineExceeded, os.ErrProcessDone} {
			br := breaker.New()
			near, _ := tr.dial(t, br)
			read := start(func() (int, error) { return near.Read(make([]byte, 1)) })
			awaitBlocked(t, 1)
			br.Trip(cause)
			assertInterrupted(t, br, await(t, read).err)

			_, err := near.Read(make([]byte, 1))
			assertInterrupted(t, br, err)
		}
	})
}

func TestConn_Write(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		br := breaker.New()
		near, far := tr.dial(t, br)
		write := start(func() (int, error) { return near.Write(make([]byte, 64<<20)) })
		// Some of it gets through, so that n has something to report.
		_, err := io.ReadFull(far, make([]byte, 100_000))
		require.NoError(t, err)
		awaitBlocked(t, 1)
		br.Trip(errWhy)
		o := await(t, write)
		assertInterrupted(t, br, o.err)
		assert.GreaterOrEqual(t, o.n, int64(100_000))
		assert.Less(t, o.n, int64(64<<20))

		_, err = near.Write([]byte("x"))
		assertInterrupted(t, br, err)
	})
}

// What has timed out says so, and nothing else does.
func TestConn_Timeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		br      *breaker.Breaker
		timeout bool
	}{
		{"timeout", breaker.BreakByTimeout(time.Millisecond), true},
		{"timeout with a cause", breaker.BreakByTimeoutCause(time.Millisecond, errWhy), true},
		{"another's timeout", tripped(os.ErrDeadlineExceeded), true},
		{"close", tripped(breaker.ErrClosed), false},
		{"cause", tripped(errWhy), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, _ := dial(t, "tcp")
			conn := breakerio.Conn(tt.br, near)
			_, err := conn.Read(make([]byte, 1))
			var op *net.OpError
			require.ErrorAs(t, err, &op)
			assert.Equal(t, tt.timeout, op.Timeout())
			assert.False(t, op.Temporary())
			assert.ErrorIs(t, err, tt.br.Cause())
			assert.ErrorIs(t, err, breaker.Interrupted)
			assert.Equal(t, "read", op.Op)
			assert.Equal(t, near.RemoteAddr(), op.Addr)
			assert.Contains(t, err.Error(), tt.br.Cause().Error())
		})
	}
}

func tripped(cause error) *breaker.Breaker {
	br := breaker.New()
	br.Trip(cause)
	return br
}

// promise 21: a cause that panics is a cause like another. Here it does so as soon as the trip is
// over, so it is what this package asks that counts.
type wicked struct{ armed *atomic.Bool }

func (w wicked) Error() string { return "wicked" }

func (w wicked) Is(error) bool {
	if w.armed.Load() {
		panic("Is")
	}
	return false
}

func TestConn_WickedCause(t *testing.T) {
	br := breaker.New()
	near, _ := dial(t, "tcp")
	conn := breakerio.Conn(br, near)
	read := start(func() (int, error) { return conn.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	armed := new(atomic.Bool)
	br.OnTrip(func() { armed.Store(true) })
	br.Trip(wicked{armed})
	armed.Store(true)
	err := await(t, read).err
	_, refused := conn.Read(nil)
	armed.Store(false)
	assert.ErrorIs(t, err, breaker.Interrupted)
	assert.ErrorIs(t, refused, breaker.Interrupted)
}

// Errors that don't come of the trip stay what they are.
func TestConn_OtherErrors(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		br := breaker.New()
		defer br.Close()
		near, far := tr.dial(t, br)

		require.NoError(t, near.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := near.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.True(t, os.IsTimeout(err))
		assert.NotErrorIs(t, err, breaker.Interrupted)

		require.NoError(t, near.SetReadDeadline(time.Time{}))
		written := start(func() (int, error) { return far.Write([]byte("x")) })
		n, err := near.Read(make([]byte, 2))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		require.NoError(t, await(t, written).err)

		closed := start(func() (int, error) { return 0, far.Close() })
		_, err = near.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
		await(t, closed)

		require.NoError(t, near.Close())
		_, err = near.Read(make([]byte, 1))
		assert.Error(t, err)
		assert.NotErrorIs(t, err, breaker.Interrupted)
	})
}

// A deadline that was set before holds, and so does one that is set later.
func TestConn_Deadlines(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	for name, set := range map[string]func(inner, conn net.Conn, at time.Time) error{
		"before":    func(inner, _ net.Conn, at time.Time) error { return inner.SetDeadline(at) },
		"after":     func(_, conn net.Conn, at time.Time) error { return conn.SetDeadline(at) },
		"for reads": func(_, conn net.Conn, at time.Time) error { return conn.SetReadDeadline(at) },
	} {
		t.Run(name, func(t *testing.T) {
			inner, _ := dial(t, "tcp")
			at := time.Now().Add(5 * time.Millisecond)
			if name == "before" {
				require.NoError(t, set(inner, nil, at))
			}
			conn := breakerio.Conn(br, inner)
			if name != "before" {
				require.NoError(t, set(inner, conn, at))
			}
			_, err := conn.Read(make([]byte, 1))
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.False(t, time.Now().Before(at))
		})
	}
}

// No deadline undoes the trip, whenever it is set: the window is between the trip's deadline and
// the user's.
func TestConn_DeadlineRacesWithTrip(t *testing.T) {
	near, far := net.Pipe()
	closeAtEnd(t, near, far)
	tcp, _ := dial(t, "tcp")
	for _, inner := range []net.Conn{near, tcp} {
		for range 1_000 {
			require.NoError(t, inner.SetDeadline(time.Time{}))
			br := breaker.New()
			conn := breakerio.Conn(br, inner)
			var wg sync.WaitGroup
			for _, set := range []func(time.Time) error{conn.SetDeadline, conn.SetReadDeadline} {
				wg.Go(func() {
					for i := range 4 {
						_ = set(time.Now().Add(time.Duration(i+1) * time.Hour))
						_ = set(time.Time{})
					}
				})
			}
			read := start(func() (int, error) { return conn.Read(make([]byte, 1)) })
			br.Trip(errWhy)
			wg.Wait()
			assertInterrupted(t, br, await(t, read).err)
			// And it isn't only that reads are refused: the deadline itself lies in the past.
			_, err := inner.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			_, err = breakerio.Release(conn)
			require.ErrorIs(t, err, errWhy)
		}
	}
}

// A setter of the user's that trips the breaker itself doesn't hang, and doesn't undo the trip.
type trippingConn struct {
	net.Conn
	br *breaker.Breaker
}

func (c trippingConn) SetReadDeadline(t time.Time) error {
	c.br.Trip(errWhy)
	return c.Conn.SetReadDeadline(t)
}

func TestConn_DeadlineThatTrips(t *testing.T) {
	br := breaker.New()
	inner, _ := dial(t, "tcp")
	conn := breakerio.Conn(br, trippingConn{inner, br})
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	_, err := inner.Read(make([]byte, 1))
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = conn.Read(make([]byte, 1))
	assertInterrupted(t, br, err)
}

// One registration, given back by Close, by Release and by the trip.
func TestConn_Registration(t *testing.T) {
	br := &counted{Breaker: breaker.New()}
	defer br.Close()
	one, two := dial(t, "tcp")
	closing, releasing := breakerio.Conn(br, one), breakerio.Conn(br, two)
	assert.Equal(t, 2, br.live)
	require.NoError(t, closing.Close())
	assert.Equal(t, 1, br.live)
	inner, err := breakerio.Release(releasing)
	require.NoError(t, err)
	assert.Same(t, two, inner)
	assert.Zero(t, br.live)
	awaitNoGoroutine(t)
}

// A connection that Release has returned gets no late deadline, whether the trip comes before,
// after, or at the same time.
func TestConn_Release(t *testing.T) {
	near, far := dial(t, "tcp")
	for range 1_000 {
		br := breaker.New()
		conn := breakerio.Conn(br, near)
		tripping := start(func() (int, error) { br.Trip(errWhy); return 0, nil })
		inner, err := breakerio.Release(conn)
		if err != nil {
			assertInterrupted(t, br, err)
			require.NoError(t, inner.SetDeadline(time.Time{}))
		}
		await(t, tripping)
		_, err = far.Write([]byte("x"))
		require.NoError(t, err)
		_, err = inner.Read(make([]byte, 1))
		require.NoError(t, err, "the trip has reached a connection that it doesn't own any more")
		_, err = conn.Read(nil) // transparent, in spite of the trip
		require.NoError(t, err)
	}
}

// held is a breaker whose callback has been chosen to run, so that stop returns false, and hasn't
// begun.
type held struct {
	*breaker.Breaker
	callback func()
}

func (h *held) OnTrip(f func()) func() bool {
	h.callback = f
	return func() bool { return false }
}

// promise 7 says of stop only that it doesn't wait: the callback may begin when Release or Close
// have returned.
func TestRelease_CallbackComesLate(t *testing.T) {
	br := &held{Breaker: breaker.New()}
	near, far := dial(t, "tcp")
	inner, err := breakerio.Release(breakerio.Conn(br, near))
	require.NoError(t, err)
	br.Trip(errWhy)
	br.callback()
	_, err = far.Write([]byte("x"))
	require.NoError(t, err)
	_, err = inner.Read(make([]byte, 1))
	require.NoError(t, err)

	closing := &closingConn{Conn: near}
	br = &held{Breaker: breaker.New()}
	require.NoError(t, breakerio.Conn(br, closing).Close())
	br.callback()
	assert.False(t, closing.late.Load())
}

// closingConn notes deadlines that come after Close, which is where a pool takes it back.
type closingConn struct {
	net.Conn
	closed, late atomic.Bool
}

func (c *closingConn) Close() error { c.closed.Store(true); return nil }

func (c *closingConn) SetDeadline(t time.Time) error {
	if c.closed.Load() {
		c.late.Store(true)
	}
	return c.Conn.SetDeadline(t)
}

func TestConn_CloseRacesWithTrip(t *testing.T) {
	near, _ := dial(t, "tcp")
	for range 1_000 {
		inner := &closingConn{Conn: near}
		br := breaker.New()
		conn := breakerio.Conn(br, inner)
		tripping := start(func() (int, error) { br.Close(); return 0, nil })
		require.NoError(t, conn.Close())
		await(t, tripping)
		require.False(t, inner.late.Load())
	}
}

// A connection without deadlines, as of x/crypto/ssh, is closed. A goroutine closes it, so that the
// trip needn't wait.
type sshConn struct {
	net.Conn
	gate chan struct{}
}

func (sshConn) SetDeadline(time.Time) error {
	return errors.New("ssh: tcpChan: deadline not supported")
}

func (c sshConn) Close() error {
	<-c.gate
	return c.Conn.Close()
}

func TestConn_WithoutDeadlines(t *testing.T) {
	br := breaker.New()
	inner, _ := dial(t, "tcp")
	gate := make(chan struct{})
	conn := breakerio.Conn(br, sshConn{inner, gate})
	read := start(func() (int, error) { return conn.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	close(gate)
	assertInterrupted(t, br, await(t, read).err)
}

// In a bubble, with net.Pipe, all of it is durably blocked and deterministic.
func TestConn_Synctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.BreakByTimeout(time.Hour)
		defer br.Close()
		near, far := net.Pipe()
		conn := breakerio.Conn(br, near)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		begin := time.Now()
		_, err := conn.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(begin))
		require.NoError(t, conn.SetDeadline(time.Now().Add(24*time.Hour)))
		_, err = conn.Read(make([]byte, 1))
		assertInterrupted(t, br, err)
		assert.Equal(t, time.Hour, time.Since(begin))
		require.NoError(t, conn.Close())
		require.NoError(t, far.Close())
	})
}

func TestConn_Bufio(t *testing.T) {
	br := breaker.New()
	near, far := dial(t, "tcp")
	conn := breakerio.Conn(br, near)
	buffered := bufio.NewReader(conn)
	_, err := far.Write([]byte("half a line"))
	require.NoError(t, err)
	read := start(func() (int, error) { s, err := buffered.ReadString('\n'); return len(s), err })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	o := await(t, read)
	assertInterrupted(t, br, o.err)
	assert.EqualValues(t, len("half a line"), o.n)
}

// A handshake that the other side doesn't answer ends, and the TLS connection stays ended.
func TestConn_TLSHandshake(t *testing.T) {
	br := breaker.New()
	near, _ := dial(t, "tcp")
	client := handshakeless(breakerio.Conn(br, near))
	done := start(func() (int, error) { return 0, client.Handshake() })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assertInterrupted(t, br, await(t, done).err)
	assertInterrupted(t, br, client.Handshake())
}

// What the method set of the inner connection offers, the wrapper does, and no more.
func TestConn_Methods(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	tcp, far := dial(t, "tcp")
	unix, _ := dial(t, "unix")
	pipe, other := net.Pipe()
	closeAtEnd(t, pipe, other)
	secret, _ := handshake(t, tcp, far)
	for _, tt := range []struct {
		inner              net.Conn
		write, read, sysly bool
	}{
		{tcp, true, true, true},
		{unix, true, true, true},
		{secret, true, false, false},
		{pipe, false, false, false},
	} {
		conn := breakerio.Conn(br, tt.inner)
		_, write := conn.(interface{ CloseWrite() error })
		_, read := conn.(interface{ CloseRead() error })
		_, sysly := conn.(syscall.Conn)
		assert.Equal(t, []bool{tt.write, tt.read, tt.sysly}, []bool{write, read, sysly}, "%T", tt.inner)
		assert.Same(t, tt.inner, conn.(interface{ NetConn() net.Conn }).NetConn())
		assert.Equal(t, tt.inner.LocalAddr(), conn.LocalAddr())
	}
	require.NoError(t, breakerio.Conn(br, unix).(interface{ CloseWrite() error }).CloseWrite())
	require.NoError(t, breakerio.Conn(br, unix).(interface{ CloseRead() error }).CloseRead())
}

// A socket for packets stays one, and its own operations are interrupted as well.
func TestConn_Packets(t *testing.T) {
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			address := func(name string) string {
				if network == "udp" {
					return "127.0.0.1:0"
				}
				return filepath.Join(t.TempDir(), name)
			}
			one, err := net.ListenPacket(network, address("1"))
			require.NoError(t, err)
			two, err := net.ListenPacket(network, address("2"))
			require.NoError(t, err)
			closeAtEnd(t, one, two)
			br := breaker.New()
			conn := breakerio.Conn(br, one.(net.Conn))
			packets := conn.(net.PacketConn)
			_, err = packets.WriteTo([]byte("there"), two.LocalAddr())
			require.NoError(t, err)
			p := make([]byte, 10)
			n, from, err := two.ReadFrom(p)
			require.NoError(t, err)
			assert.Equal(t, "there", string(p[:n]))
			assert.Equal(t, one.LocalAddr(), from)
			_, err = two.WriteTo([]byte("back"), from)
			require.NoError(t, err)
			n, from, err = packets.ReadFrom(p)
			require.NoError(t, err)
			assert.Equal(t, "back", string(p[:n]))
			assert.Equal(t, two.LocalAddr(), from)

			read := start(func() (int, error) { n, _, err := packets.ReadFrom(p); return n, err })
			awaitBlocked(t, 1)
			br.Trip(errWhy)
			assertInterrupted(t, br, await(t, read).err)
			_, _, err = packets.ReadFrom(p)
			assertInterrupted(t, br, err)
			_, err = packets.WriteTo(p, two.LocalAddr())
			assertInterrupted(t, br, err)
			inner, err := breakerio.Release(conn)
			assertInterrupted(t, br, err)
			assert.Same(t, one, inner)
		})
	}
}

func TestConn_SyscallConn(t *testing.T) {
	br := breaker.New()
	near, far := dial(t, "tcp")
	raw, err := breakerio.Conn(br, near).(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	write := start(func() (int, error) { return 0, raw.Write(func(uintptr) bool { return true }) })
	require.NoError(t, await(t, write).err)
	read := start(func() (int, error) { return 0, raw.Read(func(uintptr) bool { return false }) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assertInterrupted(t, br, await(t, read).err)
	require.NoError(t, near.Close())
	_, err = breakerio.Conn(br, near).(syscall.Conn).SyscallConn()
	assert.NoError(t, err)
	require.NoError(t, far.Close())
}

// countingFile notes whether it is read from: sendfile doesn't.
type countingFile struct {
	*os.File
	reads *int
}

func (f countingFile) Read(p []byte) (int, error) {
	*f.reads++
	return f.File.Read(p)
}

// WriteTo hides that of the file.
func (f countingFile) WriteTo() {}

func TestConn_Sendfile(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	for _, tt := range []struct {
		name string
		copy func(dst io.Writer, f *os.File, reads *int) (int64, error)
	}{
		{"Copy", func(dst io.Writer, f *os.File, _ *int) (int64, error) { return io.Copy(dst, f) }},
		{"ReadFrom", func(dst io.Writer, f *os.File, reads *int) (int64, error) {
			return dst.(io.ReaderFrom).ReadFrom(countingFile{f, reads})
		}},
		{"CopyN", func(dst io.Writer, f *os.File, _ *int) (int64, error) { return io.CopyN(dst, f, int64(len(content))) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := os.Open(path)
			require.NoError(t, err)
			closeAtEnd(t, f)
			br := breaker.New()
			defer br.Close()
			near, far := dial(t, "tcp")
			conn := breakerio.Conn(br, near)
			reads := 0
			sent := start(func() (int64, error) {
				n, err := tt.copy(conn, f, &reads)
				return n, errors.Join(err, conn.(interface{ CloseWrite() error }).CloseWrite())
			})
			got, err := io.ReadAll(far)
			require.NoError(t, err)
			o := await(t, sent)
			require.NoError(t, o.err)
			assert.EqualValues(t, len(content), o.n)
			assert.True(t, bytes.Equal(content, got))
			if runtime.GOOS == "linux" {
				assert.Zero(t, reads, "it was read, and not sent by the kernel")
			}
		})
	}
}

// A copy that the peer doesn't take ends, with the cause and the number of bytes sent.
func TestConn_SendfileInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 64<<20), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	closeAtEnd(t, f)
	br := breaker.New()
	near, far := dial(t, "tcp")
	conn := breakerio.Conn(br, near)
	sent := start(func() (int64, error) { return io.Copy(conn, f) })
	_, err = io.ReadFull(far, make([]byte, 1000))
	require.NoError(t, err)
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	o := await(t, sent)
	assertInterrupted(t, br, o.err)
	assert.GreaterOrEqual(t, o.n, int64(1000))
	_, err = io.Copy(conn, f)
	assertInterrupted(t, br, err)
}

// A proxy between two wrapped connections: spliced, whichever side io.Copy asks, and interrupted on
// either side.
func TestConn_Splice(t *testing.T) {
	for _, limited := range []bool{false, true} {
		for _, network := range []string{"tcp", "unix"} {
			for side := range 2 {
				one, two := breaker.New(), breaker.New()
				client, in := dial(t, network)
				out, server := dial(t, "tcp")
				from, to := breakerio.Conn(one, in), breakerio.Conn(two, out)
				proxied := start(func() (int64, error) {
					if limited {
						return io.CopyN(to, from, 1<<40)
					}
					return io.Copy(to, from)
				})
				payload := bytes.Repeat([]byte("x"), 1<<20)
				sent := start(func() (int, error) { return client.Write(payload) })
				_, err := io.ReadFull(server, make([]byte, len(payload)))
				require.NoError(t, err)
				require.NoError(t, await(t, sent).err)
				awaitBlocked(t, 1)
				br := []*breaker.Breaker{one, two}[side]
				if side == 1 { // it waits for the reader until there is something to write
					more := start(func() (int, error) { return client.Write(make([]byte, 64<<20)) })
					_, err := io.ReadFull(server, make([]byte, 1000))
					require.NoError(t, err)
					awaitBlocked(t, 2)
					br.Trip(errWhy)
					o := await(t, proxied)
					assertInterrupted(t, br, o.err)
					require.NoError(t, client.Close())
					await(t, more)
				} else {
					br.Trip(errWhy)
					o := await(t, proxied)
					assertInterrupted(t, br, o.err)
					assert.EqualValues(t, len(payload), o.n)
				}
				_, err = io.Copy(to, from)
				assert.ErrorIs(t, err, errWhy)
				_, err = to.(io.ReaderFrom).ReadFrom(from)
				assert.ErrorIs(t, err, errWhy)
				one.Close()
				two.Close()
			}
		}
	}
}

// A LimitedReader is left as io.Copy would leave it.
func TestConn_LimitedReader(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	client, in := dial(t, "tcp")
	out, server := dial(t, "tcp")
	limited := &io.LimitedReader{R: breakerio.Conn(br, in), N: 10}
	_, err := client.Write([]byte("seven!!"))
	require.NoError(t, err)
	require.NoError(t, client.Close())
	n, err := io.Copy(breakerio.Conn(br, out), limited)
	require.NoError(t, err)
	assert.EqualValues(t, 7, n)
	assert.EqualValues(t, 3, limited.N)
	got := make([]byte, 7)
	_, err = io.ReadFull(server, got)
	require.NoError(t, err)
	assert.Equal(t, "seven!!", string(got))
}

// net/http on both sides: keep-alive, hijacking and half-closing work; a trip ends requests and
// idle connections.
func TestConn_HTTP(t *testing.T) {
	cut, drain := breaker.New(), breaker.New()
	entered := make(chan struct{}, 1)
	ended := make(chan error, 2)
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done() // net/http notices that its background read has ended
		ended <- context.Cause(r.Context())
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\nraw")
		_ = buffered.Flush()
		_, err = buffered.ReadByte()
		ended <- err
	})
	server := &http.Server{Handler: mux}
	inner := listen(t, "tcp")
	listener := breakerio.Listener(drain, inner, breakerio.WithConns(cut))
	served := start(func() (int, error) { return 0, server.Serve(listener) })
	url := "http://" + inner.Addr().String()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	get := func(path string) (string, error) {
		response, err := client.Get(url + path)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	for range 3 {
		body, err := get("/hello")
		require.NoError(t, err)
		assert.Equal(t, "hello", body)
	}
	waiting := start(func() (int, error) { _, err := get("/wait"); return 0, err })
	<-entered
	hijacked, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	closeAtEnd(t, hijacked)
	_, err = io.WriteString(hijacked, "GET /hijack HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(hijacked), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)

	drain.Trip(errWhy)
	assertInterrupted(t, drain, await(t, served).err)
	cut.Trip(errors.New("now"))
	assert.Error(t, await(t, waiting).err)
	for range 2 {
		assert.Error(t, <-ended)
	}
	require.NoError(t, server.Close())
}

func TestConn_BadInput(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	conn, _ := dial(t, "tcp")
	assert.PanicsWithValue(t, "breakerio: Conn: the breaker is nil", func() { breakerio.Conn(nil, conn) })
	assert.PanicsWithValue(t, "breakerio: Conn: the breaker is nil", func() { breakerio.Conn((*breaker.Breaker)(nil), conn) })
	assert.PanicsWithValue(t, "breakerio: Conn: the connection is nil", func() { breakerio.Conn(br, nil) })
	assert.PanicsWithValue(t, "breakerio: Release: the connection is not from Conn or Listener", func() { _, _ = breakerio.Release(conn) })
}
