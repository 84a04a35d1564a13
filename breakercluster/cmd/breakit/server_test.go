//go:build linux

package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakercluster/clustertest"
)

// servers start each engine. They return the URL of a store with %s for the address, and the
// address.
var servers = map[string]func(t testing.TB) (store, addr string){
	"nats": func(t testing.TB) (string, string) {
		o := &server.Options{
			Host: "127.0.0.1", Port: clustertest.FreePort(), NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		}
		s, err := server.NewServer(o)
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		return "nats://%s?name=jobs", fmt.Sprint("127.0.0.1:", o.Port)
	},
	"etcd": func(t testing.TB) (string, string) {
		addr, peer := address(), address()
		clustertest.Start(t, "etcd", "--data-dir", t.TempDir(), "--name", "n", "--logger", "zap", "--log-level", "error",
			"--listen-client-urls", "http://"+addr, "--advertise-client-urls", "http://"+addr, "--listen-peer-urls", "http://"+peer,
			"--initial-advertise-peer-urls", "http://"+peer, "--initial-cluster", "n=http://"+peer)
		return "etcd://%s?name=jobs", addr
	},
	"postgres": func(t testing.TB) (string, string) {
		dir, err := os.MkdirTemp("", "breakit") // t.TempDir is beneath one that others can't enter
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		var as []string // the server refuses to run as root
		if os.Getuid() == 0 {
			u, err := user.Lookup("postgres")
			require.NoError(t, err)
			uid, err := strconv.Atoi(u.Uid)
			require.NoError(t, err)
			require.NoError(t, os.Chown(dir, uid, -1))
			as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}
		}
		all, err := filepath.Glob("/usr/lib/postgresql/*/bin")
		require.NoError(t, err)
		require.NotEmpty(t, all)
		start := func(program string, args ...string) *clustertest.Process {
			command := append(append(as[:len(as):len(as)], all[len(all)-1]+"/"+program, "-D", dir+"/data"), args...)
			return clustertest.Start(t, command[0], command[1:]...)
		}
		start("initdb", "-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").Wait()
		port := strconv.Itoa(clustertest.FreePort())
		start("postgres", "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", dir)
		return "postgres://admin@%s/postgres?sslmode=disable&name=jobs", "127.0.0.1:" + port
	},
	"redis": func(t testing.TB) (string, string) {
		port := strconv.Itoa(clustertest.FreePort())
		clustertest.Start(t, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "")
		return "redis://%s/0?name=jobs", "127.0.0.1:" + port
	},
}

func address() string { return fmt.Sprint("127.0.0.1:", clustertest.FreePort()) }

// serve starts an engine, and waits until it has what the keys are kept in.
func serve(t testing.TB, engine string) (store, addr string) {
	t.Helper()
	store, addr = servers[engine](t)
	m := newMachine(t)
	clustertest.Await(t, func() bool {
		return m.run("init", "--store", fmt.Sprintf(store, addr)).code == 0 &&
			m.run("trip", "--key", "up", "--store", fmt.Sprintf(store, addr)).code == 0
	}, "the server")
	return store, addr
}
