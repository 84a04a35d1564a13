package breakerio_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// openPTY returns both sides of a new pseudo-terminal, the terminal's side in blocking mode, as a
// shell hands it on.
func openPTY(t testing.TB) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	var number, unlock int32
	ioctl(t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	ioctl(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	terminal = openBlocking(t, "/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY)
	closeAtEnd(t, terminal, master)
	return master, terminal
}

func ioctl(t testing.TB, f *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument))
		require.Zero(t, errno)
	}))
}

// openBlocking opens a file as another process would have, and takes it over as os.Stdin is.
func openBlocking(t testing.TB, path string, flags int) *os.File {
	t.Helper()
	fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	return os.NewFile(uintptr(fd), path)
}

// pipeBlocking returns a pipe both ends of which are in blocking mode.
func pipeBlocking(t testing.TB) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	require.NoError(t, syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	r, w = os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1")
	closeAtEnd(t, r, w)
	return r, w
}

// settings are what other processes would notice: the flags of the description, and the mode of the
// line.
func settings(t testing.TB, f *os.File) (flags uintptr, line syscall.Termios) {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		flags, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TCGETS, uintptr(unsafe.Pointer(&line)))
	}))
	return flags, line
}

// asStdin makes a file the standard input.
func asStdin(t testing.TB, f *os.File) {
	previous := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = previous })
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// socketPair returns a socket in blocking mode, as inetd hands it on, and its peer.
func socketPair(t testing.TB) (near, far *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	near, far = os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	closeAtEnd(t, near, far)
	return near, far
}

// Whatever the standard input is: a Read returns what there is, one that is blocked ends, os.Stdin
// is as it was and goes on with what comes next, and nothing is left open.
func TestStdin(t *testing.T) {
	inputs := map[string]func() (in, feed *os.File){
		"terminal": func() (*os.File, *os.File) { master, terminal := openPTY(t); return terminal, master },
		"pipe":     func() (*os.File, *os.File) { return pipeBlocking(t) },
		"socket":   func() (*os.File, *os.File) { return socketPair(t) },
		"non-blocking pipe": func() (*os.File, *os.File) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			closeAtEnd(t, r, w)
			return r, w
		},
		"FIFO": func() (*os.File, *os.File) {
			path := filepath.Join(t.TempDir(), "fifo")
			require.NoError(t, syscall.Mkfifo(path, 0o600))
			w := openBlocking(t, path, os.O_RDWR)
			r := openBlocking(t, path, os.O_RDONLY)
			closeAtEnd(t, r, w)
			return r, w
		},
		// The master can't be opened anew: that would make another pair.
		"master of a pty": func() (*os.File, *os.File) {
			master, terminal := openPTY(t)
			_ = master.Fd() // puts it into blocking mode, as creack/pty does
			return master, terminal
		},
		"pipe after Fd": func() (*os.File, *os.File) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			_ = r.Fd()
			closeAtEnd(t, r, w)
			return r, w
		},
	}
	for name, open := range inputs {
		t.Run(name, func(t *testing.T) {
			in, feed := open()
			asStdin(t, in)
			flags, line := settings(t, in)
			before := descriptors(t)
			for range 20 {
				br := breaker.New()
				stdin, err := breakerio.Stdin(br)
				require.NoError(t, err)
				lines := bufio.NewReader(stdin)

				_, err = feed.WriteString("one\n")
				require.NoError(t, err)
				got, err := lines.ReadString('\n')
				require.NoError(t, err)
				assert.Equal(t, "one", strings.TrimSpace(got))

				read := start(func() (int, error) { return stdin.Read(make([]byte, 1)) })
				awaitBlocked(t, 1)
				awaitNoGoroutine(t)
				br.Trip(errWhy)
				assertInterrupted(t, br, await(t, read).err)
				_, err = stdin.Read(make([]byte, 1))
				assertInterrupted(t, br, err)
				require.NoError(t, stdin.Close())

				// No goroutine has stayed behind that would take this.
				_, err = feed.WriteString("two\n")
				require.NoError(t, err)
				p := make([]byte, 10)
				n, err := in.Read(p)
				require.NoError(t, err)
				assert.Equal(t, "two", strings.TrimSpace(string(p[:n])))
				if name == "terminal" { // it echoes
					_, err = io.ReadFull(feed, make([]byte, len("one\r\ntwo\r\n")))
					require.NoError(t, err)
				}
			}
			// Those of earlier tests may have been closed.
			assert.LessOrEqual(t, descriptors(t), before)
			flagsAfter, lineAfter := settings(t, in)
			assert.Equal(t, flags, flagsAfter)
			assert.Equal(t, line, lineAfter)
		})
	}
}

