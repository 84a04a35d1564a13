//go:build linux

package breakit

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// buffer collects output.
type buffer struct {
	mu   sync.Mutex
	all  bytes.Buffer
	seen int
	more chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake()
	return b.all.Write(p)
}

func (b *buffer) wake() {
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// expect waits for what matches the pattern after all that was expected before.
func (b *buffer) expect(t testing.TB, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(patience)
	for {
		b.mu.Lock()
		found := re.FindIndex(b.all.Bytes()[b.seen:])
		if found != nil {
			b.seen += found[1]
			b.mu.Unlock()
			return
		}
		if b.more == nil {
			b.more = make(chan struct{})
		}
		more := b.more
		b.mu.Unlock()
		select {
		case <-more:
		case <-limit:
			require.FailNow(t, "it never came", "%q in\n%s", pattern, b)
		}
	}
}

// session is a program in a terminal of its own.
type session struct {
	t    *testing.T
	keys *os.File
	buffer
}

func newSession(t *testing.T, p place, name string, args ...string) *session {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	number, unlock := uint32(0), int32(0)
	raw, err := master.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.True(t, ioctl(int(fd), syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)))
		require.True(t, ioctl(int(fd), syscall.TIOCGPTN, unsafe.Pointer(&number)))
	}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)

	s := &session{t: t, keys: master}
	cmd := p.command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, slave.Close())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			_, _ = s.buffer.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		// The end of the leader hangs up the terminal, which ends the foreground group.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = master.Close()
		<-ended
	})
	return s
}

// bash starts an interactive shell.
func bash(t *testing.T) *session {
	t.Helper()
	s := newSession(t, newPlace(t), "bash", "--norc", "--noprofile", "-i")
	s.see(`\$ $`)
	return s
}

// types sends keys. A line ends with a newline, as if Enter was pressed.
func (s *session) types(keys string) {
	s.t.Helper()
	_, err := s.keys.WriteString(keys)
	require.NoError(s.t, err)
}

func (s *session) see(pattern string) {
	s.t.Helper()
	s.expect(s.t, pattern)
}

// code checks $? at the prompt. What is typed is echoed, but not the number.
func (s *session) code(n int) {
	s.t.Helper()
	s.types("echo code-$?-\n")
	s.see(fmt.Sprintf(`code-%d-\s+\$ $`, n))
}

const (
	ctrlC = "\x03"
	ctrlZ = "\x1a"
	ctrlQ = "\x1c"
)

// In what is typed ready is written rea""dy, so that its echo isn't taken for the output.
const asks = `sh -c 'echo rea""dy; read x; echo got-$x-'`

func TestTerminal_ACommandReadsFromTheTerminal(t *testing.T) {
	s := bash(t)
	s.types("breakit after 1m -- " + asks + "\n")
	s.see("ready")
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	s.code(0)
}

func TestTerminal_CtrlC(t *testing.T) {
	s := bash(t)
	s.types("breakit after 1m -- sitting\n")
	s.see("ready")
	s.types(ctrlC)
	s.see(`\$ $`)
	s.code(130)
	s.types(`breakit after 1m -- sh -c 'ulimit -c 0; echo rea""dy; read x'` + "\n")
	s.see("ready")
	s.types(ctrlQ)
	s.see(`\$ $`)
	s.code(131)
	// What handles it goes on.
	s.types(`breakit after 1m -- sh -c 'trap "echo cau\"\"ght; exit 3" INT; echo rea""dy; while :; do sleep 0.01; done'` + "\n")
	s.see("ready")
	s.types(ctrlC)
	s.see(`caught\s+\$ $`)
	s.code(3)
}

// With timeout(1) either the script hears of Ctrl-C, or the command does.
func TestTerminal_CtrlCInAScript(t *testing.T) {
	s := bash(t)
	s.types(`bash -c 'while :; do breakit after 1m -- sitting; done'` + "\n")
	s.see("ready")
	s.types(ctrlC)
	s.see(`\$ $`)
	s.code(130)
	// The same where the command hasn't got the terminal.
	s.types(`bash -c 'while :; do breakit after 1m -- sitting | cat; done'` + "\n")
	s.see("ready")
	s.types(ctrlC)
	s.see(`\$ $`)
	s.code(130)
}

func TestTerminal_CtrlZ(t *testing.T) {
	s := bash(t)
	s.types("breakit after 1m -- sitting read\n")
	s.see("ready")
	for range 3 {
		s.types(ctrlZ)
		s.see(`(?s)Stopped.*\$ $`)
		s.code(148) // 128 + SIGTSTP
		s.types("fg\n")
		s.see(`continued`)
	}
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	s.code(0)
}

