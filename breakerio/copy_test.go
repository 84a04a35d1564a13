package breakerio_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// All pairs of what can be copied between: everything arrives, and no registration is left.
func TestCopy(t *testing.T) {
	// 2.5 MB: more than one piece, and not a whole number of them.
	content := bytes.Repeat([]byte("0123456789"), 250_000)
	path := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(path, content, 0o600))

	feed := func(w io.WriteCloser) {
		done := start(func() (int, error) {
			n, err := w.Write(content)
			_ = w.Close()
			return n, err
		})
		t.Cleanup(func() { assert.NoError(t, await(t, done).err) })
	}
	sources := map[string]func() io.Reader{
		"memory":      func() io.Reader { return bytes.NewReader(content) },
		"only Read":   func() io.Reader { return onlyReader{bytes.NewReader(content)} },
		"file":        func() io.Reader { f, err := os.Open(path); require.NoError(t, err); closeAtEnd(t, f); return f },
		"pipe":        func() io.Reader { r, w, err := os.Pipe(); require.NoError(t, err); feed(w); closeAtEnd(t, r); return r },
		"tcp":         func() io.Reader { near, far := dial(t, "tcp"); feed(far); return near },
		"unix":        func() io.Reader { near, far := dial(t, "unix"); feed(far); return near },
		"net.Pipe":    func() io.Reader { near, far := net.Pipe(); feed(far); return near },
		"Conn of tcp": func() io.Reader { near, far := dial(t, "tcp"); feed(far); return breakerio.Conn(forever, near) },
	}
	sinks := map[string]func() (w io.Writer, got func() []byte){
		"memory":     func() (io.Writer, func() []byte) { b := new(bytes.Buffer); return b, b.Bytes },
		"only Write": func() (io.Writer, func() []byte) { b := new(bytes.Buffer); return onlyWriter{b}, b.Bytes },
		"file": func() (io.Writer, func() []byte) {
			f, err := os.Create(filepath.Join(t.TempDir(), "sink"))
			require.NoError(t, err)
			closeAtEnd(t, f)
			return f, func() []byte { b, err := os.ReadFile(f.Name()); require.NoError(t, err); return b }
		},
		"tcp": func() (io.Writer, func() []byte) { near, far := dial(t, "tcp"); return near, drain(t, near, far) },
		"Conn of tcp": func() (io.Writer, func() []byte) {
			near, far := dial(t, "tcp")
			return breakerio.Conn(forever, near), drain(t, near, far)
		},
		"pipe": func() (io.Writer, func() []byte) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			return w, drain(t, w, r)
		},
	}
	for from, source := range sources {
		for to, sink := range sinks {
			t.Run(from+" to "+to, func(t *testing.T) {
				br := &counted{Breaker: breaker.New()}
				defer br.Close()
				w, got := sink()
				n, err := breakerio.Copy(br, w, source())
				require.NoError(t, err)
				assert.EqualValues(t, len(content), n)
				assert.True(t, bytes.Equal(content, got()))
				assert.Zero(t, br.live)
			})
		}
	}
}

// forever is open as long as the tests run.
var forever = breaker.New()

// drain reads what arrives at far until near is closed, and returns a function that closes near and
// returns what came.
func drain(t *testing.T, near io.Closer, far io.Reader) func() []byte {
	got := new(bytes.Buffer)
	done := start(func() (int64, error) { return io.Copy(got, far) })
	return func() []byte {
		require.NoError(t, near.Close())
		require.NoError(t, await(t, done).err)
		return got.Bytes()
	}
}

// A Read that is blocked ends, whether the kernel copies or not.
func TestCopy_BlockedRead(t *testing.T) {
	for _, sink := range []string{"memory", "tcp", "file", "only Write"} {
		for _, source := range []string{"tcp", "unix", "pipe", "net.Pipe"} {
			t.Run(source+" to "+sink, func(t *testing.T) {
				br := breaker.New()
				r, feed := openSource(t, source)
				w := map[string]func() io.Writer{
					"memory":     func() io.Writer { return new(bytes.Buffer) },
					"only Write": func() io.Writer { return onlyWriter{io.Discard} },
					"tcp":        func() io.Writer { near, _ := dial(t, "tcp"); return near },
					"file": func() io.Writer {
						f, err := os.Create(filepath.Join(t.TempDir(), "sink"))
						require.NoError(t, err)
						closeAtEnd(t, f)
						return f
					},
				}[sink]()
				copied := start(func() (int64, error) { return breakerio.Copy(br, w, r) })
				_, err := feed.Write([]byte("some"))
				require.NoError(t, err)
				awaitBlocked(t, 1)
				br.Trip(errWhy)
				o := await(t, copied)
				assertInterrupted(t, br, o.err)
				assert.LessOrEqual(t, o.n, int64(4))
				_, err = breakerio.Copy(br, w, r)
				assertInterrupted(t, br, err)
			})
		}
	}
}

