package breakerpostgres_test

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakerpostgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { clustertest.Run(t, start) }

func BenchmarkTripToStop(b *testing.B) { clustertest.Benchmark(b, start) }

func TestStore_BadInput(t *testing.T) {
	for want, f := range map[string]func(){
		"breakerpostgres: New: the pool is nil":    func() { breakerpostgres.New(nil, "jobs") },
		"breakerpostgres: New: the table is empty": func() { breakerpostgres.New(new(pgxpool.Pool), "") },
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

// binary returns where the server's program is: Debian keeps one set for each version.
func binary(t testing.TB, name string) string {
	t.Helper()
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(all) == 0 {
		t.Fatal("no", name, err)
	}
	return all[len(all)-1]
}

// unprivileged returns a command for what refuses to run as root.
func unprivileged(t testing.TB, dir string, command ...string) []string {
	t.Helper()
	if os.Getuid() != 0 {
		return command
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	return append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}, command...)
}

// start starts a server with an empty directory.
func start(t testing.TB) *clustertest.Engine {
	t.Helper()
	// t.TempDir is beneath one that others can't enter.
	dir, err := os.MkdirTemp("", "breakerpostgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := clustertest.FreePort()
	addr := fmt.Sprint("127.0.0.1:", port)
	run := func(command ...string) *clustertest.Process {
		command = unprivileged(t, dir, command...)
		return clustertest.Start(t, command[0], command[1:]...)
	}
	run(binary(t, "initdb"), "-D", dir+"/data", "-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").Wait()
	serve := func() *clustertest.Process {
		return run(binary(t, "postgres"), "-D", dir+"/data", "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
			"-k", dir, "-c", "max_connections=200")
	}
	server := serve()
	ctx := context.Background()
	dial := func(t testing.TB, addr, user string) *pgxpool.Pool {
		t.Helper()
		pool, err := pgxpool.New(ctx, "postgres://"+user+"@"+addr+"/postgres?connect_timeout=2")
		if err != nil {
			t.Fatal(err)
		}
		return pool
	}
	connect := func(t testing.TB, addr, user string) *pgxpool.Pool {
		t.Helper()
		pool := dial(t, addr, user)
		t.Cleanup(pool.Close)
		return pool
	}
	admin := connect(t, addr, "admin")
	up := func(t testing.TB) {
		clustertest.Await(t, func() bool { return admin.Ping(ctx) == nil }, "the server")
	}
	up(t)
	exec := func(t testing.TB, sql string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := breakerpostgres.New(admin, "jobs").CreateTable(ctx); err != nil {
		t.Fatal(err)
	}
	return &clustertest.Engine{
		Addr: addr,
		Open: func(t testing.TB, addr string) (breakercluster.Store, func()) {
			pool := dial(t, addr, "admin")
			return breakerpostgres.New(pool, "jobs"), pool.Close
		},
		Restart: func(t testing.TB) {
			server.Terminate(syscall.SIGINT) // ends the sessions, too
			server = serve()
			up(t)
		},
		Reader: func(t testing.TB) breakercluster.Store {
			exec(t, "CREATE ROLE reader LOGIN")
			exec(t, "GRANT SELECT ON jobs TO reader")
			return breakerpostgres.New(connect(t, addr, "reader"), "jobs")
		},
		Delete:      func(t testing.TB, key string) { exec(t, "DELETE FROM jobs WHERE key = $1", key) },
		Forget:      func(t testing.TB) { exec(t, "VACUUM jobs") },
		ShortestTTL: time.Second,
		Subscribe: func(t testing.TB, f func()) {
			conn, err := pgx.ConnectConfig(ctx, admin.Config().ConnConfig)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(ctx, "LISTEN floor"); err != nil {
				t.Fatal(err)
			}
			life, cancel := context.WithCancel(ctx)
			ended := make(chan struct{})
			t.Cleanup(func() {
				cancel()
				<-ended
				_ = conn.Close(ctx)
			})
			go func() {
				defer close(ended)
				for {
					if _, err := conn.WaitForNotification(life); err != nil {
						return
					}
					f()
				}
			}()
		},
		Publish: func(t testing.TB) { exec(t, "NOTIFY floor") },
	}
}