func TestTerminal_InTheBackground(t *testing.T) {
	s := bash(t)
	// It runs, and is stopped when it wants the terminal.
	s.types("breakit after 1m -- " + asks + " &\n")
	s.see("ready")
	s.types("while ! jobs | grep Stop; do sleep 0.01; done\n")
	s.see(`(?s)Stopped.*Stopped.*\$ $`)
	s.types("fg\n")
	s.see(`fg\s+breakit after`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	// Ctrl-Z, and on in the background.
	s.types("breakit after 1m -- sitting\n")
	s.see("ready")
	s.types(ctrlZ)
	s.see(`(?s)Stopped.*\$ $`)
	s.types("bg\n")
	s.see("continued")
	s.types("kill %1; wait %1; echo code-$?-\n")
	s.see(`code-143-\s+\$ $`)
}

func TestTerminal_Pipelines(t *testing.T) {
	s := bash(t)
	// The reader of the output has the terminal, as a pager needs it.
	s.types(`breakit after 1m -- echo pi""ped | sh -c 'cat; echo rea""dy; read x < /dev/tty; echo got-$x-'` + "\n")
	s.see(`piped\s+ready`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	// At the end of a pipeline the command gets it when it asks.
	s.types(`echo in""put | breakit after 1m -- sh -c 'cat; echo rea""dy; read x < /dev/tty; echo got-$x-'` + "\n")
	s.see(`input\s+ready`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	s.code(0)
	// In the middle, too.
	s.types(`true | breakit after 1m -- sh -c 'echo rea""dy >&2; read x < /dev/tty; echo got-$x-' | cat` + "\n")
	s.see(`ready`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	// All of the job stops, and goes on.
	s.types("breakit after 1m -- " + asks + " | cat\n")
	s.see("ready")
	s.types(ctrlZ)
	s.see(`(?s)Stopped.*\$ $`)
	s.types("fg\n")
	s.see(`fg\s+breakit after`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
}

// A background job of a script is in the script's own group. It doesn't take the terminal from the
// script.
func TestTerminal_ABackgroundJobOfAScript(t *testing.T) {
	s := bash(t)
	s.types(`bash -c 'breakit after 1m -- sleep 1000 & echo rea""dy; read x; echo got-$x-; kill $!; wait $!; echo co""de-$?-'` + "\n")
	s.see("ready")
	s.types("hello\n")
	s.see(`got-hello-`)
	s.see(`code-143-\s+\$ $`)
}

// The limit ends a command that has put the terminal into a mode of its own.
func TestTerminal_TheTerminalIsAsBefore(t *testing.T) {
	s := bash(t)
	s.types(`bash -c 'breakit after 3s -- sh -c "stty -icanon -echo; echo rea\"\"dy; sleep 1000"; echo code-$?-; stty -a'` + "\n")
	s.see("ready")
	s.see("breakit: stopped sh: it has run for 3s")
	s.see("code-124-")
	s.see(`\sicanon\s[^$]*\secho\s[^$]*\$ $`)
	s.types("breakit after 1m -- " + asks + "\n")
	s.see("ready")
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
}

// A shell with jobs of its own, under breakit.
func TestTerminal_AShellInside(t *testing.T) {
	s := bash(t)
	s.types("breakit after 1m -- bash --norc --noprofile -i\n")
	s.see(`\$ $`)
	s.types("echo ins\"\"ide; " + asks + "\n")
	s.see(`inside\s+ready`)
	s.types(ctrlZ)
	s.see(`(?s)Stopped.*\$ $`)
	s.types("fg\n")
	s.see(`fg\s+sh -c`)
	s.types("hello\n")
	s.see(`got-hello-\s+\$ $`)
	s.types("exit 9\n")
	s.see(`exit\s+\$ $`)
	s.code(9)
}

// Nobody would continue a job without a shell, so Ctrl-Z doesn't stop it.
func TestTerminal_WithoutAShell(t *testing.T) {
	s := newSession(t, newPlace(t), "breakit", "after", "1m", "--", "sh", "-c", `echo ready; read x; echo got-$x-`)
	s.see("ready")
	s.types(ctrlZ)
	s.see(`\^Z`)
	s.types("hello\n")
	s.see("got-hello-")
}

// The table of ps, in a terminal.
func TestTerminal_PsInATerminal(t *testing.T) {
	s := bash(t)
	s.types("breakit until 2099-01-01T18:00 -- sleep 1000 &\n")
	s.types("until breakit ps | grep sle\"\"ep; do sleep 0.01; done\n")
	s.see(`\d+ +sleep 1000 +\S+ +2099-01-01 18:00:00 +until 2099-01-01T18:00`)
	s.types("kill %1; wait %1; echo code-$?-\n")
	s.see(`code-143-`)
	require.NotContains(t, s.String(), strings.Repeat("breakit: ", 2))
}
