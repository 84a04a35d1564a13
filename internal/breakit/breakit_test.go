//go:build linux

package breakit

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asBreakit makes the test binary breakit, with one of the extensions.
const asBreakit = "BREAKIT_TEST_MAIN"

// patience bounds what never comes; nothing is expected to take it.
const patience = 10 * time.Second

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "sitting":
		os.Exit(sit(len(os.Args) > 1))
	case os.Getenv(asBreakit) != "":
		os.Exit(Main(os.Args[1:], extensions[os.Getenv(asBreakit)]()))
	}
	// Run by nohup or in the background of a script, we ignore signals, and so would all that is
	// started. What is caught isn't inherited.
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	goleak.VerifyTestMain(m)
}

// sit says when it begins and when it is continued, and reads a line if it is told to. It is no
// shell, because a shell that is just starting something when Ctrl-C comes may wait for that all
// the same.
func sit(read bool) int {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	go func() {
		for range continued {
			fmt.Println("continued")
		}
	}()
	// It has the terminal before anything is typed: what is typed while breakit hands that over may
	// go to either.
	for read && foreground(0) != syscall.Getpgrp() {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ready")
	if !read {
		time.Sleep(time.Hour)
	}
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Printf("got-%s-\n", strings.TrimSpace(line))
	return 0
}

// place is where breakit runs: a directory for its state and a name for it in the PATH.
type place struct {
	dir string
	env []string
}

func newPlace(t testing.TB) place {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/bin", 0o700))
	require.NoError(t, os.Mkdir(dir+"/run", 0o700))
	require.NoError(t, os.Symlink(self, dir+"/bin/breakit"))
	require.NoError(t, os.Symlink(self, dir+"/bin/sitting"))
	return place{dir, append(os.Environ(), asBreakit+"=1", "XDG_RUNTIME_DIR="+dir+"/run", "TMPDIR="+dir, "PATH="+dir+"/bin:"+os.Getenv("PATH"),
		"PS1=$ ", "TERM=dumb", "HISTFILE=", "LC_ALL=C")}
}

func (p place) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	if name == "breakit" {
		cmd = exec.Command(filepath.Join(p.dir, "bin/breakit"), args...)
	}
	cmd.Env, cmd.Dir = p.env, p.dir
	// Without a terminal, whatever the tests are run from.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// result is what a shell would see.
type result struct {
	code        int
	out, errors string
}

func (p place) run(t testing.TB, name string, args ...string) result {
	t.Helper()
	cmd := p.command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return result{codeOf(cmd.ProcessState), out.String(), errs.String()}
}

func codeOf(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(begin) > patience {
			require.FailNow(t, "it never came: "+what)
		}
	}
}

