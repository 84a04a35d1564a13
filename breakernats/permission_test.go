package breakernats_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakernats"
)

// watching is what the package documentation lets a worker publish to.
var watching = []string{
	"$JS.API.STREAM.INFO.KV_jobs", "$JS.API.STREAM.MSG.GET.KV_jobs", "$JS.API.CONSUMER.CREATE.KV_jobs.>",
	"$JS.API.CONSUMER.DELETE.KV_jobs.>", "$JS.FC.KV_jobs.>",
}

// documented starts a server with the account that the package documentation shows, and the bucket.
func documented(t *testing.T) (admin, worker, operator *nats.Conn) {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, config, ok := strings.Cut(string(doc), "//\taccounts {")
	require.True(t, ok)
	config, _, ok = strings.Cut(config, "//\t}\n")
	require.True(t, ok)
	config = "accounts {" + strings.ReplaceAll(config, "//\t", "") + "}\n"
	path := filepath.Join(t.TempDir(), "server.conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	o, err := server.ProcessConfigFile(path)
	require.NoError(t, err)
	require.Len(t, o.Users, 2)
	o.Users = append(o.Users, &server.User{Username: "admin", Password: "…", Account: o.Users[0].Account})
	s := startServer(t, func(defaults *server.Options) {
		o.Host, o.Port, o.NoLog, o.NoSigs = defaults.Host, defaults.Port, true, true
		o.JetStream, o.StoreDir = true, defaults.StoreDir
		*defaults = *o
	})
	user := func(name string) *nats.Conn { return connect(t, s.ClientURL(), nats.UserInfo(name, "…")) }
	admin = user("admin")
	createBucket(t, admin)
	return admin, user("worker"), user("operator")
}

// guarded starts a server with the bucket on which a user may only publish to the subjects allowed,
// and subscribe to his inbox.
func guarded(t *testing.T, allowed ...string) (admin, user *nats.Conn) {
	t.Helper()
	s := startServer(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "admin", Password: "p"},
			{Username: "user", Password: "p", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: allowed},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		}
	})
	admin = connect(t, s.ClientURL(), nats.UserInfo("admin", "p"))
	createBucket(t, admin)
	return admin, connect(t, s.ClientURL(), nats.UserInfo("user", "p"))
}

func TestPermission_WorkerCannotTrip(t *testing.T) {
	_, worker, operator := documented(t)
	reader := open(t, worker)
	br := breakBy(t, reader, "import")

	_, won, err := reader.Trip(within(t), "import", errors.New("I may not"))
	assert.ErrorIs(t, err, nats.ErrPermissionViolation)
	assert.ErrorContains(t, err, "$KV.jobs.import")
	assert.False(t, won)
	assertOpen(t, br)

	cause := trip(t, open(t, operator), "import", "I may")
	await(t, br)
	assertTripped(t, br, cause)
	assertTripped(t, breakBy(t, reader, "import"), cause)
	br.Close()
}

func TestPermission_OperatorCanTrip(t *testing.T) {
	admin, worker, operator := documented(t)
	b := open(t, operator)
	br := breakBy(t, b, "import")
	cause := trip(t, b, "import", "I may")
	assertTripped(t, br, cause)
	stands, won, err := b.Trip(within(t), "import", nil)
	require.NoError(t, err)
	assert.False(t, won)
	assert.Equal(t, cause, stands)
	require.NoError(t, keyValue(t, admin).Delete(within(t), "import"))
	trip(t, b, "import", "again")
	awaitThat(t, func() bool { return consumers(t, admin) == 0 }, "the end of the watch")
	// Nothing was denied.
	assert.NoError(t, operator.LastError())
	assert.NoError(t, worker.LastError())
}

// Each permission is needed, and the lack of it is told by its name, long before the request would
// be given up.
func TestPermission_MissingPermissions(t *testing.T) {
	for missing, subject := range watching[:3] {
		t.Run(subject, func(t *testing.T) {
			var allowed []string
			for i, s := range watching {
				if i != missing {
					allowed = append(allowed, s)
				}
			}
			admin, user := guarded(t, allowed...)
			js := contextOf(t, user)
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			b, err := breakernats.Open(ctx, js, bucketName)
			if err == nil {
				_, err = b.BreakByKey(ctx, "import")
			}
			assert.ErrorIs(t, err, nats.ErrPermissionViolation)
			assert.ErrorContains(t, err, subject[:len(subject)-1])
			awaitThat(t, func() bool { return consumers(t, admin) == 0 }, "the end of the watch")
		})
	}
}
