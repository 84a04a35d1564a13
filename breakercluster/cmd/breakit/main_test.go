//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/internal/breakit"
)

// asBreakit makes the test binary breakit.
const asBreakit = "BREAKIT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBreakit) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// machine is where breakit runs: it has a directory of its own.
type machine struct {
	t   testing.TB
	dir string
	env []string
}

func newMachine(t testing.TB) machine {
	t.Helper()
	dir := t.TempDir()
	env := []string{asBreakit + "=1", "XDG_RUNTIME_DIR=" + dir, "TMPDIR=" + dir, "TZ=UTC", "BREAKIT_STORE="}
	return machine{t, dir, append(os.Environ(), env...)}
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// process is a breakit that runs.
type process struct {
	t           testing.TB
	cmd         *exec.Cmd
	out, errors output
}

// start starts breakit, which is killed when the test ends.
func (m machine) start(args ...string) *process {
	m.t.Helper()
	self, err := os.Executable()
	require.NoError(m.t, err)
	p := &process{t: m.t, cmd: exec.Command(self, args...)}
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = m.env, m.dir, &p.out, &p.errors
	// Without a terminal, whatever the tests are run from.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(m.t, p.cmd.Start())
	m.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// result is what a shell would see.
type result struct {
	code        int
	out, errors string
}

// wait returns when the process has ended.
func (p *process) wait() result {
	_ = p.cmd.Wait()
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return result{code, p.out.String(), p.errors.String()}
}

func (m machine) run(args ...string) result { return m.start(args...).wait() }

// working is a command that says its process group, and goes on until it is stopped, with a child.
var working = []string{"--", "sh", "-c", "sleep 1000 & echo $$; wait"}

// begin starts a command with the key, and waits until it works.
func (m machine) begin(args ...string) *process {
	m.t.Helper()
	p := m.start(append(args, working...)...)
	clustertest.Await(m.t, func() bool {
		if p.errors.String() != "" {
			m.t.Fatal(p.errors.String())
		}
		return strings.HasSuffix(p.out.String(), "\n")
	}, "the command")
	return p
}

// requireEnded checks that nothing of the command's group is left.
func (p *process) requireEnded() {
	p.t.Helper()
	var group int
	_, err := fmt.Sscan(p.out.String(), &group)
	require.NoError(p.t, err)
	// The members are ended; the system may take a moment to say so.
	clustertest.Await(p.t, func() bool { return syscall.Kill(-group, 0) == syscall.ESRCH }, "the end of the group")
}

// One trip ends the command on every machine, and no other command.
func TestBreakit_OneTripEndsTheCommandOnEveryMachine(t *testing.T) {
	for engine := range servers {
		t.Run(engine, func(t *testing.T) {
			store, addr := serve(t, engine)
			at := fmt.Sprintf(store, addr)
			var all []*process
			for range 5 {
				all = append(all, newMachine(t).begin("--key", "jobs/1", "after", "1h", "--store", at))
			}
			other := newMachine(t).begin("--key=jobs/2", "--store="+at)
			operator := newMachine(t)
			operator.env = append(operator.env, "BREAKIT_STORE="+at)

			got := operator.run("trip", "--key", "jobs/1", "--by", "operator", "wrong", "file")
			const cause = "jobs/jobs/1 tripped by operator: wrong file\n"
			require.Equal(t, result{0, cause, ""}, got)
			for _, p := range all {
				got := p.wait()
				require.Equal(t, 124, got.code)
				require.Equal(t, "breakit: stopped sh: "+cause, got.errors)
				p.requireEnded()
			}
			// One that comes too late doesn't begin. Another trip changes nothing.
			got = operator.run("--key", "jobs/1", "--", "echo", "begun")
			require.Equal(t, result{124, "", "breakit: echo was not started: " + cause}, got)
			got = operator.run("trip", "--key", "jobs/1", "second")
			require.Equal(t, 0, got.code)
			require.Regexp(t, `^`+strings.TrimSuffix(cause, "\n")+`, at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$`, got.out)

			require.Empty(t, other.errors.String())
			require.NoError(t, other.cmd.Process.Signal(syscall.SIGTERM))
			require.Equal(t, 143, other.wait().code)
			require.Equal(t, result{0, "7\n", ""}, operator.run("--key", "jobs/3", "--", "echo", "7"))
		})
	}
}

// What must not go on while it can't be told to stop.
func TestBreakit_Silence(t *testing.T) {
	for engine := range servers {
		t.Run(engine, func(t *testing.T) {
			store, addr := serve(t, engine)
			proxy := clustertest.NewProxy(t, addr)
			far := fmt.Sprintf(store, proxy.Addr())
			p := newMachine(t).begin("--key", "jobs/1", "--silence", "10s", "--store", far)
			hold := newMachine(t).begin("--key", "jobs/1", "--store", far)
			proxy.Freeze()
			got := p.wait()
			require.Equal(t, 124, got.code)
			require.Regexp(t, `(?s)^breakit: no contact with the store: .*\nbreakit: stopped sh: jobs/jobs/1: no contact for 10s, since `, got.errors)
			p.requireEnded()
			// The other one goes on, says so, and hears when the store is back.
			clustertest.Await(t, func() bool { return strings.Contains(hold.errors.String(), "no contact with the store: ") }, "the loss")
			proxy.Thaw()
			clustertest.Await(t, func() bool { return strings.Contains(hold.errors.String(), "there is contact") }, "the contact")
			require.Equal(t, 0, newMachine(t).run("trip", "--key", "jobs/1", "--by", "me", "--store", fmt.Sprintf(store, addr)).code)
			got = hold.wait()
			require.Equal(t, 124, got.code)
			require.Regexp(t, `\nbreakit: stopped sh: jobs/jobs/1 tripped by me: operation interrupted\n$`, got.errors)
		})
	}
}

// The state is unknown, so the command isn't started.
func TestBreakit_TheStoreIsAway(t *testing.T) {
	for engine, store := range map[string]string{
		"nats": "nats://u:secret@%s", "etcd": "etcd://%s", "postgres": "postgres://u:secret@%s/d", "redis": "redis://u:secret@%s",
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // they wait
			at := fmt.Sprintf(store, address())
			got := newMachine(t).run("--key", "jobs/1", "--store", at, "--", "echo", "begun")
			require.Equal(t, 125, got.code, got)
			require.Empty(t, got.out)
			require.Regexp(t, `^breakit: echo was not started: \S.*\n$`, got.errors) // one line
			require.NotContains(t, got.errors, "secret")
			got = newMachine(t).run("trip", "--key", "jobs/1", "--store", at)
			require.Equal(t, 125, got.code, got)
			require.Regexp(t, `^breakit: trip: \S.*\n$`, got.errors)
		})
	}
}

