//go:build linux

package breakerexec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerexec"
)

var errWhy = errors.New("the owner says so")

// requireStopped checks the error of a command that was stopped, and returns how it has ended.
func requireStopped(t testing.TB, err, cause error) *breakerexec.Error {
	t.Helper()
	var stopped *breakerexec.Error
	require.ErrorAs(t, err, &stopped)
	require.Equal(t, cause, stopped.Cause)
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, err, breaker.Interrupted)
	return stopped
}

// requireKilledBy checks that the error matches the exit error of a command that a signal has
// ended.
func requireKilledBy(t testing.TB, err error, sig syscall.Signal) {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, sig, exit.Sys().(syscall.WaitStatus).Signal(), "it has ended by: %v", exit)
}

func TestProcess_WithoutATripItIsOsExec(t *testing.T) {
	br := breaker.New()
	defer br.Close()

	var out bytes.Buffer
	cmd := program(t, "say:hello exit:0")
	cmd.Stdout = &out
	require.NoError(t, breakerexec.Run(br, cmd, time.Hour))
	require.Contains(t, out.String(), "hello")
	require.Same(t, &out, cmd.Stdout)
	require.Nil(t, cmd.SysProcAttr)
	require.True(t, cmd.ProcessState.Success())

	err := breakerexec.Run(br, program(t, "exit:7"), time.Hour)
	exit, ok := err.(*exec.ExitError)
	require.True(t, ok, "%T", err)
	require.Equal(t, 7, exit.ExitCode())

	require.ErrorIs(t, breakerexec.Run(br, exec.Command("/no/such/file"), 0), os.ErrNotExist)
	require.ErrorIs(t, breakerexec.Run(br, exec.Command("breakerexec-no-such-command"), 0), exec.ErrNotFound)
	require.ErrorContains(t, breakerexec.Run(br, cmd, 0), "already started")

	require.NoError(t, br.Err(), "the breaker is the caller's")
}

func TestProcess_Streams(t *testing.T) {
	br := breaker.New()
	defer br.Close()

	t.Run("input and one writer for both outputs", func(t *testing.T) {
		cmd := exec.Command("sh", "-c", "echo 1; echo 2 >&2; echo 3; cat")
		var out bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("4\n"), &out, &out
		require.NoError(t, breakerexec.Run(br, cmd, 0))
		require.Equal(t, "1\n2\n3\n4\n", out.String())
		require.Same(t, &out, cmd.Stderr)
	})
	t.Run("writers that can't be compared", func(t *testing.T) {
		type writer struct {
			io.Writer
			_ []int
		}
		var out, err bytes.Buffer
		cmd := exec.Command("sh", "-c", "echo 1; echo 2 >&2")
		cmd.Stdout, cmd.Stderr = writer{Writer: &out}, writer{Writer: &err}
		require.NoError(t, breakerexec.Run(br, cmd, 0))
		require.Equal(t, "1\n2\n", out.String()+err.String())
	})
	t.Run("input that the command doesn't read", func(t *testing.T) {
		cmd := exec.Command("true")
		cmd.Stdin = strings.NewReader(strings.Repeat("x", 1<<20))
		require.NoError(t, breakerexec.Run(br, cmd, 0))
	})
	t.Run("an error of the writer", func(t *testing.T) {
		cmd := exec.Command("echo")
		closed, _ := os.Open(os.DevNull)
		_ = closed.Close()
		cmd.Stdout = struct{ io.Writer }{closed}
		require.ErrorIs(t, breakerexec.Run(br, cmd, 0), os.ErrClosed)
	})
	t.Run("pipes of os/exec", func(t *testing.T) {
		cmd := exec.Command("cat")
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		p, err := breakerexec.Start(br, cmd, 0)
		require.NoError(t, err)
		_, _ = io.WriteString(stdin, "through")
		_ = stdin.Close()
		all, err := io.ReadAll(stdout)
		require.NoError(t, err)
		require.Equal(t, "through", string(all))
		require.NoError(t, p.Wait())
	})
	t.Run("WaitDelay", func(t *testing.T) {
		cmd := program(t, "fork( say:holder wait ) exit:0")
		out := newLines()
		cmd.Stdout, cmd.WaitDelay = out, time.Millisecond
		require.ErrorIs(t, breakerexec.Run(br, cmd, 0), exec.ErrWaitDelay)
	})
}

