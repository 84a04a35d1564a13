package breakerio_test

import (
	"crypto/tls"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

func TestListener(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			br := &counted{Breaker: breaker.New()}
			inner := listen(t, network)
			l := breakerio.Listener(br, inner)
			accept := func() (int, error) { _, err := l.Accept(); return 0, err }
			accepting := start(accept)
			awaitBlocked(t, 1)
			br.Trip(errWhy)
			err := await(t, accepting).err
			assertInterrupted(t, br.Breaker, err)
			var op *net.OpError
			require.ErrorAs(t, err, &op)
			assert.Equal(t, "accept", op.Op)
			assert.False(t, op.Temporary(), "net/http would try again")
			_, err = accept()
			assertInterrupted(t, br.Breaker, err)

			// It is still open: a successor finds the clients that have connected meanwhile.
			require.NoError(t, inner.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Time{}))
			client, err := net.Dial(network, inner.Addr().String())
			require.NoError(t, err)
			server, err := inner.Accept()
			require.NoError(t, err)
			closeAtEnd(t, client, server)

			require.NoError(t, l.Close())
			_, err = accept()
			assert.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestListener_Deadline(t *testing.T) {
	br := breaker.New()
	l := breakerio.Listener(br, listen(t, "tcp")).(interface {
		net.Listener
		SetDeadline(time.Time) error
	})
	require.NoError(t, l.SetDeadline(time.Now().Add(time.Millisecond)))
	_, err := l.Accept()
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, l.SetDeadline(time.Time{}))
	accepting := start(func() (int, error) { _, err := l.Accept(); return 0, err })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assertInterrupted(t, br, await(t, accepting).err)
	require.NoError(t, l.SetDeadline(time.Time{}))
	_, err = l.Accept()
	assertInterrupted(t, br, err)
}

// A listener without deadlines is closed; one of TLS over ours isn't.
func TestListener_TLS(t *testing.T) {
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errWhy }}
	br := breaker.New()
	over := breakerio.Listener(br, tls.NewListener(listen(t, "tcp"), config))
	under := tls.NewListener(breakerio.Listener(br, listen(t, "tcp")), config)
	for _, l := range []net.Listener{over, under} {
		accepting := start(func() (int, error) { _, err := l.Accept(); return 0, err })
		defer func() { assertInterrupted(t, br, await(t, accepting).err) }()
	}
	awaitBlocked(t, 2)
	br.Trip(errWhy)
}

func TestListener_WithConns(t *testing.T) {
	drain, cut := breaker.New(), breaker.New()
	inner := listen(t, "tcp")
	l := breakerio.Listener(drain, inner, breakerio.WithConns(cut))
	client, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	server, err := l.Accept()
	require.NoError(t, err)
	closeAtEnd(t, client, server)
	read := start(func() (int, error) { return server.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	drain.Trip(errWhy)
	awaitBlocked(t, 1)
	cut.Close()
	assertInterrupted(t, cut, await(t, read).err)
}

func TestListener_BadInput(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	inner := listen(t, "tcp")
	assert.PanicsWithValue(t, "breakerio: Listener: the breaker is nil", func() { breakerio.Listener(nil, inner) })
	assert.PanicsWithValue(t, "breakerio: Listener: the listener is nil", func() { breakerio.Listener(br, nil) })
	assert.PanicsWithValue(t, "breakerio: Listener: an option is nil", func() { breakerio.Listener(br, inner, nil) })
	assert.PanicsWithValue(t, "breakerio: WithConns: the breaker is nil", func() { breakerio.WithConns(nil) })
}
