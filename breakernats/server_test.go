package breakernats_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

const bucketName = "jobs"

// startServer starts a server with JetStream, which ends with the test.
func startServer(t testing.TB, change ...func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	}
	for _, f := range change {
		f(o)
	}
	return startWith(t, o)
}

func startWith(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { stop(s) })
	require.True(t, s.ReadyForConnections(patience))
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// restart starts a server again, with the same address and the same data.
func restart(t testing.TB, s *server.Server, change ...func(*server.Options)) *server.Server {
	t.Helper()
	address, err := url.Parse(s.ClientURL())
	require.NoError(t, err)
	var port int
	_, err = fmt.Sscan(address.Port(), &port)
	require.NoError(t, err)
	o := &server.Options{
		Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true, JetStream: true, StoreDir: filepath.Dir(s.StoreDir()),
	}
	for _, f := range change {
		f(o)
	}
	stop(s)
	return startWith(t, o)
}

// connect connects a client that tries for ever, and soon, to come back.
func connect(t testing.TB, address string, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, options...)
	nc, err := nats.Connect(address, options...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// createBucket creates the bucket that the tests use.
func createBucket(t testing.TB, nc *nats.Conn, change ...func(*jetstream.KeyValueConfig)) {
	t.Helper()
	config := jetstream.KeyValueConfig{Bucket: bucketName, TTL: time.Hour, LimitMarkerTTL: time.Minute}
	for _, f := range change {
		f(&config)
	}
	js := contextOf(t, nc)
	awaitThat(t, func() bool {
		// A cluster that is about to have a leader doesn't answer.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := js.CreateKeyValue(ctx, config)
		return err == nil
	}, "the bucket")
}

// single starts a server with the bucket and connects to it.
func single(t testing.TB, change ...func(*server.Options)) (*server.Server, *nats.Conn) {
	t.Helper()
	s := startServer(t, change...)
	nc := connect(t, s.ClientURL())
	createBucket(t, nc)
	return s, nc
}

// ports is the last one that was given out.
var ports atomic.Int64

// freePort returns a port that no other process uses, now or soon: systems take those that a client
// gets from higher up.
func freePort() int {
	const first, many = 20000, 10000
	ports.CompareAndSwap(0, rand.Int64N(many))
	for {
		port := first + int(ports.Add(1)%many)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
}

// cluster starts three servers that have elected a leader.
func cluster(t testing.TB) []*server.Server {
	t.Helper()
	const size = 3
	var routes []*url.URL
	var ports []int
	for range size {
		port := freePort()
		ports = append(ports, port)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprint("127.0.0.1:", port)})
	}
	var all []*server.Server
	for i := range size {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
		})
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() { stop(s) })
		all = append(all, s)
	}
	for _, s := range all {
		require.True(t, s.ReadyForConnections(patience))
	}
	awaitThat(t, func() bool {
		for _, s := range all {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == size
			}
		}
		return false
	}, "a leader of the cluster")
	return all
}

// proxy stands between a client and a server, and can be cut.
type proxy struct {
	listener net.Listener
	target   string
	wait     sync.WaitGroup

	// delay is how long what passes is under way, in either direction.
	delay atomic.Int64

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	// up and down are closed while bytes flow to the server and from it, and replaced by open
	// channels while they don't.
	up, down chan struct{}
}

// startProxy starts a proxy to the server, which ends with the test.
func startProxy(t testing.TB, s *server.Server) *proxy {
	t.Helper()
	address, err := url.Parse(s.ClientURL())
	require.NoError(t, err)
	return startProxyTo(t, address.Host)
}

func startProxyTo(t testing.TB, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target, conns: make(map[net.Conn]struct{})}
	p.up, p.down = make(chan struct{}), make(chan struct{})
	p.thaw()
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.thaw()
		p.sever()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	upstream, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.keep(client, upstream) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(upstream, client, &p.up) })
	both.Go(func() { p.pump(client, upstream, &p.down) })
	both.Wait()
	p.drop(client, upstream)
}

// pump copies until either end is closed, holding back while the proxy is frozen.
func (p *proxy) pump(to, from net.Conn, gate *chan struct{}) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		flows := *gate
		p.mu.Unlock()
		<-flows
		time.Sleep(time.Duration(p.delay.Load()))
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.cut {
			_ = c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return !p.cut
}

func (p *proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// sever cuts all connections and lets none through any more.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// heal lets connections through again.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// freeze lets nothing through, without closing anything: what a client sees of a partition at
// first.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up = make(chan struct{})
	p.down = make(chan struct{})
}

// freezeAnswers lets through only what the client sends.
func (p *proxy) freezeAnswers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = make(chan struct{})
}

// thaw lets through what was held back, and everything after it.
func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, gate := range []chan struct{}{p.up, p.down} {
		select {
		case <-gate:
		default:
			close(gate)
		}
	}
}
