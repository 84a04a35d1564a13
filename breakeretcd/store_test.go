package breakeretcd_test

import (
	"context"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakeretcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore_Conformance(t *testing.T) { clustertest.Run(t, start) }

func BenchmarkTripToStop(b *testing.B) { clustertest.Benchmark(b, start) }

func TestStore_BadInput(t *testing.T) {
	for want, f := range map[string]func(){
		"breakeretcd: New: the client is nil":   func() { breakeretcd.New(nil, "jobs") },
		"breakeretcd: New: the prefix is empty": func() { breakeretcd.New(new(clientv3.Client), "") },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("%v instead of %s", got, want)
				}
			}()
			f()
		}()
	}
}

// connect returns a client, which is closed when the test ends.
func connect(t testing.TB, addr, user string) *clientv3.Client {
	t.Helper()
	client := dial(t, addr, user)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func dial(t testing.TB, addr, user string) *clientv3.Client {
	t.Helper()
	c := clientv3.Config{Endpoints: []string{addr}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()}
	if user != "" {
		c.Username, c.Password = user, "p"
	}
	client, err := clientv3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// start starts a server with an empty directory.
func start(t testing.TB) *clustertest.Engine {
	t.Helper()
	address := func() string { return fmt.Sprint("127.0.0.1:", clustertest.FreePort()) }
	addr, peer, dir := address(), address(), t.TempDir()
	run := func() *clustertest.Process {
		at := func(addr string) string { return (&url.URL{Scheme: "http", Host: addr}).String() }
		return clustertest.Start(t, "etcd", "--data-dir", dir, "--name", "n", "--logger", "zap", "--log-level", "error",
			"--listen-client-urls", at(addr), "--advertise-client-urls", at(addr), "--listen-peer-urls", at(peer),
			"--initial-advertise-peer-urls", at(peer), "--initial-cluster", "n="+at(peer))
	}
	server := run()
	user := "" // once there are users, the tests are the one who may do everything
	admin := connect(t, addr, "")
	ctx := context.Background()
	do := func(t testing.TB, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	up := func(t testing.TB) {
		clustertest.Await(t, func() bool {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := admin.Get(ctx, "up")
			return err == nil
		}, "the server")
	}
	up(t)
	return &clustertest.Engine{
		Addr: addr,
		Open: func(t testing.TB, addr string) (breakercluster.Store, func()) {
			client := dial(t, addr, user)
			return breakeretcd.New(client, "jobs"), func() { _ = client.Close() }
		},
		Restart: func(t testing.TB) {
			server.Terminate(syscall.SIGTERM)
			server = run()
			up(t)
		},
		Reader: func(t testing.TB) breakercluster.Store {
			for _, name := range []string{"root", "reader"} {
				_, err := admin.UserAdd(ctx, name, "p")
				do(t, err)
				_, err = admin.RoleAdd(ctx, name)
				do(t, err)
				_, err = admin.UserGrantRole(ctx, name, name)
				do(t, err)
			}
			read := clientv3.PermissionType(clientv3.PermRead)
			_, err := admin.RoleGrantPermission(ctx, "reader", "jobs/", clientv3.GetPrefixRangeEnd("jobs/"), read)
			do(t, err)
			_, err = admin.AuthEnable(ctx)
			do(t, err)
			user = "root"
			return breakeretcd.New(connect(t, addr, "reader"), "jobs")
		},
		Delete: func(t testing.TB, key string) {
			_, err := admin.Delete(ctx, "jobs/keys/"+key)
			do(t, err)
		},
		Forget: func(t testing.TB) {
			answer, err := admin.Get(ctx, "jobs/newest")
			do(t, err)
			_, err = admin.Compact(ctx, answer.Header.Revision, clientv3.WithCompactPhysical())
			do(t, err)
		},
		ShortestTTL: 2 * time.Second,
		Subscribe: func(t testing.TB, f func()) {
			updates := connect(t, addr, "").Watch(ctx, "floor", clientv3.WithCreatedNotify())
			<-updates
			go func() {
				for range updates {
					f()
				}
			}()
		},
		Publish: func(t testing.TB) {
			_, err := admin.Put(ctx, "floor", "")
			do(t, err)
		},
	}
}
