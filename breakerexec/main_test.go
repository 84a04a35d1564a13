//go:build linux

package breakerexec_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asChild names the program that the test binary runs instead of the tests.
const asChild = "BREAKEREXEC_TEST_CHILD"

// patience bounds what never comes; nothing is expected to take it.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if program := os.Getenv(asChild); program != "" {
		os.Exit(childMain(program))
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

// childMain runs a program: words separated by blanks, each of which is an instruction.
//
//	deaf          ignores SIGTERM
//	polite:n      says bye at SIGTERM, and ends
//	fork(…)       starts another one in the background that runs the words in the brackets
//	session(…)    the same, in a session of its own
//	say:word      prints a line
//	flood:n       prints n bytes
//	touch:path    makes a file
//	wait          waits until the test is over
//	exit:n        ends
func childMain(program string) int {
	// Whatever happens to the test, its processes end with it: the other end of this pipe is the
	// test's.
	lifeline := os.NewFile(3, "lifeline")
	words := strings.Fields(program)
	for i := 0; i < len(words); i++ {
		instruction, argument, _ := strings.Cut(words[i], ":")
		switch instruction {
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
		case "polite":
			asked := make(chan os.Signal, 1)
			signal.Notify(asked, syscall.SIGTERM)
			go func() {
				<-asked
				fmt.Println("bye")
				code, _ := strconv.Atoi(argument)
				os.Exit(code)
			}()
		case "fork(", "session(":
			begin := i + 1
			for depth := 1; depth > 0; {
				i++
				if strings.HasSuffix(words[i], "(") {
					depth++
				}
				if words[i] == ")" {
					depth--
				}
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asChild+"="+strings.Join(words[begin:i], " "))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
			cmd.ExtraFiles = []*os.File{lifeline}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: instruction == "session("}
			if err := cmd.Start(); err != nil {
				fmt.Println(err)
				return 99
			}
		case "say":
			fmt.Println(argument, os.Getpid())
		case "flood":
			n, _ := strconv.Atoi(argument)
			_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), n))
		case "touch":
			_ = os.WriteFile(argument, nil, 0o600)
		case "wait":
			_, _ = io.Copy(io.Discard, lifeline)
			return 98
		case "exit":
			code, _ := strconv.Atoi(argument)
			return code
		default:
			fmt.Println("no such instruction:", words[i])
			return 99
		}
	}
	return 0
}

// program returns a command that runs it.
func program(t testing.TB, words string) *exec.Cmd {
	t.Helper()
	theirs, ours, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = ours.Close()
	})
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asChild+"="+words)
	cmd.ExtraFiles = []*os.File{theirs}
	return cmd
}

// lines is a writer that hands out whole lines.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// await waits for as many lines "word pid" and returns the process IDs by word.
func (l *lines) await(t testing.TB, n int) map[string]int {
	t.Helper()
	limit := time.After(patience)
	for {
		text := l.String()
		if strings.Count(text, "\n") >= n {
			pids := map[string]int{}
			for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
				word, pid, _ := strings.Cut(scanner.Text(), " ")
				pids[word], _ = strconv.Atoi(pid)
			}
			return pids
		}
		select {
		case <-l.more:
		case <-limit:
			require.FailNow(t, "the lines never came", "%q", text)
		}
	}
}

// alive reports whether the process exists and has not ended.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	state := stat[bytes.LastIndexByte(stat, ')')+2]
	return state != 'Z' && state != 'X'
}

// requireEnded waits until each process has ended: a signal that has been sent takes its time.
func requireEnded(t testing.TB, pids map[string]int) {
	t.Helper()
	for name, pid := range pids {
		awaitThat(t, func() bool { return !alive(pid) }, name+" ends")
	}
}

func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(begin) > patience {
			require.FailNow(t, "it never came: "+what)
		}
	}
}
