package breakerredis_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakerredis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { clustertest.Run(t, start) }

func BenchmarkTripToStop(b *testing.B) { clustertest.Benchmark(b, start) }

func TestStore_BadInput(t *testing.T) {
	for want, f := range map[string]func(){
		"breakerredis: New: the client is nil": func() { breakerredis.New(nil, "jobs") },
		"breakerredis: New: the name is empty": func() { breakerredis.New(new(redis.Client), "") },
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

func dial(addr, user string) *redis.Client {
	o := &redis.Options{Addr: addr, Username: user, DisableIdentity: true}
	if user != "" {
		o.Password = "p"
	}
	return redis.NewClient(o)
}

func connect(t testing.TB, addr, user string) *redis.Client {
	c := dial(addr, user)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// serve starts a server that writes each change to disk before it answers.
func serve(t testing.TB, addr, dir string, more ...string) *clustertest.Process {
	t.Helper()
	var port int
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes",
		"--appendfsync", "always", "--repl-diskless-sync-delay", "0",
	}
	return clustertest.Start(t, "redis-server", append(args, more...)...)
}

func up(t testing.TB, c *redis.Client) {
	t.Helper()
	clustertest.Await(t, func() bool { return c.Ping(context.Background()).Err() == nil }, "the server")
}

func start(t testing.TB) *clustertest.Engine {
	t.Helper()
	ctx, dir, addr := context.Background(), t.TempDir(), fmt.Sprint("127.0.0.1:", clustertest.FreePort())
	server := serve(t, addr, dir)
	admin := connect(t, addr, "")
	up(t, admin)
	do := func(t testing.TB, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	return &clustertest.Engine{
		Addr: addr,
		Open: func(t testing.TB, addr string) (breakercluster.Store, func()) {
			client := dial(addr, "")
			return breakerredis.New(client, "jobs"), func() { _ = client.Close() }
		},
		Restart: func(t testing.TB) {
			server.Terminate(syscall.SIGTERM)
			server = serve(t, addr, dir)
			up(t, admin)
		},
		Reader: func(t testing.TB) breakercluster.Store {
			do(t, admin.Do(ctx, "ACL", "SETUSER", "reader", "on", ">p", "%R~breaker:{jobs}:*",
				"+@read", "+@connection", "+evalsha_ro", "+eval_ro").Err())
			return breakerredis.New(connect(t, addr, "reader"), "jobs")
		},
		Delete: func(t testing.TB, key string) {
			do(t, admin.Del(ctx, "breaker:{jobs}:key:"+key).Err())
		},
		Forget: func(t testing.TB) {
			do(t, admin.XTrimMaxLen(ctx, "breaker:{jobs}:log", 1).Err())
		},
		ShortestTTL: time.Second,
		Subscribe: func(t testing.TB, f func()) {
			sub := connect(t, addr, "").Subscribe(ctx, "floor")
			_, err := sub.Receive(ctx)
			do(t, err)
			t.Cleanup(func() { _ = sub.Close() })
			go func() {
				for range sub.Channel() {
					f()
				}
			}()
		},
		Publish: func(t testing.TB) { do(t, admin.Publish(ctx, "floor", "").Err()) },
	}
}
