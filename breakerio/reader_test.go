package breakerio_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// onlyReader and onlyWriter have no deadlines.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestReader(t *testing.T) {
	piped := func() (io.Reader, io.Writer) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		closeAtEnd(t, r, w)
		return r, w
	}
	for _, tt := range []struct {
		name string
		open func() (io.Reader, io.Writer)
		how  []breakerio.Option
	}{
		{"os.Pipe", piped, nil},
		{"net.Pipe", func() (io.Reader, io.Writer) { a, b := net.Pipe(); closeAtEnd(t, a, b); return a, b }, nil},
		{"tcp", func() (io.Reader, io.Writer) { a, b := dial(t, "tcp"); return a, b }, nil},
		{"goroutine", func() (io.Reader, io.Writer) { r, w := io.Pipe(); closeAtEnd(t, r, w); return r, w },
			[]breakerio.Option{breakerio.WithGoroutine()}},
		{"needless goroutine", piped, []breakerio.Option{breakerio.WithGoroutine()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			br := breaker.New()
			r, w := tt.open()
			bound, err := breakerio.Reader(br, r, tt.how...)
			require.NoError(t, err)
			wrote := start(func() (int, error) { return w.Write([]byte("abc")) })
			got := make([]byte, 10)
			n, err := bound.Read(got)
			require.NoError(t, err)
			assert.Equal(t, "abc", string(got[:n]))
			require.NoError(t, await(t, wrote).err)

			read := start(func() (int, error) { return bound.Read(got) })
			awaitBlocked(t, 1)
			if tt.name != "goroutine" {
				awaitNoGoroutine(t)
			}
			br.Trip(errWhy)
			assertInterrupted(t, br, await(t, read).err)
			_, err = bound.Read(got)
			assertInterrupted(t, br, err)
			require.NoError(t, bound.Close())
			require.NoError(t, bound.Close())
			_, err = bound.Read(got)
			assert.ErrorIs(t, err, os.ErrClosed)
			if c, ok := r.(io.Closer); ok {
				// It wasn't closed, and a goroutine that reads from it ends now.
				require.NoError(t, c.Close())
			}
		})
	}
}

func TestReader_PathError(t *testing.T) {
	br := breaker.New()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	closeAtEnd(t, r, w)
	bound, err := breakerio.Reader(br, r)
	require.NoError(t, err)
	read := start(func() (int, error) { return bound.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	for _, err := range []error{await(t, read).err, func() error { _, err := bound.Read(nil); return err }()} {
		var at *fs.PathError
		require.ErrorAs(t, err, &at)
		assert.Equal(t, []string{"read", r.Name()}, []string{at.Op, at.Path})
		assertInterrupted(t, br, err)
	}
	require.NoError(t, bound.Close())
}

// The deadlines of a pipe go on working, and can't undo the trip.
func TestReader_Deadline(t *testing.T) {
	br := breaker.New()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	closeAtEnd(t, r, w)
	require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Millisecond)))
	bound, err := breakerio.Reader(br, r)
	require.NoError(t, err)
	_, err = bound.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	d := bound.(interface{ SetReadDeadline(time.Time) error })
	require.NoError(t, d.SetReadDeadline(time.Time{}))
	read := start(func() (int, error) { return bound.Read(make([]byte, 1)) })
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	assertInterrupted(t, br, await(t, read).err)
	require.NoError(t, d.SetReadDeadline(time.Time{}))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, bound.Close())
}

func TestReader_Writer(t *testing.T) {
	for _, tt := range []struct {
		name string
		open func() (io.Reader, io.Writer)
		how  []breakerio.Option
	}{
		{"os.Pipe", func() (io.Reader, io.Writer) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			closeAtEnd(t, r, w)
			return r, w
		}, nil},
		{"net.Pipe", func() (io.Reader, io.Writer) { a, b := net.Pipe(); closeAtEnd(t, a, b); return a, b }, nil},
		{"unix", func() (io.Reader, io.Writer) { a, b := dial(t, "unix"); return a, b }, nil},
		{"goroutine", func() (io.Reader, io.Writer) { r, w := io.Pipe(); closeAtEnd(t, r, w); return r, w },
			[]breakerio.Option{breakerio.WithGoroutine()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			br := breaker.New()
			r, w := tt.open()
			bound, err := breakerio.Writer(br, w, tt.how...)
			require.NoError(t, err)
			write := start(func() (int, error) { return bound.Write(make([]byte, 16<<20)) })
			_, err = io.ReadFull(r, make([]byte, 100_000))
			require.NoError(t, err)
			awaitBlocked(t, 1)
			br.Trip(errWhy)
			o := await(t, write)
			assertInterrupted(t, br, o.err)
			// With a goroutine, what is under way doesn't count.
			assert.GreaterOrEqual(t, o.n, int64(100_000-32<<10))
			assert.Less(t, o.n, int64(16<<20))
			_, err = bound.Write([]byte("x"))
			assertInterrupted(t, br, err)
			require.NoError(t, bound.Close())
			_, err = bound.Write([]byte("x"))
			assert.ErrorIs(t, err, os.ErrClosed)
			require.NoError(t, w.(io.Closer).Close())
		})
	}
}