// While breakit asks the store, Ctrl-C ends it.
func TestBreakit_InterruptedBeforeTheStart(t *testing.T) {
	_, addr := serve(t, "redis")
	proxy := clustertest.NewProxy(t, addr)
	proxy.Freeze()
	p := newMachine(t).start("--key", "jobs/1", "--store", "redis://"+proxy.Addr(), "--", "echo", "begun")
	clustertest.Await(t, func() bool { return proxy.Connections() > 0 }, "the question to the store")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	require.Equal(t, result{130, "", ""}, p.wait())
}

// A key expires, and then the next command with it starts again.
func TestBreakit_TTL(t *testing.T) {
	for engine := range servers {
		t.Run(engine, func(t *testing.T) {
			store, addr := serve(t, engine)
			m := newMachine(t)
			m.env = append(m.env, "BREAKIT_STORE="+fmt.Sprintf(store, addr))
			require.Equal(t, 0, m.run("trip", "--key", "jobs/1", "--ttl", "2s").code)
			require.Equal(t, 124, m.run("--key", "jobs/1", "--", "true").code)
			clustertest.Await(t, func() bool { return m.run("--key", "jobs/1", "--", "true").code == 0 }, "the end of the key")
		})
	}
}

func TestBreakit_BadInput(t *testing.T) {
	m := newMachine(t)
	const hint, store = "\nTry breakit -h.\n", "redis://127.0.0.1"
	for _, test := range []struct{ args, errors string }{
		{"--key jobs/1 -- true", "--key needs a --store, or $BREAKIT_STORE" + hint},
		{"--store " + store + " after 1m -- true", "--store is for --key" + hint},
		{"--silence 1m after 1m -- true", "--silence is for --key" + hint},
		{"--key= -- true", "--key: it is empty" + hint},
		{"--key -- true", "--key needs a key" + hint},
		{"--key a --store -- true", "--store needs a URL" + hint},
		{"--key a --store= -- true", "--store: it is empty" + hint},
		{"--key a --silence 0s -- true", `--silence: "0s" is too short` + hint},
		{"--key a --key b -- true", "key is given twice" + hint},
		{"--silence 1m -- true", "there is no limit: say after, until, --key or idle before the --" + hint},
		{"trip --store " + store, "trip: there is no --key\nTry breakit trip -h.\n"},
		{"trip --key a", "trip: there is no --store, nor $BREAKIT_STORE\nTry breakit trip -h.\n"},
		{"trip --key a --ttl 10 --store " + store, `trip: invalid value "10" for flag -ttl: "10" has no unit: write 10s for seconds, or 10m for minutes` + "\nTry breakit trip -h.\n"},
		{"trip --key .. --store " + store, `trip: breakercluster: key "..": invalid key` + "\n"},
		{"init --store " + store + " x", `init: "x" is one too many` + "\nTry breakit init -h.\n"},
		{"--key .. --store " + store + " -- true", `true was not started: breakercluster: key "..": invalid key` + "\n"},
		{"--key a --store mysql://u:secret@h -- true", "true was not started: the store is not a URL such as nats://HOST, etcd://HOST, " +
			"postgres://HOST/DB or redis://HOST/0\n"},
		{"--key a --store redis:// -- true", "true was not started: the store: there is no host, or its name is empty\n"},
		{"--key a --store redis://h?name= -- true", "true was not started: the store: there is no host, or its name is empty\n"},
		{"--key a --store redis://h?name=%x -- true", "true was not started: the store: what follows the question mark can't be read\n"},
		{"--key a --store nats://h?nme=x -- true", `true was not started: the store: there is no parameter "nme"` + "\n"},
		{"--key a --store etcd://h?sslmode=x -- true", `true was not started: the store: there is no parameter "sslmode"` + "\n"},
		{"--key a --store etcd://u:%x@h -- true", "true was not started: the store: the user or the password can't be read: " +
			"write what isn't a letter or digit as in %40\n"},
		{"--key a --store etcds://h?ca=/no/such -- true", "true was not started: the store: open /no/such: no such file or directory\n"},
	} {
		require.Equal(t, result{breakit.ExitFailed, "", "breakit: " + test.errors}, m.run(strings.Fields(test.args)...), test.args)
	}
}