func TestProcess_TheWholeTreeEnds(t *testing.T) {
	t.Run("by SIGTERM", func(t *testing.T) {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "fork( fork( say:c wait ) say:b wait ) say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		pids := out.await(t, 3)
		require.Equal(t, p.Pid(), pids["a"])
		br.Trip(errWhy)
		err = p.Wait()
		requireStopped(t, err, errWhy)
		requireKilledBy(t, err, syscall.SIGTERM)
		requireEnded(t, pids)
	})
	t.Run("by SIGKILL, all deaf", func(t *testing.T) {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "deaf fork( fork( say:c wait ) say:b wait ) say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, 20*time.Millisecond)
		require.NoError(t, err)
		pids := out.await(t, 3)
		begin := time.Now()
		br.Trip(errWhy)
		err = p.Wait()
		require.GreaterOrEqual(t, time.Since(begin), 20*time.Millisecond)
		requireStopped(t, err, errWhy)
		requireKilledBy(t, err, syscall.SIGKILL)
		requireEnded(t, pids)
	})
	t.Run("no grace", func(t *testing.T) {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "polite:0 fork( deaf say:b wait ) say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, 0)
		require.NoError(t, err)
		pids := out.await(t, 2)
		br.Trip(errWhy)
		requireKilledBy(t, p.Wait(), syscall.SIGKILL)
		requireEnded(t, pids)
	})
	t.Run("the command ends, a deaf grandchild doesn't", func(t *testing.T) {
		// It has a grace of its own, although the command, whose number names the group, has ended.
		br := breaker.New()
		out := newLines()
		cmd := program(t, "fork( deaf say:b wait ) say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, 50*time.Millisecond)
		require.NoError(t, err)
		pids := out.await(t, 2)
		begin := time.Now()
		br.Trip(errWhy)
		requireKilledBy(t, p.Wait(), syscall.SIGTERM)
		require.GreaterOrEqual(t, time.Since(begin), 50*time.Millisecond)
		requireEnded(t, pids)
	})
	t.Run("a stopped one", func(t *testing.T) {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "polite:0 say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		out.await(t, 1)
		require.NoError(t, p.Signal(syscall.SIGSTOP))
		br.Trip(errWhy)
		require.NoError(t, requireStopped(t, p.Wait(), errWhy).Exit)
	})
}

func TestProcess_APoliteCommandKeepsItsExitCode(t *testing.T) {
	for _, code := range []string{"0", "7"} {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "polite:"+code+" say:a wait")
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		out.await(t, 1)
		br.Trip(errWhy)
		err = p.Wait()
		stopped := requireStopped(t, err, errWhy)
		if code == "0" {
			require.NoError(t, stopped.Exit)
			require.EqualError(t, err, "breakerexec: stopped: the owner says so")
		} else {
			require.EqualError(t, err, "breakerexec: stopped: the owner says so: exit status 7")
		}
		require.Contains(t, out.String(), "bye")
	}
}

// The command has ended, and what it has left behind in its group holds the pipe: os/exec would
// wait, and has lost the right to signal.
func TestProcess_AHolderInTheGroup(t *testing.T) {
	br := breaker.New()
	out := newLines()
	cmd := program(t, "fork( deaf say:holder wait ) exit:0")
	cmd.Stdout = out
	p, err := breakerexec.Start(br, cmd, time.Millisecond)
	require.NoError(t, err)
	pids := out.await(t, 1)
	waited := make(chan error, 1)
	go func() { waited <- p.Wait() }()
	awaitThat(t, func() bool { return !alive(p.Pid()) }, "the command ends")
	br.Trip(errWhy)
	require.NoError(t, requireStopped(t, <-waited, errWhy).Exit)
	requireEnded(t, pids)
}