func openSource(t *testing.T, name string) (io.Reader, io.Writer) {
	t.Helper()
	switch name {
	case "pipe":
		r, w, err := os.Pipe()
		require.NoError(t, err)
		closeAtEnd(t, r, w)
		return r, w
	case "net.Pipe":
		r, w := net.Pipe()
		closeAtEnd(t, r, w)
		return r, w
	default:
		r, w := dial(t, name)
		return r, w
	}
}

// A Write that is blocked ends, and n says how much arrived at most.
func TestCopy_BlockedWrite(t *testing.T) {
	for _, sink := range []string{"tcp", "unix", "pipe", "net.Pipe"} {
		t.Run(sink, func(t *testing.T) {
			br := breaker.New()
			near, far := openSource(t, sink)
			if sink == "pipe" {
				// The writing end is the near one here.
				near, far = far.(io.Reader), near.(io.Writer)
			}
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, make([]byte, 64<<20), 0o600))
			f, err := os.Open(path)
			require.NoError(t, err)
			closeAtEnd(t, f)
			copied := start(func() (int64, error) { return breakerio.Copy(br, near.(io.Writer), f) })
			_, err = io.ReadFull(far.(io.Reader), make([]byte, 1000))
			require.NoError(t, err)
			awaitBlocked(t, 1)
			br.Trip(errWhy)
			o := await(t, copied)
			assertInterrupted(t, br, o.err)
			assert.Less(t, o.n, int64(64<<20))
		})
	}
}

// Between chunks it stops even if nothing can be woken, and what was read is written.
type trippingReader struct {
	br    *breaker.Breaker
	reads int
}

func (r *trippingReader) Read(p []byte) (int, error) {
	if r.reads++; r.reads == 3 {
		r.br.Trip(errWhy)
	}
	return len(p), nil
}

func TestCopy_BetweenChunks(t *testing.T) {
	br := breaker.New()
	r := &trippingReader{br: br}
	got := new(bytes.Buffer)
	n, err := breakerio.Copy(br, onlyWriter{got}, r)
	assertInterrupted(t, br, err)
	assert.Equal(t, 3, r.reads)
	assert.EqualValues(t, got.Len(), n)
	assert.EqualValues(t, 3*32<<10, n)
}

// From disk to disk nothing blocks, and the kernel copies piece by piece.
type trippingFile struct {
	*os.File
	br *breaker.Breaker
}

func (f trippingFile) ReadFrom(r io.Reader) (int64, error) {
	f.br.Trip(errWhy)
	return f.File.ReadFrom(r)
}

func TestCopy_BetweenPieces(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), make([]byte, 3<<20), 0o600))
	a, err := os.Open(filepath.Join(dir, "a"))
	require.NoError(t, err)
	b, err := os.Create(filepath.Join(dir, "b"))
	require.NoError(t, err)
	closeAtEnd(t, a, b)
	br := breaker.New()
	n, err := breakerio.Copy(br, trippingFile{b, br}, a)
	assertInterrupted(t, br, err)
	assert.EqualValues(t, 1<<20, n)
}

// The connections are as they were after a copy without a trip, and a trip at the last moment is
// reported, because they aren't then.
func TestCopy_Afterwards(t *testing.T) {
	for range 1_000 {
		br := breaker.New()
		near, far := net.Pipe()
		feeding := start(func() (int, error) { _, _ = far.Write([]byte("x")); return 0, far.Close() })
		tripping := start(func() (int, error) { br.Trip(errWhy); return 0, nil })
		sink, other := net.Pipe()
		draining := start(func() (int64, error) { return io.Copy(io.Discard, other) })
		_, err := breakerio.Copy(br, sink, near)
		await(t, tripping)
		if err == nil {
			_, err := sink.Write([]byte("y"))
			require.NoError(t, err, "the trip has reached a connection that it doesn't own any more")
		} else {
			assertInterrupted(t, br, err)
		}
		require.NoError(t, near.Close())
		require.NoError(t, sink.Close())
		await(t, feeding)
		await(t, draining)
	}
}

func TestCopy_Errors(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	_, err := breakerio.Copy(br, io.Discard, failure{})
	assert.ErrorIs(t, err, errFailure)
	_, err = breakerio.Copy(br, lazyWriter{}, strings.NewReader("x"))
	assert.ErrorIs(t, err, io.ErrShortWrite)
	near, far := dial(t, "tcp")
	require.NoError(t, far.Close())
	require.NoError(t, near.SetReadDeadline(time.Time{}))
	n, err := breakerio.Copy(br, io.Discard, near)
	assert.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, near.Close())
	_, err = breakerio.Copy(br, near, strings.NewReader("x"))
	assert.ErrorIs(t, err, net.ErrClosed)
}