func TestBreakit_Help(t *testing.T) {
	m := newMachine(t)
	got := m.run("-h")
	require.Equal(t, 0, got.code)
	require.Contains(t, got.out, "--key jobs/1 -- COMMAND...")
	require.Equal(t, result{0, tripHelp, ""}, m.run("trip", "-h"))
	require.Equal(t, result{0, initHelp, ""}, m.run("init", "--help"))
	for line := range strings.Lines(got.out + tripHelp + initHelp) {
		require.LessOrEqual(t, len(line), 81)
	}
}

func TestBreakit_Locate(t *testing.T) {
	l, err := locate("etcd://me:p%40ss@one:1,two/?name=jobs")
	require.NoError(t, err)
	require.Equal(t, "jobs", l.name)
	hosts, user, err := l.hosts()
	require.NoError(t, err)
	require.Equal(t, []string{"one:1", "two"}, hosts)
	password, _ := user.Password()
	require.Equal(t, "me p@ss", user.Username()+" "+password)

	l, err = locate("postgres://one:1,two/db?sslmode=disable&name=jobs")
	require.NoError(t, err)
	require.Equal(t, "postgres://one:1,two/db?sslmode=disable", l.url())
	l, err = locate("redis://one")
	require.NoError(t, err)
	require.Equal(t, "breakit redis://one", l.name+" "+l.url())
}