func TestWriter_Deadline(t *testing.T) {
	br := breaker.New()
	a, b := net.Pipe()
	closeAtEnd(t, a, b)
	bound, err := breakerio.Writer(br, a)
	require.NoError(t, err)
	d := bound.(interface{ SetWriteDeadline(time.Time) error })
	require.NoError(t, d.SetWriteDeadline(time.Now().Add(time.Millisecond)))
	_, err = bound.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	br.Trip(errWhy)
	require.NoError(t, d.SetWriteDeadline(time.Time{}))
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, bound.Close())
}

// What never blocks is taken, and only asks the breaker.
func TestReader_NeverBlocks(t *testing.T) {
	path := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(path, []byte("xx"), 0o600))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	closeAtEnd(t, file)
	for _, r := range []io.Reader{bytes.NewReader([]byte("xx")), strings.NewReader("xx"), bytes.NewBufferString("xx"), file} {
		br := &counted{Breaker: breaker.New()}
		bound, err := breakerio.Reader(br, r)
		require.NoError(t, err)
		n, err := bound.Read(make([]byte, 1))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Zero(t, br.live)
		br.Trip(errWhy)
		_, err = bound.Read(make([]byte, 1))
		assertInterrupted(t, br.Breaker, err)
		require.NoError(t, bound.Close())
	}
	for _, w := range []io.Writer{new(bytes.Buffer), new(strings.Builder), io.Discard, file} {
		br := breaker.New()
		bound, err := breakerio.Writer(br, w)
		require.NoError(t, err)
		n, err := bound.Write([]byte("x"))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		br.Trip(errWhy)
		_, err = bound.Write([]byte("x"))
		assertInterrupted(t, br, err)
		require.NoError(t, bound.Close())
	}
}

func TestReader_ErrNotInterruptible(t *testing.T) {
	br := &counted{Breaker: breaker.New()}
	defer br.Close()
	compressed := new(bytes.Buffer)
	z := gzip.NewWriter(compressed)
	require.NoError(t, z.Close())
	unzip, err := gzip.NewReader(compressed)
	require.NoError(t, err)
	in, out := io.Pipe()
	for _, r := range []io.Reader{bufio.NewReader(os.Stdin), unzip, in, onlyReader{strings.NewReader("")}} {
		_, err := breakerio.Reader(br, r)
		assert.ErrorIs(t, err, breakerio.ErrNotInterruptible, "%T", r)
		_, err = breakerio.Reader(br, r, breakerio.WithGoroutine())
		assert.NoError(t, err)
	}
	for _, w := range []io.Writer{bufio.NewWriter(os.Stdout), z, out, onlyWriter{io.Discard}} {
		_, err := breakerio.Writer(br, w)
		assert.ErrorIs(t, err, breakerio.ErrNotInterruptible, "%T", w)
		_, err = breakerio.Writer(br, w, breakerio.WithGoroutine())
		assert.NoError(t, err)
	}
	assert.Zero(t, br.live)
	awaitNoGoroutine(t)
}

// An error that isn't about interruption is reported as it is, WithGoroutine or not.
func TestReader_ClosedFile(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	_, err = breakerio.Reader(br, r, breakerio.WithGoroutine())
	assert.ErrorIs(t, err, os.ErrClosed)
	_, err = breakerio.Writer(br, w)
	assert.ErrorIs(t, err, os.ErrClosed)
}

