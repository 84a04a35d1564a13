package breakernats_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

// assertSilenced checks that the breaker has tripped because of a silence.
func assertSilenced(t *testing.T, br *breaker.Breaker, key string, limit time.Duration) {
	t.Helper()
	assert.Equal(t, breaker.Interrupted, br.Err())
	var silence breakernats.SilenceError
	require.ErrorAs(t, br.Cause(), &silence)
	assert.Equal(t, bucketName, silence.Bucket)
	assert.Equal(t, key, silence.Key)
	assert.Equal(t, limit, silence.Limit)
	const slew = 10 * time.Millisecond // the wall clock may be set meanwhile, by a little
	assert.GreaterOrEqual(t, time.Since(silence.Since), limit-slew)
	assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
	assert.ErrorIs(t, br.Cause(), context.Canceled)
	assert.NotErrorIs(t, br.Cause(), context.DeadlineExceeded)
}

// In one process, on one watch, one breaker holds and two don't.
func TestPulse_Silence(t *testing.T) {
	const short, long = 400 * time.Millisecond, 900 * time.Millisecond
	for name, lose := range map[string]func(*proxy){"severed": (*proxy).sever, "frozen": (*proxy).freeze} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, nc := single(t)
			p := startProxy(t, s)
			far := connect(t, p.url())
			hold := breakBy(t, open(t, far), "import")
			one := breakBy(t, open(t, far, breakernats.WithSilence(short)), "import")
			two := breakBy(t, open(t, far, breakernats.WithSilence(long)), "import")
			closed := breakBy(t, open(t, far, breakernats.WithSilence(long)), "import")
			closed.Close()
			assert.Equal(t, 1, consumers(t, nc))

			lose(p)
			await(t, one)
			assertSilenced(t, one, "import", short)
			await(t, two)
			assertSilenced(t, two, "import", long)
			assertOpen(t, hold)
			assert.Equal(t, breaker.ErrClosed, closed.Cause())

			cause := trip(t, open(t, nc), "import", "no more")
			p.thaw()
			p.heal()
			await(t, hold)
			assertTripped(t, hold, cause)
			assertSilenced(t, one, "import", short)
		})
	}
}

// As long as there is contact, the silence is never over, however long nothing happens; and then it
// is.
func TestPulse_Contact(t *testing.T) {
	t.Parallel()
	const silence = 10 * time.Second // a busy machine may be without a pulse for some of them
	s, _ := single(t)
	br := breakBy(t, open(t, connect(t, s.ClientURL()), breakernats.WithSilence(silence)), "import")
	select {
	case <-br.Done():
		require.FailNow(t, "it tripped in contact", br.Cause())
	case <-time.After(silence + silence/2):
	}
	stop(s)
	await(t, br)
	assertSilenced(t, br, "import", silence)
}

// To those that hold, a connection that has been closed is as silent as any other.
func TestPulse_SilenceOfAClosedConnection(t *testing.T) {
	t.Parallel()
	const silence = 500 * time.Millisecond
	s, nc := single(t)
	far := connect(t, s.ClientURL())
	br := breakBy(t, open(t, far, breakernats.WithSilence(silence), breakernats.WithHoldOnClose()), "import")
	far.Close()
	await(t, br)
	assertSilenced(t, br, "import", silence)
	awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
}

// A worker is connected all the time, to a server that is cut off from the others.
func TestPulse_SilenceOfAMinority(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	all := cluster(t)
	createBucket(t, connect(t, all[0].ClientURL()), func(c *jetstream.KeyValueConfig) { c.Replicas = len(all) })
	leader := leaderOf(t, all)
	minority := all[0]
	if minority == leader {
		minority = all[1]
	}
	far := connect(t, minority.ClientURL(), nats.IgnoreDiscoveredServers())
	hold := breakBy(t, open(t, far), "import")
	br := breakBy(t, open(t, far, breakernats.WithSilence(silence)), "import")

	for _, s := range all {
		if s != minority {
			stop(s)
		}
	}
	await(t, br)
	assertSilenced(t, br, "import", silence)
	assertOpen(t, hold)
	assert.True(t, far.IsConnected())
}