func TestProcess_AHolderOutsideOfTheGroup(t *testing.T) {
	br := breaker.New()
	out := newLines()
	cmd := program(t, "session( deaf say:holder wait ) say:a wait")
	never, end := io.Pipe() // a reader like a terminal at which nobody types
	defer func() { _ = end.Close() }()
	cmd.Stdin, cmd.Stdout = never, out
	p, err := breakerexec.Start(br, cmd, time.Hour)
	require.NoError(t, err)
	pids := out.await(t, 2)
	begin := time.Now()
	br.Trip(errWhy)
	err = p.Wait()
	require.Less(t, time.Since(begin), patience/2)
	requireKilledBy(t, err, syscall.SIGTERM)
	require.True(t, alive(pids["holder"]), "it is out of reach")
	require.NoError(t, syscall.Kill(pids["holder"], syscall.SIGKILL))
}

// What the group has written before it was killed is read, although a process outside holds the
// pipe, and the writer is slow.
func TestProcess_NoOutputIsLost(t *testing.T) {
	br := breaker.New()
	begun, goOn := make(chan struct{}), make(chan struct{})
	var out bytes.Buffer
	written := t.TempDir() + "/written"
	cmd := program(t, "session( deaf wait ) flood:60000 touch:"+written+" wait")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		if out.Len() == 0 {
			close(begun)
			<-goOn
		}
		return out.Write(p)
	})
	p, err := breakerexec.Start(br, cmd, time.Hour)
	require.NoError(t, err)
	<-begun
	awaitThat(t, func() bool { _, err := os.Stat(written); return err == nil }, "all is written")
	br.Trip(errWhy)
	awaitThat(t, func() bool { return !alive(p.Pid()) }, "the end")
	close(goOn)
	requireStopped(t, p.Wait(), errWhy)
	require.Equal(t, 60000, out.Len())
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestProcess_ATrippedBreakerStartsNothing(t *testing.T) {
	for name, br := range map[string]breaker.Interface{
		"timeout": breaker.BreakByTimeout(0),
		"view":    breaker.NopCloser(breaker.BreakByTimeout(0)),
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("touch", t.TempDir()+"/started")
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			err = breakerexec.Run(br, cmd, time.Hour)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "breakerexec: not started: ")
			require.NoError(t, requireStopped(t, err, br.Cause()).Exit)
			require.Nil(t, cmd.Process)
			require.NoFileExists(t, cmd.Args[1])
			_, err = stdout.Read(nil)
			require.ErrorIs(t, err, os.ErrClosed, "nothing holds the pipe")
		})
	}
}

func TestProcess_AttributesOfTheCaller(t *testing.T) {
	groupOf := func(t *testing.T, attributes *syscall.SysProcAttr) (p *breakerexec.Process, group int) {
		br := breaker.New()
		out := newLines()
		cmd := program(t, "say:a wait")
		cmd.Stdout, cmd.SysProcAttr = out, attributes
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		require.Same(t, attributes, cmd.SysProcAttr)
		out.await(t, 1)
		group, err = syscall.Getpgid(p.Pid())
		require.NoError(t, err)
		t.Cleanup(func() {
			br.Trip(errWhy)
			requireKilledBy(t, p.Wait(), syscall.SIGTERM)
		})
		return p, group
	}
	for name, attributes := range map[string]*syscall.SysProcAttr{
		"none":                   {},
		"Setsid":                 {Setsid: true},
		"Setpgid":                {Setpgid: true},
		"Pdeathsig, and no flag": {Pdeathsig: syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) {
			before := *attributes
			p, group := groupOf(t, attributes)
			require.Equal(t, p.Pid(), group)
			require.Equal(t, before, *attributes)
		})
	}
	t.Run("another's group", func(t *testing.T) {
		// Only the command is signalled: the group isn't its own.
		leader, group := groupOf(t, nil)
		br := breaker.New()
		out := newLines()
		cmd := program(t, "say:a wait")
		cmd.Stdout, cmd.SysProcAttr = out, &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		out.await(t, 1)
		br.Trip(errWhy)
		requireKilledBy(t, p.Wait(), syscall.SIGTERM)
		require.True(t, alive(leader.Pid()))
	})
}

