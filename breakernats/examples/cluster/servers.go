package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// serverParameters are what a server has to know.
type serverParameters struct {
	Name  string
	Store string
	// Port is where the other servers reach it, Routes where it reaches them.
	Port   int
	Routes []string
}

// serve is a NATS server.
func serve(in io.Reader, out io.Writer) error {
	var p serverParameters
	lines, err := begin(in, &p)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: p.Name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: p.Store,
		Cluster: server.ClusterOpts{Name: "example", Host: "127.0.0.1", Port: p.Port},
		Routes:  server.RoutesFromStr(strings.Join(p.Routes, ",")),
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return fmt.Errorf("server %s isn't ready", p.Name)
	}
	err = json.NewEncoder(out).Encode(event{What: "ready", Name: p.Name, URL: s.ClientURL()})
	if err != nil {
		return err
	}
	for lines.Scan() {
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// servers are a cluster of processes.
type servers struct {
	all   map[string]*process
	urls  []string
	store string
}

// startServers starts a cluster.
func startServers(ctx context.Context, names ...string) (c *servers, err error) {
	c = &servers{all: make(map[string]*process)}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if c.store, err = os.MkdirTemp("", "breakernats"); err != nil {
		return nil, err
	}
	ports := freePorts(len(names))
	if len(ports) < len(names) {
		return nil, errors.New("there are no free ports")
	}
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	for i, name := range names {
		c.all[name], err = spawn("server", serverParameters{name, filepath.Join(c.store, name), ports[i], routes})
		if err != nil {
			delete(c.all, name)
			return nil, err
		}
	}
	for _, p := range c.all {
		ready, err := p.expect(ctx, "ready")
		if err != nil {
			return nil, err
		}
		c.urls = append(c.urls, ready.URL)
	}
	return c, nil
}

// freePorts returns ports that no other process uses, now or soon: systems choose the ports of
// clients from a higher range.
func freePorts(many int) (ports []int) {
	const first, last = 20000, 30000
	for port := first + rand.N(last-first-1000); len(ports) < many && port < last; port++ {
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = l.Close()
			ports = append(ports, port)
		}
	}
	return ports
}

func (c *servers) url() string { return strings.Join(c.urls, ",") }

// kill ends one of them without a warning.
func (c *servers) kill(name string) error {
	p := c.all[name]
	if p == nil {
		return fmt.Errorf("there is no server %q to kill", name)
	}
	delete(c.all, name)
	return p.kill()
}

// stop ends those that are left.
func (c *servers) stop() {
	for _, p := range c.all {
		_ = p.kill() // they would take their time to hand over to each other
	}
	if c.store != "" {
		_ = os.RemoveAll(c.store)
	}
}
