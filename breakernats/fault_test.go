package breakernats_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

// nats.go gives up after some attempts, and never connects again: the breaker couldn't fire any
// more.
func TestFault_GivenUp(t *testing.T) {
	t.Parallel()
	s, _ := single(t, func(o *server.Options) { o.Port = freePort() })
	far := connect(t, s.ClientURL(), nats.MaxReconnects(3))
	br := breakBy(t, open(t, far), "import")
	held := breakBy(t, open(t, far, breakernats.WithHoldOnClose()), "import")
	restart(t, s).Shutdown()
	awaitThat(t, far.IsClosed, "the end of the attempts")
	await(t, br)
	var lost breakernats.ConnectionError
	require.ErrorAs(t, br.Cause(), &lost)
	assert.Equal(t, bucketName, lost.Bucket)
	assert.Equal(t, "import", lost.Key)
	assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
	assert.ErrorContains(t, br.Cause(), "jobs/import: the connection is closed for good")
	assertOpen(t, held)
}

// The password changes while the connection is up. nats.go closes it at the second refusal.
func TestFault_CredentialsRotated(t *testing.T) {
	t.Parallel()
	users := func(password string) func(*server.Options) {
		return func(o *server.Options) {
			o.Users = []*server.User{{Username: "worker", Password: password}, {Username: "admin", Password: "p"}}
		}
	}
	s := startServer(t, users("old"), func(o *server.Options) { o.Port = freePort() })
	createBucket(t, connect(t, s.ClientURL(), nats.UserInfo("admin", "p")))
	far := connect(t, s.ClientURL(), nats.UserInfo("worker", "old"))
	br := breakBy(t, open(t, far), "import")

	restart(t, s, users("new"))
	awaitThat(t, far.IsClosed, "the second refusal")
	await(t, br)
	var lost breakernats.ConnectionError
	require.ErrorAs(t, br.Cause(), &lost)
	assert.ErrorIs(t, lost.Err, nats.ErrAuthorization)
}

// A worker that mustn't trip, and tries to, on the connection on which others only watch.
func TestFault_DeniedRequestsLeaveOthersAlone(t *testing.T) {
	const callers = 80
	_, worker, _ := documented(t)
	b := open(t, worker)
	breakBy(t, b, "first")
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		key := fmt.Sprint("import.", i)
		wait.Go(func() {
			<-start
			_, _, err := b.Trip(within(t), key, errors.New("I may not"))
			assert.ErrorIs(t, err, nats.ErrPermissionViolation)
			assert.ErrorContains(t, err, `"$KV.jobs.`+key+`"`)
		})
		for range 2 {
			wait.Go(func() {
				<-start
				br, err := b.BreakByKey(within(t), key)
				if assert.NoError(t, err) {
					br.Close()
				}
			})
		}
	}
	close(start)
	wait.Wait()
}

// For longer than a silence, something is denied all the time. The silence outlasts what other
// tests, which run at the same time, hold up the pulses.
func TestFault_DeniedRequestsAreNoSilence(t *testing.T) {
	t.Parallel()
	const silence, delay = 3 * time.Second, 50 * time.Millisecond
	_, near, _ := documented(t)
	u, err := url.Parse(near.ConnectedUrl())
	require.NoError(t, err)
	p := startProxyTo(t, u.Host)
	p.delay.Store(int64(delay))
	worker := connect(t, p.url(), nats.UserInfo("worker", "…"))
	b := open(t, worker)
	guard := breakBy(t, open(t, worker, breakernats.WithSilence(silence)), "guarded")
	for begin := time.Now(); time.Since(begin) < 2*silence; {
		_, _, err := b.Trip(within(t), "import", nil)
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
	}
	assertOpen(t, guard)
}