func TestProcess_ContextOfTheCaller(t *testing.T) {
	t.Run("its end", func(t *testing.T) {
		br := breaker.New()
		defer br.Close()
		ctx, cancel := context.WithCancel(context.Background())
		self := program(t, "deaf say:a wait")
		cmd := exec.CommandContext(ctx, self.Path)
		cmd.Env, cmd.ExtraFiles = self.Env, self.ExtraFiles
		out := newLines()
		cmd.Stdout = out
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 10 * time.Millisecond
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		out.await(t, 1)
		cancel()
		err = p.Wait()
		requireKilledBy(t, err, syscall.SIGKILL)
		require.NotErrorIs(t, err, breaker.Interrupted)
	})
	t.Run("a trip", func(t *testing.T) {
		br := breaker.New()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		self := program(t, "say:a wait")
		cmd := exec.CommandContext(ctx, self.Path)
		cmd.Env, cmd.ExtraFiles = self.Env, self.ExtraFiles
		out := newLines()
		cmd.Stdout = out
		p, err := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, err)
		out.await(t, 1)
		br.Trip(errWhy)
		err = p.Wait()
		requireStopped(t, err, errWhy)
		requireKilledBy(t, err, syscall.SIGTERM)
	})
	t.Run("a Cancel without one", func(t *testing.T) {
		br := breaker.New()
		defer br.Close()
		cmd := exec.Command("true")
		cmd.Cancel = func() error { return nil }
		require.ErrorContains(t, breakerexec.Run(br, cmd, 0), "CommandContext")
	})
}

func TestProcess_BadInput(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	cmd := exec.Command("true")
	for name, call := range map[string]func(){
		"breakerexec: Run: the breaker is nil":      func() { _ = breakerexec.Run(nil, cmd, 0) },
		"breakerexec: Start: the breaker is nil":    func() { _, _ = breakerexec.Start((*breaker.Breaker)(nil), cmd, 0) },
		"breakerexec: Run: the command is nil":      func() { _ = breakerexec.Run(br, nil, 0) },
		"breakerexec: Start: the command is nil":    func() { _, _ = breakerexec.Start(br, nil, 0) },
		"breakerexec: Run: the grace is negative":   func() { _ = breakerexec.Run(br, cmd, -1) },
		"breakerexec: Start: the grace is negative": func() { _, _ = breakerexec.Start(br, cmd, math.MinInt64) },
	} {
		require.PanicsWithValue(t, name, call)
	}
	require.NoError(t, breakerexec.Run(br, cmd, math.MaxInt64), "nothing has changed")
}

func TestProcess_Signal(t *testing.T) {
	br := breaker.New()
	defer br.Close()
	out := newLines()
	cmd := program(t, "fork( say:b wait ) say:a wait")
	cmd.Stdout = out
	p, err := breakerexec.Start(br, cmd, time.Hour)
	require.NoError(t, err)
	pids := out.await(t, 2)
	require.NoError(t, p.Signal(syscall.SIGHUP))
	requireKilledBy(t, p.Wait(), syscall.SIGHUP)
	requireEnded(t, pids)
	require.ErrorIs(t, p.Signal(syscall.SIGHUP), os.ErrProcessDone)
}

// goroutines returns how many there are that this package or os/exec has started.
func goroutines() int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	return bytes.Count(buf, []byte("created by github.com/kamilsk/breaker/breakerexec.(")) + bytes.Count(buf, []byte("created by os/exec."))
}