// Files and devices that never block are read to their end, or until the trip.
func TestStdin_NeverBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("line\n"), 0o600))
	for path, want := range map[string]string{path: "line\n", os.DevNull: ""} {
		t.Run(path, func(t *testing.T) {
			in := openBlocking(t, path, os.O_RDONLY)
			closeAtEnd(t, in)
			asStdin(t, in)
			before := descriptors(t)
			br := breaker.New()
			stdin, err := breakerio.Stdin(br)
			require.NoError(t, err)
			got, err := io.ReadAll(stdin)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
			br.Trip(errWhy)
			_, err = stdin.Read(make([]byte, 1))
			assertInterrupted(t, br, err)
			require.NoError(t, stdin.Close())
			// Those of earlier tests may have been closed.
			assert.LessOrEqual(t, descriptors(t), before)
		})
	}
}

// Of the zero device there is no end, but for the trip.
func TestStdin_Endless(t *testing.T) {
	in := openBlocking(t, "/dev/zero", os.O_RDONLY)
	closeAtEnd(t, in)
	asStdin(t, in)
	br := breaker.New()
	stdin, err := breakerio.Stdin(br)
	require.NoError(t, err)
	n, err := breakerio.Copy(br, writerFunc(func(p []byte) (int, error) {
		br.Trip(errWhy)
		return len(p), nil
	}), stdin)
	assertInterrupted(t, br, err)
	assert.Positive(t, n)
	require.NoError(t, stdin.Close())
}

// The other end's hanging up is the end of the file, as without us.
func TestStdin_EOF(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	for _, open := range []func() (*os.File, *os.File){
		func() (*os.File, *os.File) { return pipeBlocking(t) },
		func() (*os.File, *os.File) { return socketPair(t) },
	} {
		in, feed := open()
		asStdin(t, in)
		stdin, err := breakerio.Stdin(br)
		require.NoError(t, err)
		read := start(func() (int, error) { return stdin.Read(make([]byte, 1)) })
		awaitBlocked(t, 1)
		require.NoError(t, feed.Close())
		assert.Equal(t, io.EOF, await(t, read).err)
		require.NoError(t, stdin.Close())
	}
}

// Close ends a Read that waits in a system call, too: the descriptors that it waits for must not be
// reused meanwhile.
func TestStdin_CloseWhileBlocked(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	for _, open := range []func() (*os.File, *os.File){
		func() (*os.File, *os.File) { return pipeBlocking(t) },
		func() (*os.File, *os.File) { return socketPair(t) },
	} {
		in, _ := open()
		asStdin(t, in)
		stdin, err := breakerio.Stdin(br)
		require.NoError(t, err)
		read := start(func() (int, error) { return stdin.Read(make([]byte, 1)) })
		awaitBlocked(t, 1)
		require.NoError(t, stdin.Close())
		assert.ErrorIs(t, await(t, read).err, os.ErrClosed)
	}
}

// The trip, Close and Read at the same time, for each way of waiting.
func TestStdin_Races(t *testing.T) {
	for _, open := range []func() (*os.File, *os.File){
		func() (*os.File, *os.File) { return pipeBlocking(t) },
		func() (*os.File, *os.File) { return socketPair(t) },
		func() (*os.File, *os.File) { master, terminal := openPTY(t); return terminal, master },
	} {
		in, _ := open()
		asStdin(t, in)
		for range 1_000 {
			br := breaker.New()
			stdin, err := breakerio.Stdin(br)
			require.NoError(t, err)
			read := start(func() (int, error) { return stdin.Read(make([]byte, 1)) })
			tripping := start(func() (int, error) { br.Trip(errWhy); return 0, nil })
			require.NoError(t, stdin.Close())
			await(t, tripping)
			err = await(t, read).err
			require.True(t, errors.Is(err, os.ErrClosed) || errors.Is(err, errWhy), "%v", err)
		}
	}
}

// A closed standard input is an error of its own.
func TestStdin_Closed(t *testing.T) {
	in, _ := pipeBlocking(t)
	require.NoError(t, in.Close())
	asStdin(t, in)
	br := breaker.New()
	defer br.Close()
	_, err := breakerio.Stdin(br)
	assert.ErrorIs(t, err, os.ErrClosed)
	assert.NotErrorIs(t, err, breakerio.ErrNotInterruptible)
}