// The codes are those of timeout(1), which is asked, too.
func TestBreakit_ExitCodes(t *testing.T) {
	p := newPlace(t)
	plain, script := p.dir+"/bin/plain", p.dir+"/bin/script"
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	require.NoError(t, os.WriteFile(script, []byte("echo $0 $1; exit 5\n"), 0o700))
	require.NoError(t, os.WriteFile(p.dir+"/bin/lost", []byte("#!/no/such/interpreter\n"), 0o700))
	for _, test := range []struct {
		name    string
		code    int
		limit   string
		command []string
	}{
		{"success", 0, "60", []string{"true"}},
		{"failure", 7, "60", []string{"sh", "-c", "exit 7"}},
		{"124 of its own", 124, "60", []string{"sh", "-c", "exit 124"}},
		{"killed", 137, "60", []string{"sh", "-c", "kill -KILL $$"}},
		{"interrupted", 130, "60", []string{"sh", "-c", "kill -INT $$"}},
		{"quit", 131, "60", []string{"sh", "-c", "ulimit -c 0; kill -QUIT $$"}},
		{"terminated", 143, "60", []string{"sh", "-c", "kill -TERM $$"}},
		{"limit", 124, "0.1", []string{"sleep", "1000"}},
		{"limit, and a polite end", 124, "0.1", []string{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"}},
		{"limit, stopped", 124, "0.1", []string{"sh", "-c", "kill -STOP $$"}},
		{"not found", 127, "60", []string{"breakit-no-such-command"}},
		{"no such file", 127, "60", []string{"/no/such/file"}},
		{"no such interpreter", 127, "60", []string{p.dir + "/bin/lost"}},
		{"not executable", 126, "60", []string{plain}},
		{"not executable, in the PATH", 126, "60", []string{"plain"}},
		{"a directory", 126, "60", []string{p.dir}},
		{"a script without a first line", 5, "60", []string{script, "argument"}},
		{"the same in the PATH", 5, "60", []string{"script", "argument"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := p.run(t, "breakit", append([]string{"after", test.limit + "s", "--"}, test.command...)...)
			assert.Equal(t, test.code, got.code, got.errors)
			// The shell has the place's PATH; ours need not.
			want := p.run(t, "sh", append([]string{"-c", `timeout "$@"`, "timeout", test.limit}, test.command...)...)
			assert.Equal(t, want.code, got.code, "timeout(1) says so")
			assert.Equal(t, want.out, got.out)
			if test.code < 124 || test.code > 127 || test.name == "124 of its own" {
				assert.Empty(t, got.errors)
			} else {
				assert.Regexp(t, `(^|\n)breakit: .*\n$`, got.errors)
			}
		})
	}
}

func TestBreakit_TheCauseIsSaid(t *testing.T) {
	// Each limit leaves breakit the time to start the command.
	p := newPlace(t)
	got := p.run(t, "breakit", "after", "500ms", "--", "sleep", "1000")
	require.Equal(t, result{124, "", "breakit: stopped sleep: it has run for 500ms\n"}, got)
	got = p.run(t, "breakit", "idle", "500ms", "--", "sleep", "1000")
	require.Equal(t, result{124, "", "breakit: stopped sleep: no output for 500ms\n"}, got)
	got = p.run(t, "breakit", "after", "1h", "idle", "500ms", "--", "sleep", "1000")
	require.Equal(t, result{124, "", "breakit: stopped sleep: no output for 500ms\n"}, got)
	at := time.Now().Add(2 * time.Second)
	got = p.run(t, "breakit", "until", at.Format("2006-01-02T15:04:05"), "--", "sleep", "1000")
	require.Equal(t, result{124, "", "breakit: stopped sleep: it is " + at.Format("15:04:05") + "\n"}, got)
	// The shell needs time to set its trap.
	got = p.run(t, "breakit", "after", "2s", "--grace", "100ms", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done")
	require.Equal(t, result{124, "", "breakit: killed sh: it has run for 2s, and it didn't end within 100ms\n"}, got)
	got = p.run(t, "breakit", "after", "500ms", "--grace=0s", "--", "sleep", "1000")
	require.Equal(t, result{124, "", "breakit: stopped sleep: it has run for 500ms\n"}, got)
}

// The whole tree ends, and what holds the output doesn't keep breakit.
func TestBreakit_TheTree(t *testing.T) {
	p := newPlace(t)
	got := p.run(t, "breakit", "after", "200ms", "--", "sh", "-c", "sleep 1000 & echo $!; sleep 1000")
	require.Equal(t, 124, got.code)
	requireEnded(t, strings.TrimSpace(got.out))
}

func requireEnded(t testing.TB, pid string) {
	t.Helper()
	awaitThat(t, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, "the end of "+pid)
}

func TestBreakit_Idle(t *testing.T) {
	p := newPlace(t)
	// Each output begins the time anew, on whichever stream it is.
	got := p.run(t, "breakit", "idle", "2s", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.4; echo $i >&2; sleep 0.4; done; sleep 1000")
	require.Equal(t, result{124, "1\n2\n3\n", "1\n2\n3\nbreakit: stopped sh: no output for 2s\n"}, got)
	// One pipe for both keeps the order.
	got = p.run(t, "sh", "-c", `breakit idle 1m -- sh -c 'echo 1; echo 2 >&2; echo 3' 2>&1`)
	require.Equal(t, result{0, "1\n2\n3\n", ""}, got)
	// A daemon that is left behind isn't waited for, nor is it stopped.
	got = p.run(t, "breakit", "idle", "1m", "--", "sh", "-c", "sleep 1000 & echo $!")
	require.Equal(t, 0, got.code)
	require.NoError(t, p.command("kill", strings.TrimSpace(got.out)).Run())
	// The reader of the output has gone: the command ends by SIGPIPE, as it would without breakit.
	got = p.run(t, "bash", "-c", `breakit idle 1m -- yes | head -n 1; echo ${PIPESTATUS[0]}`)
	require.Equal(t, result{0, "y\n141\n", ""}, got)
}

// listed returns what ps prints, when it is so many lines: breakit enters a command in the list
// only after the command has started.
func (p place) listed(t testing.TB, lines int) (rows []string) {
	t.Helper()
	awaitThat(t, func() bool {
		rows = strings.Split(strings.TrimSpace(p.run(t, "breakit", "ps").out), "\n")
		return len(rows) == lines
	}, "the list of all that run")
	return rows
}

// waiting starts a shell that says which signals it gets, and returns when it is ready.
func (p place) waiting(t testing.TB, before ...string) (cmd *exec.Cmd, out *buffer) {
	t.Helper()
	args := append(before, "sh", "-c", `
		for s in HUP INT QUIT TERM ALRM USR1 USR2 WINCH; do trap "echo got-$s" $s; done
		echo ready
		while :; do sleep 0.01; done`)
	cmd = p.command(args[0], args[1:]...)
	out = new(buffer)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	out.expect(t, "ready")
	return cmd, out
}

func TestBreakit_SignalsGoOn(t *testing.T) {
	p := newPlace(t)
	cmd, out := p.waiting(t, "breakit", "after", "1m", "--")
	// One after the other: a shell may run traps of different signals in another order.
	for name, sig := range map[string]os.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
		"ALRM": syscall.SIGALRM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH,
	} {
		require.NoError(t, cmd.Process.Signal(sig))
		out.expect(t, "got-"+name+"\n")
	}
	require.Equal(t, 8, strings.Count(out.String(), "got-"), "each once: %s", out)
}

func TestBreakit_IgnoredSignalsStayIgnored(t *testing.T) {
	p := newPlace(t)
	cmd := p.command("sh", "-c", `trap '' HUP; exec breakit after 1m -- sh -c 'echo ready; sleep 1000'`)
	out := new(buffer)
	cmd.Stdout = out
	require.NoError(t, cmd.Start())
	out.expect(t, "ready")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	require.Equal(t, 143, codeOf(cmd.ProcessState), "SIGHUP, which came first, ended nothing")
}

func TestBreakit_Ps(t *testing.T) {
	p := newPlace(t)
	header := "PID  COMMAND  SINCE  UNTIL  LIMIT\n"
	require.Equal(t, result{0, header, ""}, p.run(t, "breakit", "ps"))

	first, _ := p.waiting(t, "breakit", "after", "1h", "--")
	second, _ := p.waiting(t, "breakit", "until", "2099-01-01T12:00", "idle", "2h", "--")
	rows := p.listed(t, 3)
	const clock, command = `(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d`, `sh -c "\\n\\t\\tfor s in HUP .*…`
	require.Regexp(t, `^PID +COMMAND +SINCE +UNTIL +LIMIT$`, rows[0])
	require.Regexp(t, `^\d+ +`+command+` +`+clock+` +`+clock+` +after 1h$`, rows[1])
	require.Regexp(t, `^\d+ +`+command+` +`+clock+` +`+clock+` +until 2099-01-01T12:00, idle 2h$`, rows[2])
	require.NotContains(t, rows[2], "2099-01-01 12:00:00", "the idle limit comes before")

	// A crash leaves a file, which ps removes, and no command without its limit.
	pid := regexp.MustCompile(`^\d+`).FindString(rows[1])
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	requireEnded(t, pid)
	files, err := os.ReadDir(p.dir + "/run/breakit")
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.Len(t, strings.Split(strings.TrimSpace(p.run(t, "breakit", "ps").out), "\n"), 2)
	files, err = os.ReadDir(p.dir + "/run/breakit")
	require.NoError(t, err)
	require.Len(t, files, 1)

	require.NoError(t, second.Process.Kill())
	_ = second.Wait()
	require.Equal(t, result{0, header, ""}, p.run(t, "breakit", "ps"))
	// An ordinary end leaves nothing.
	require.Equal(t, result{0, "", ""}, p.run(t, "breakit", "after", "1h", "--", "true"))
	files, err = os.ReadDir(p.dir + "/run/breakit")
	require.NoError(t, err)
	require.Empty(t, files)
}

// Without a runtime directory of one's own the state is among the temporary files, if nobody else
// could have made it.
func TestBreakit_WhereTheStateIs(t *testing.T) {
	p := newPlace(t)
	dir := func(runtimeDir string) (string, error) {
		t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
		t.Setenv("TMPDIR", p.dir)
		return stateDir()
	}
	got, err := dir(p.dir + "/run")
	require.NoError(t, err)
	require.Equal(t, p.dir+"/run/breakit", got)
	for _, runtimeDir := range []string{"", "relative", "/no/such/directory", p.dir + "/bin/breakit"} {
		got, err := dir(runtimeDir)
		require.NoError(t, err)
		require.Regexp(t, `^`+regexp.QuoteMeta(p.dir)+`/breakit-\d+$`, got)
	}
	got, err = dir("")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(got, 0o777))
	_, err = dir("")
	require.ErrorContains(t, err, "belongs to you alone")
	require.NoError(t, os.Remove(got))
	require.NoError(t, os.Symlink("/tmp", got))
	_, err = dir("")
	require.ErrorContains(t, err, "belongs to you alone")
	// The command runs all the same.
	p.env = append(p.env, "XDG_RUNTIME_DIR=")
	result := p.run(t, "breakit", "after", "1h", "--", "echo", "ran")
	require.Equal(t, 0, result.code)
	require.Equal(t, "ran\n", result.out)
	require.Contains(t, result.errors, "ps will not list this")
}

// Many start, end and are listed at the same time. Each that runs is listed, whoever cleans up
// meanwhile.
func TestBreakit_ManyAtOnce(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", newPlace(t).dir+"/run")
	cleaning := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-cleaning:
				return
			default:
				_, _ = entries()
			}
		}
	}()
	for i := range 1000 {
		f, err := register(entry{Pid: i})
		require.NoError(t, err)
		all, err := entries()
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, i, all[0].Pid)
		if i%2 == 0 {
			f.remove()
		}
		require.NoError(t, f.Close()) // as the end of a process does
	}
	close(cleaning)
	<-done
}

func TestBreakit_Help(t *testing.T) {
	p, usage := newPlace(t), Extension{}.usage()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}, {"after", "-h"}, {"after", "10m", "--help", "--", "true"}} {
		require.Equal(t, result{0, usage, ""}, p.run(t, "breakit", args...))
	}
	require.Equal(t, result{125, "", usage}, p.run(t, "breakit"))
	require.Equal(t, result{0, "-h\n", ""}, p.run(t, "breakit", "after", "1m", "--", "echo", "-h"))
	for line := range strings.Lines(usage) {
		require.LessOrEqual(t, len(line), 81)
	}
	got := p.run(t, "breakit", "after", "10", "--", "true")
	require.Equal(t, result{125, "", "breakit: after: \"10\" has no unit: write 10s for seconds, or 10m for minutes\nTry breakit -h.\n"}, got)
}