func TestProcess_Goroutines(t *testing.T) {
	awaitThat(t, func() bool { return goroutines() == 0 }, "the end of those of other tests")
	t.Run("none, also for the grace", func(t *testing.T) {
		br := breaker.New()
		p, err := breakerexec.Start(br, program(t, "deaf wait"), time.Hour)
		require.NoError(t, err)
		require.Zero(t, goroutines())
		br.Trip(errWhy)
		require.Zero(t, goroutines())
		require.NoError(t, p.Signal(syscall.SIGKILL))
		requireStopped(t, p.Wait(), errWhy)
	})
	t.Run("one for each stream, as in os/exec", func(t *testing.T) {
		br := breaker.New()
		cmd := program(t, "say:a wait")
		out, err := newLines(), newLines()
		never, end := io.Pipe()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = never, out, err
		p, failed := breakerexec.Start(br, cmd, time.Hour)
		require.NoError(t, failed)
		out.await(t, 1)
		require.Equal(t, 3, goroutines())
		br.Trip(errWhy)
		requireKilledBy(t, p.Wait(), syscall.SIGTERM)
		_ = end.Close()
		awaitThat(t, func() bool { return goroutines() == 0 }, "the end of the one that reads the input")
	})
}

// unreaped reports whether the process is still there to be reaped, so that its number can't have
// been given to another one.
func unreaped(pid int) bool {
	const byPid = 1
	var info [16]uint64
	_, _, err := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(pid), uintptr(unsafe.Pointer(&info)),
		syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	return err == 0
}

// Trips, signals and waits race with the end of the command. None may signal a process that has
// been reaped.
func TestProcess_NothingIsSignalledAfterItWasReaped(t *testing.T) {
	var mu sync.Mutex
	signalled := 0
	restore := breakerexec.WatchKill(func(pid int) {
		mu.Lock()
		defer mu.Unlock()
		signalled++
		assert.True(t, unreaped(pid), "%d has been reaped", pid)
	})
	defer restore()
	// In one of ten rounds the trip comes first for certain, and in another one the end: on one
	// processor, a Wait may keep that until the command has ended.
	const first, last = 0, 5
	rounds, stopped := 1000, 0
	for i := range rounds {
		command := exec.Command("true")
		if i%10 == first {
			command = exec.Command("sleep", "1000")
		}
		br := breaker.New()
		p, err := breakerexec.Start(br, command, time.Duration(i%3)*50*time.Microsecond)
		require.NoError(t, err)
		var group sync.WaitGroup
		var errs [2]error
		for j := range errs {
			group.Go(func() { errs[j] = p.Wait() })
		}
		group.Go(func() {
			for range i % 50 * 300 {
				syscall.Getppid()
			}
			if i%10 == last {
				_ = p.Wait()
			}
			br.Trip(errWhy)
		})
		group.Go(func() {
			for p.Signal(syscall.SIGCONT) == nil {
				for range 100 {
					syscall.Getppid()
				}
				runtime.Gosched()
			}
		})
		group.Wait()
		require.Equal(t, errs[0], errs[1])
		if errors.Is(errs[0], errWhy) {
			stopped++
		} else {
			require.NoError(t, errs[0])
		}
	}
	require.NotZero(t, signalled)
	require.NotZero(t, stopped)
	require.Less(t, stopped, rounds)
}

// Whatever the moment of the trip, the error says either that the command has ended by itself, or
// why it was stopped.
func TestProcess_ATripAgainstStart(t *testing.T) {
	for i := range 300 {
		br := breaker.New()
		var group sync.WaitGroup
		group.Go(func() {
			for range i * 10 {
				syscall.Getppid()
			}
			br.Trip(errWhy)
		})
		var out bytes.Buffer
		cmd := exec.Command("echo", "done")
		cmd.Stdout = &out
		if err := breakerexec.Run(br, cmd, time.Hour); err == nil {
			require.Equal(t, "done\n", out.String())
		} else {
			requireStopped(t, err, errWhy)
		}
		group.Wait()
	}
}

func BenchmarkRun(b *testing.B) {
	b.Run("impl=exec", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("impl=breakerexec", func(b *testing.B) {
		br := breaker.New()
		defer br.Close()
		for b.Loop() {
			if err := breakerexec.Run(br, exec.Command("true"), time.Second); err != nil {
				b.Fatal(err)
			}
		}
	})
}
