package breakernats_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakercluster"
	"github.com/kamilsk/breaker/breakercluster/clustertest"
	"github.com/kamilsk/breaker/breakernats"
)

// The tests that every store of package breakercluster has to pass. The expiry is the bucket's: a
// second for the test of it, as no option of a Bucket reaches it.
func TestConformance(t *testing.T) { clustertest.Run(t, engine) }

// BenchmarkEngine measures what the other engines measure, on as many clients.
func BenchmarkEngine(b *testing.B) { clustertest.Benchmark(b, engine) }

func engine(t testing.TB) *clustertest.Engine {
	users := func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "admin", Password: "p"},
			{Username: "reader", Password: "p", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: watching},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		}
	}
	s := startServer(t, users, func(o *server.Options) { o.Port = freePort() })
	u, err := url.Parse(s.ClientURL())
	require.NoError(t, err)
	admin := connect(t, s.ClientURL(), nats.UserInfo("admin", "p"))
	expires := func(c *jetstream.KeyValueConfig) {
		if t.Name() == "TestConformance/Expiry" {
			c.TTL, c.LimitMarkerTTL = time.Second, 0
		}
	}
	createBucket(t, admin, expires)
	store := func(t testing.TB, nc *nats.Conn) breakercluster.Store {
		s, err := breakernats.NewStore(within(t), contextOf(t, nc), bucketName, 0)
		require.NoError(t, err)
		return s
	}
	return &clustertest.Engine{
		Addr: u.Host,
		Open: func(t testing.TB, addr string) (breakercluster.Store, func()) {
			nc := connect(t, "nats://"+addr, nats.UserInfo("admin", "p"))
			return store(t, nc), nc.Close
		},
		Restart: func(t testing.TB) { s = restart(t, s, users) },
		Reader: func(t testing.TB) breakercluster.Store {
			return store(t, connect(t, s.ClientURL(), nats.UserInfo("reader", "p")))
		},
		Delete: func(t testing.TB, key string) {
			require.NoError(t, keyValue(t, admin).Delete(within(t), key))
		},
		ShortestTTL: time.Second,
		Subscribe: func(t testing.TB, f func()) {
			nc := connect(t, s.ClientURL(), nats.UserInfo("admin", "p"))
			_, err := nc.Subscribe("floor", func(*nats.Msg) { f() })
			require.NoError(t, err)
			require.NoError(t, nc.Flush())
		},
		Publish: func(t testing.TB) { require.NoError(t, admin.Publish("floor", nil)) },
	}
}
