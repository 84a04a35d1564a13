//go:build rolling && linux

package breakerhttp_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// TestRolling_Restarts restarts two instances in turn, behind HAProxy and under a steady load of
// HTTP/1.1 and HTTP/2, and counts the requests that fail. HAProxy doesn't retry: with its usual 3
// retries, a second apart, it turns most failures into requests that take a second. The test
// installs HAProxy by apt-get if there is none, as root on Debian.
//
//	go test -tags rolling -run TestRolling_Restarts -v ./breakerhttp
//
// With BREAKER_ROLLING=short it restarts 4 times instead of 20, in some 30 seconds.
func TestRolling_Restarts(t *testing.T) {
	restarts := 20
	if os.Getenv("BREAKER_ROLLING") == "short" {
		restarts = 4
	}
	path := installHAProxy(t)
	var table bytes.Buffer
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%d restarts\tHTTP/1.1: requests\tfailed\tHTTP/2: requests\tfailed\t\n", restarts)
	for _, how := range []struct {
		name, instance string
		second         bool // a second SIGTERM, a tenth of a second after the first
		perfect        bool
	}{
		{name: "http.Server.Shutdown at the signal", instance: "by hand"},
		{name: "Serve", instance: "Serve"},
		{name: "Serve, WithDrainDelay and Ready, SIGTERM twice", instance: "WithDrainDelay", second: true, perfect: true},
	} {
		r := &rolling{t: t, instance: how.instance, second: how.second}
		one, two := r.run(path, restarts)
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t\n", how.name, one.requests, one.failed, two.requests, two.failed)
		for _, l := range []*load{one, two} {
			assert.Greater(t, l.requests, restarts*10, "the load was no load")
			if how.perfect {
				assert.Zero(t, l.failed, l.failures)
			}
		}
	}
	require.NoError(t, out.Flush())
	t.Logf("\n%s", &table)
}