// The goroutine of a Read outlives the trip, as documented, and ends with the operation.
func TestWithGoroutine_Outlives(t *testing.T) {
	awaitNoGoroutine(t)
	br := breaker.New()
	in, out := io.Pipe()
	reading := make(chan struct{})
	bound, err := breakerio.Reader(br, readerFunc(func(p []byte) (int, error) {
		close(reading)
		return in.Read(p)
	}), breakerio.WithGoroutine())
	require.NoError(t, err)
	p := []byte("untouched")
	read := start(func() (int, error) { return bound.Read(p) })
	<-reading
	br.Trip(errWhy)
	assertInterrupted(t, br, await(t, read).err)
	require.Equal(t, 1, ownGoroutines())
	late := start(func() (int, error) { return out.Write([]byte("too late")) })
	require.NoError(t, await(t, late).err)
	assert.Equal(t, "untouched", string(p), "written to after Read had returned")
	awaitNoGoroutine(t)
}

// Concurrent reads take turns, nothing is lost, and all of them end.
func TestWithGoroutine_Concurrent(t *testing.T) {
	br := breaker.New()
	in, out := io.Pipe()
	bound, err := breakerio.Reader(br, in, breakerio.WithGoroutine())
	require.NoError(t, err)
	var mu sync.Mutex
	got := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p := make([]byte, 3)
			for {
				n, err := bound.Read(p)
				mu.Lock()
				got += n
				mu.Unlock()
				if err != nil {
					assertInterrupted(t, br, err)
					return
				}
			}
		})
	}
	for range 100 {
		_, err := out.Write([]byte("abcdefgh"))
		require.NoError(t, err)
	}
	awaitThat(t, func() bool { mu.Lock(); defer mu.Unlock(); return got == 800 }, "all of it")
	br.Trip(errWhy)
	wg.Wait()
	require.NoError(t, in.Close())
}

// A writer that takes less than it is given and says nothing doesn't make Write loop.
type lazyWriter struct{}

func (lazyWriter) Write([]byte) (int, error) { return 0, nil }

func TestWithGoroutine_ShortWrite(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	bound, err := breakerio.Writer(br, lazyWriter{}, breakerio.WithGoroutine())
	require.NoError(t, err)
	_, err = bound.Write([]byte("x"))
	assert.ErrorIs(t, err, io.ErrShortWrite)
	n, err := bound.Write(nil)
	assert.Zero(t, n)
	assert.NoError(t, err)
	failing, err := breakerio.Reader(br, io.MultiReader(strings.NewReader("x"), onlyReader{failure{}}), breakerio.WithGoroutine())
	require.NoError(t, err)
	_, err = io.ReadAll(failing)
	assert.ErrorIs(t, err, errFailure)
}

var errFailure = errors.New("it is broken")

type failure struct{}

func (failure) Read([]byte) (int, error) { return 0, errFailure }

func TestReader_BadInput(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	r, w := strings.NewReader(""), io.Discard
	assert.PanicsWithValue(t, "breakerio: Reader: the breaker is nil", func() { _, _ = breakerio.Reader(nil, r) })
	assert.PanicsWithValue(t, "breakerio: Reader: the reader is nil", func() { _, _ = breakerio.Reader(br, nil) })
	assert.PanicsWithValue(t, "breakerio: Reader: an option is nil", func() { _, _ = breakerio.Reader(br, r, nil) })
	assert.PanicsWithValue(t, "breakerio: Writer: the breaker is nil", func() { _, _ = breakerio.Writer(nil, w) })
	assert.PanicsWithValue(t, "breakerio: Writer: the writer is nil", func() { _, _ = breakerio.Writer(br, nil) })
	assert.PanicsWithValue(t, "breakerio: Writer: an option is nil", func() { _, _ = breakerio.Writer(br, w, nil) })
	assert.PanicsWithValue(t, "breakerio: Stdin: the breaker is nil", func() { _, _ = breakerio.Stdin(nil) })
	assert.PanicsWithValue(t, "breakerio: Copy: the breaker is nil", func() { _, _ = breakerio.Copy(nil, w, r) })
	assert.PanicsWithValue(t, "breakerio: Copy: the writer is nil", func() { _, _ = breakerio.Copy(br, nil, r) })
	assert.PanicsWithValue(t, "breakerio: Copy: the reader is nil", func() { _, _ = breakerio.Copy(br, w, nil) })
}