// An innocent breaker behind very many whose callbacks block.
func TestFault_InnocentBehindBlockedCallbacks(t *testing.T) {
	const many = 100
	s, nc := single(t)
	b, tripper := open(t, connect(t, s.ClientURL())), open(t, nc)
	release := make(chan struct{})
	var blocked []*breaker.Breaker
	for i := range many {
		br := breakBy(t, b, fmt.Sprint("blocked.", i))
		br.OnTrip(func() { <-release })
		blocked = append(blocked, br)
	}
	innocent := breakBy(t, b, "innocent")
	for i := range many {
		trip(t, tripper, fmt.Sprint("blocked.", i), "no more")
	}
	trip(t, tripper, "innocent", "no more")
	await(t, innocent) // while all the others block
	close(release)
	for _, br := range blocked {
		awaitThat(t, func() bool { return br.State() == breaker.Closed }, "the end of the callbacks")
	}
}

// A stop never fails because its text, or the name of its author, is long.
func TestFault_LongTextIsCut(t *testing.T) {
	const huge = 4 << 20
	for name, change := range map[string]func(*jetstream.KeyValueConfig){
		"payload of the server": func(*jetstream.KeyValueConfig) {},
		"values of 300 bytes":   func(c *jetstream.KeyValueConfig) { c.MaxValueSize = 300 },
		"values of 100 bytes":   func(c *jetstream.KeyValueConfig) { c.MaxValueSize = 100 },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			nc := connect(t, s.ClientURL())
			createBucket(t, nc, change)
			far := breakBy(t, open(t, connect(t, s.ClientURL())), "import")
			long := open(t, nc, breakernats.WithName(strings.Repeat("n", huge)))
			near := breakBy(t, long, "import")
			// Control characters and the ends of lines take six bytes each in a record.
			cause := trip(t, long, "import", "because "+strings.Repeat("ä\u2028", huge))
			assertTripped(t, near, cause)
			await(t, far)
			assertTripped(t, far, cause)
			assert.True(t, strings.HasPrefix(cause.Text, "because "), cause.Text)
			assert.True(t, strings.HasSuffix(cause.Text, "…"))
			assert.NotContains(t, cause.Text, "\ufffd")
		})
	}
}

func TestFault_SilenceSaysWhy(t *testing.T) {
	t.Parallel()
	s, _ := single(t)
	far := connect(t, s.ClientURL())
	br := breakBy(t, open(t, far, breakernats.WithSilence(3*time.Second)), "import")
	stop(s)
	await(t, br)
	var silence breakernats.SilenceError
	require.ErrorAs(t, br.Cause(), &silence)
	assert.ErrorIs(t, silence.Why, nats.ErrDisconnected)
	assert.ErrorContains(t, br.Cause(), nats.ErrDisconnected.Error())
}

// The contact is lost and comes back. Contact says so, and so does the hook.
func TestFault_ContactIsTold(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	p := startProxy(t, s)
	told := make(chan breakernats.Contact, 10)
	b := open(t, connect(t, p.url()), breakernats.WithContactHook(func(c breakernats.Contact) { told <- c }))
	assert.Equal(t, breakernats.Contact{}, b.Contact(), "nothing is watched")
	br := breakBy(t, b, "import")
	c := b.Contact()
	assert.True(t, c.Up)
	assert.NoError(t, c.Why)
	assert.Equal(t, 1, c.Breakers)
	assert.Equal(t, uint64(1), c.Watches)

	p.sever()
	c = <-told
	assert.False(t, c.Up)
	assert.Error(t, c.Why)
	assert.NotZero(t, c.Since)
	p.heal()
	c = <-told
	assert.True(t, c.Up)
	assert.NoError(t, c.Why)
	assert.GreaterOrEqual(t, c.Watches, uint64(2))
	trip(t, open(t, nc), "import", "no more")
	await(t, br)
	awaitThat(t, func() bool { return b.Contact() == breakernats.Contact{} }, "the end of the watch")
}

// A hook that is missing, or that blocks, changes nothing for the breakers.
func TestFault_BlockedHook(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	p := startProxy(t, s)
	release, called := make(chan struct{}), make(chan struct{}, 10)
	b := open(t, connect(t, p.url()), breakernats.WithContactHook(func(breakernats.Contact) {
		called <- struct{}{}
		<-release
	}))
	br := breakBy(t, b, "import")
	p.sever()
	<-called
	p.heal()
	cause := trip(t, open(t, nc), "import", "no more")
	await(t, br)
	assertTripped(t, br, cause)
	close(release)
}