func installHAProxy(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err == nil {
		return path
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "haproxy"}} {
		out, err := exec.CommandContext(t.Context(), "apt-get", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	path, err = exec.LookPath("haproxy")
	require.NoError(t, err)
	return path
}

const (
	rollingAddress = "BREAKER_ROLLING_ADDRESS"
	// checkInterval is how often HAProxy asks an instance whether it is ready; twice in a row
	// decides.
	checkInterval = 50 * time.Millisecond
	// restartTime is how long an instance is down, and how long both are up between two restarts.
	restartTime = 6 * checkInterval
	// drainDelay outlasts two checks by far, because a busy machine is late with them.
	drainDelay = 40 * checkInterval
)

// pause lets the load go on.
func pause(d time.Duration) { <-breaker.BreakByTimeout(d).Done() }

// The instances: the test binary itself.
func init() {
	for name, options := range map[string][]breakerhttp.ServeOption{
		"Serve":          nil,
		"WithDrainDelay": {breakerhttp.WithDrainDelay(drainDelay)},
	} {
		children[name] = func() {
			stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
			defer stop.Close()
			if err := breakerhttp.ListenAndServe(rollingServer(breakerhttp.Ready()), stop, options...); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
	}
	// What the documentation of net/http suggests.
	children["by hand"] = func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		server := rollingServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		done := make(chan error)
		go func() {
			<-ctx.Done()
			done <- server.Shutdown(context.Background())
		}()
		err := server.ListenAndServe()
		if errors.Is(err, http.ErrServerClosed) {
			err = <-done
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func rollingServer(ready http.Handler) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /ready", ready)
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		pause(10 * time.Millisecond) // stands for the work
		w.Write(body)
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Addr: os.Getenv(rollingAddress), Handler: mux, Protocols: protocols}
}

// rolling is one row of the table.
type rolling struct {
	t        *testing.T
	instance string
	second   bool

	socket    string
	addresses [2]string
	instances [2]*exec.Cmd
}

func (r *rolling) run(haproxy string, restarts int) (one, two *load) {
	t := r.t
	dir := t.TempDir()
	front1, front2 := freeAddress(t), freeAddress(t)
	r.socket = filepath.Join(dir, "socket")
	for i := range r.addresses {
		r.addresses[i] = freeAddress(t)
		r.start(i)
	}
	// On a busy machine an instance may be slow, and isn't down for that. Without a timeout of its
	// own, a check would fail after the interval.
	config := fmt.Sprintf(`
global
	stats socket %s mode 600
defaults
	mode http
	retries 0
	timeout connect 30s
	timeout check 5s
	timeout client 30s
	timeout server 30s
	option httpchk GET /ready
	default-server check inter %dms fall 2 rise 2
frontend front1
	bind %s
	default_backend back1
frontend front2
	bind %s proto h2
	default_backend back2
backend back1
	server a %[5]s
	server b %[6]s
backend back2
	server a %[5]s proto h2
	server b %[6]s proto h2
`, r.socket, checkInterval.Milliseconds(), front1, front2, r.addresses[0], r.addresses[1])
	file := filepath.Join(dir, "haproxy.cfg")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	proxy := exec.Command(haproxy, "-db", "-q", "-f", file)
	var log bytes.Buffer
	proxy.Stdout, proxy.Stderr = &log, &log
	require.NoError(t, proxy.Start())
	defer func() {
		require.NoError(t, proxy.Process.Signal(syscall.SIGKILL))
		_ = proxy.Wait() // killed
		for i := range r.instances {
			r.end(i)
		}
	}()
	r.awaitUp()

	stop := breaker.New()
	one, two = newLoad(front1, false), newLoad(front2, true)
	var running sync.WaitGroup
	for _, l := range []*load{one, two} {
		running.Go(func() { l.run(stop) })
	}
	for n := range restarts {
		pause(restartTime)
		r.end(n % 2)
		pause(restartTime)
		r.start(n % 2)
		r.awaitUp()
	}
	stop.Close()
	running.Wait()
	return one, two
}

func (r *rolling) start(i int) {
	self, err := os.Executable()
	require.NoError(r.t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asChild+"="+r.instance, rollingAddress+"="+r.addresses[i])
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	require.NoError(r.t, cmd.Start())
	r.instances[i] = cmd
}

func (r *rolling) end(i int) {
	cmd := r.instances[i]
	require.NoError(r.t, cmd.Process.Signal(syscall.SIGTERM))
	if r.second {
		pause(100 * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	}
	assert.NoError(r.t, cmd.Wait(), "the instance has ended well")
}

// awaitUp waits until both instances are ready, and HAProxy takes them for that.
func (r *rolling) awaitUp() {
	r.t.Helper()
	var status string
	for limit := breaker.BreakByTimeout(patience); limit.Err() == nil; pause(checkInterval / 5) {
		status = r.status()
		if r.areReady() && strings.Count(status, "UP") == 4 {
			return
		}
	}
	require.FailNow(r.t, "the instances never came up", status)
}

func (r *rolling) areReady() bool {
	for _, address := range r.addresses {
		response, err := http.Get("http://" + address + "/ready")
		if err != nil {
			return false
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

// status returns the states of the servers.
func (r *rolling) status() string {
	conn, err := net.Dial("unix", r.socket)
	if err != nil {
		return err.Error() // HAProxy is just starting
	}
	defer conn.Close()
	fmt.Fprintln(conn, "show stat")
	records, err := csv.NewReader(conn).ReadAll()
	if err != nil {
		return err.Error()
	}
	var status strings.Builder
	for _, record := range records {
		if record[1] == "a" || record[1] == "b" {
			fmt.Fprintln(&status, record[0], record[1], record[17])
		}
	}
	return status.String()
}

func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// load sends requests at a steady pace.
type load struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	requests int
	failed   int
	failures map[string]int
}

func newLoad(address string, http2 bool) *load {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &load{
		url:      "http://" + address,
		client:   &http.Client{Transport: &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 100}},
		failures: make(map[string]int),
	}
}

// run sends a request every few milliseconds, whether or not those before are answered.
func (l *load) run(stop *breaker.Breaker) {
	var requests sync.WaitGroup
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	for stop.Err() == nil {
		<-pace.C
		requests.Go(func() {
			l.count(l.send())
		})
	}
	requests.Wait()
	l.client.CloseIdleConnections()
}

// send sends a POST, which no client and no proxy may send twice.
func (l *load) send() error {
	response, err := l.client.Post(l.url, "text/plain", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || string(body) != "hello" {
		return cmp.Or(err, errors.New(response.Status))
	}
	return nil
}

func (l *load) count(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failed++
		l.failures[err.Error()]++
	}
}