// Reader and Writer take blocking files as well.
func TestWriter_Blocking(t *testing.T) {
	for name, open := range map[string]func() (r, w *os.File){
		"pipe": func() (r, w *os.File) { return pipeBlocking(t) },
		"terminal": func() (r, w *os.File) {
			master, terminal := openPTY(t)
			return master, terminal
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := open()
			flags, line := settings(t, w)
			br := breaker.New()
			bound, err := breakerio.Writer(br, w)
			require.NoError(t, err)
			write := start(func() (int, error) { return bound.Write([]byte(strings.Repeat("x", 1<<20))) })
			_, err = io.ReadFull(r, make([]byte, 1000))
			require.NoError(t, err)
			awaitBlocked(t, 1)
			br.Trip(errWhy)
			o := await(t, write)
			assertInterrupted(t, br, o.err)
			assert.GreaterOrEqual(t, o.n, int64(1000))
			require.NoError(t, bound.Close())
			flagsAfter, lineAfter := settings(t, w)
			assert.Equal(t, flags, flagsAfter)
			assert.Equal(t, line, lineAfter)
		})
	}
}

func TestWriter_OtherFiles(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	null := openBlocking(t, os.DevNull, os.O_WRONLY)
	near, _ := socketPair(t)
	closeAtEnd(t, null)
	bound, err := breakerio.Writer(br, null)
	require.NoError(t, err)
	_, err = bound.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, bound.Close())
	_, err = breakerio.Writer(br, near)
	assert.ErrorIs(t, err, breakerio.ErrNotInterruptible)
	bound, err = breakerio.Writer(br, near, breakerio.WithGoroutine())
	require.NoError(t, err)
	n, err := bound.Write([]byte("x"))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	require.NoError(t, bound.Close())
}

// Copy waits for a blocking standard input, too.
func TestCopy_Stdin(t *testing.T) {
	in, feed := socketPair(t)
	br := breaker.New()
	r, w := net.Pipe()
	closeAtEnd(t, r, w)
	before := descriptors(t)
	copied := start(func() (int64, error) { return breakerio.Copy(br, w, in) })
	_, err := feed.WriteString("some")
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 4))
	require.NoError(t, err)
	awaitBlocked(t, 1)
	br.Trip(errWhy)
	o := await(t, copied)
	assertInterrupted(t, br, o.err)
	assert.EqualValues(t, 4, o.n)
	assert.LessOrEqual(t, descriptors(t), before) // those of earlier tests may have been closed
}

// A real process on a real terminal: it says that it waits, is sent SIGTERM, says why it stopped,
// and leaves the terminal as it was.
func TestStdin_Process(t *testing.T) {
	master, terminal := openPTY(t)
	flags, line := settings(t, terminal)
	binary, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(binary)
	child.Env = append(os.Environ(), asChild+"=stdin")
	child.Stdin, child.Stdout, child.Stderr = terminal, terminal, terminal
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, child.Start())
	said := bufio.NewScanner(master)
	next := func() string {
		require.True(t, said.Scan(), "%v", said.Err())
		return strings.TrimSpace(said.Text())
	}
	assert.Equal(t, "waiting", next())
	_, err = master.WriteString("typed\n")
	require.NoError(t, err)
	assert.Equal(t, "typed", next()) // the echo
	assert.Equal(t, `read "typed\n"`, next())
	require.NoError(t, child.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, "stopped: signal received: terminated; goroutines: 0", next())
	require.NoError(t, child.Wait())
	flagsAfter, lineAfter := settings(t, terminal)
	assert.Equal(t, flags, flagsAfter)
	assert.Equal(t, line, lineAfter)
}

func init() {
	children["stdin"] = func() {
		br := breaker.BreakBySignal(syscall.SIGTERM)
		defer br.Close()
		stdin, err := breakerio.Stdin(br)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer stdin.Close()
		fmt.Println("waiting")
		lines := bufio.NewReader(stdin)
		for {
			typed, err := lines.ReadString('\n')
			if errors.Is(err, breaker.Interrupted) {
				own := 0
				for _, trace := range stacks() {
					own += strings.Count(trace, "created by github.com/kamilsk/breaker/breakerio")
				}
				fmt.Printf("stopped: %v; goroutines: %d\n", br.Cause(), own)
				return
			}
			if err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("read %q\n", typed)
		}
	}
}
