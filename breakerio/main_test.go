package breakerio_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// asChild names the program that the test binary runs instead of the tests.
const asChild = "BREAKERIO_TEST_CHILD"

var children = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(asChild); name != "" {
		limit := patience
		if name == "peer" { // it ends with its input, after all of a long test
			limit *= 20
		}
		time.AfterFunc(limit, func() {
			fmt.Println("hung")
			os.Exit(1)
		})
		children[name]()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what never comes; nothing is expected to take it.
const patience = 30 * time.Second

// errWhy is a cause as users have them.
var errWhy = fmt.Errorf("the license has expired")

// outcome is what an operation has returned.
type outcome struct {
	n   int64
	err error
}

// start runs an operation on a goroutine of its own.
func start[N int | int64](f func() (N, error)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() { done <- inFlight(func() outcome { n, err := f(); return outcome{int64(n), err} }) }()
	return done
}

//go:noinline
func inFlight(f func() outcome) outcome { return f() }

// inWait are the states of a goroutine that waits for I/O, for net.Pipe, or in a system call.
var inWait = regexp.MustCompile(`^goroutine \d+[^\[]*\[(IO wait|select|syscall|chan)`)

// awaitBlocked waits until so many of the operations that start has begun are blocked.
func awaitBlocked(t testing.TB, operations int) {
	t.Helper()
	awaitThat(t, func() bool {
		blocked := 0
		for _, trace := range stacks() {
			if strings.Contains(trace, "breakerio_test.inFlight") && inWait.MatchString(trace) {
				blocked++
			}
		}
		return blocked == operations
	}, "an operation that blocks")
}

func stacks() []string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(string(buf[:n]), "\n\n")
		}
	}
}

// ownGoroutines returns how many goroutines the package has started.
func ownGoroutines() (n int) {
	for _, trace := range stacks() {
		if strings.Contains(trace, "created by github.com/kamilsk/breaker/breakerio.") ||
			strings.Contains(trace, "created by github.com/kamilsk/breaker.") {
			n++
		}
	}
	return n
}

// awaitNoGoroutine fails if the package has a goroutine that doesn't end. One of an earlier test
// may just be ending.
func awaitNoGoroutine(t testing.TB) {
	t.Helper()
	awaitThat(t, func() bool { return ownGoroutines() == 0 }, "the end of the goroutines")
}

// awaitThat yields until the condition holds. The limit is no expectation: it turns a hang into a
// failure.
func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(begin) > patience {
			require.FailNow(t, "it never came: "+what)
		}
	}
}

// await returns what an operation has returned.
func await(t testing.TB, done <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-done:
		return o
	case <-time.After(patience):
		require.FailNow(t, "it never returned")
		return outcome{}
	}
}

// assertInterrupted checks all that is promised of the error of an operation that the trip has
// ended.
func assertInterrupted(t testing.TB, br *breaker.Breaker, err error) {
	t.Helper()
	require.Error(t, err)
	assert.ErrorIs(t, err, br.Cause())
	assert.ErrorIs(t, err, breaker.Interrupted)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Equal(t, os.IsTimeout(br.Cause()), os.IsTimeout(err), "%v", err)
}

// counted counts the registrations that have not been given back.
type counted struct {
	*breaker.Breaker
	live int
}

func (c *counted) OnTrip(f func()) func() bool {
	stop := c.Breaker.OnTrip(f)
	c.live++
	return func() bool {
		c.live--
		return stop()
	}
}

// transport makes two ends of a connection, the near one bound to the breaker.
type transport struct {
	name string
	dial func(t testing.TB, br breaker.Interface) (near, far net.Conn)
}

var transports = []transport{
	{"tcp", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = dial(t, "tcp")
		return breakerio.Conn(br, near), far
	}},
	{"unix", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = dial(t, "unix")
		return breakerio.Conn(br, near), far
	}},
	{"net.Pipe", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = net.Pipe()
		closeAtEnd(t, near, far)
		return breakerio.Conn(br, near), far
	}},
	{"under TLS", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = dial(t, "tcp")
		return handshake(t, breakerio.Conn(br, near), far)
	}},
	{"over TLS", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = dial(t, "tcp")
		near, far = handshake(t, near, far)
		return breakerio.Conn(br, near), far
	}},
	{"twice", func(t testing.TB, br breaker.Interface) (near, far net.Conn) {
		near, far = dial(t, "tcp")
		other := breaker.New()
		t.Cleanup(other.Close)
		return breakerio.Conn(br, breakerio.Conn(other, near)), far
	}},
}

// listen returns a listener that is closed with the test.
func listen(t testing.TB, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		// Shorter than t.TempDir, as the path of a socket has to be.
		dir, err := os.MkdirTemp("", "io")
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// dial returns both ends of a real connection.
func dial(t testing.TB, network string) (near, far net.Conn) {
	t.Helper()
	l := listen(t, network)
	near, err := net.Dial(network, l.Addr().String())
	require.NoError(t, err)
	far, err = l.Accept()
	require.NoError(t, err)
	closeAtEnd(t, near, far)
	return near, far
}

func closeAtEnd(t testing.TB, all ...io.Closer) {
	t.Cleanup(func() {
		for _, c := range all {
			_ = c.Close()
		}
	})
}

// certificates are those that httptest has built in.
var certificates = sync.OnceValue(func() []tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates
})

// handshake makes the connection one of TLS.
func handshake(t testing.TB, near, far net.Conn) (*tls.Conn, *tls.Conn) {
	t.Helper()
	server := tls.Server(far, &tls.Config{Certificates: certificates()})
	// It is about blocking, and not about trust.
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	done := start(func() (int, error) { return 0, server.Handshake() })
	require.NoError(t, client.Handshake())
	require.NoError(t, await(t, done).err)
	return client, server
}

func handshakeless(conn net.Conn) *tls.Conn {
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
}
