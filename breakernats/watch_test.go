package breakernats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// keyed is a number of breakers, each with a key of its own, some of which are tripped at each
// stage of a test.
type keyed struct {
	*breakernats.Bucket
	brs    []*breaker.Breaker
	causes map[int]breakernats.TripError
}

func newKeyed(t *testing.T, b *breakernats.Bucket, many int) *keyed {
	t.Helper()
	k := &keyed{Bucket: b, causes: make(map[int]breakernats.TripError)}
	for i := range many {
		k.brs = append(k.brs, breakBy(t, b, fmt.Sprint("job.", i)))
	}
	return k
}

// trip sets the keys from one to another, by way of the given bucket.
func (k *keyed) trip(t *testing.T, by *breakernats.Bucket, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		k.causes[i] = trip(t, by, fmt.Sprint("job.", i), fmt.Sprint("reason ", i))
	}
}

// verify waits for all that were tripped, and checks that no others were.
func (k *keyed) verify(t *testing.T) {
	t.Helper()
	for i := range k.causes {
		await(t, k.brs[i])
	}
	for i, br := range k.brs {
		if cause, tripped := k.causes[i]; tripped {
			assertTripped(t, br, cause)
		} else {
			assertOpen(t, br)
		}
	}
}

func TestWatch_Partition(t *testing.T) {
	for name, cut := range map[string]struct{ begin, end func(*proxy) }{
		"severed": {(*proxy).sever, (*proxy).heal},
		"frozen":  {(*proxy).freeze, (*proxy).thaw},
		"frozen, then severed": {(*proxy).freeze, func(p *proxy) {
			p.sever()
			p.thaw()
			p.heal()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, nc := single(t)
			p := startProxy(t, s)
			far := connect(t, p.url())
			k := newKeyed(t, open(t, far), 40)
			near := open(t, nc)
			k.trip(t, near, 0, 10)
			cut.begin(p)
			k.trip(t, near, 10, 20)
			for i := 10; i < 20; i++ {
				assert.Nil(t, k.brs[i].Cause(), "it can't know")
			}
			cut.end(p)
			k.trip(t, near, 20, 30)
			k.verify(t)
		})
	}
}

// After a reconnection a node begins with the state, and doesn't wait for a pulse to find out that
// something is missing.
func TestWatch_NewWatchAfterReconnecting(t *testing.T) {
	s, nc := single(t)
	p := startProxy(t, s)
	breakBy(t, open(t, connect(t, p.url())), "import")
	stream, err := contextOf(t, nc).Stream(within(t), "KV_"+bucketName)
	require.NoError(t, err)
	names := func() (all []string) {
		for name := range stream.ConsumerNames(within(t)).Name() {
			all = append(all, name)
		}
		return all
	}
	before := names()
	require.Len(t, before, 1)
	p.sever()
	p.heal()
	awaitThat(t, func() bool {
		now := names()
		return len(now) == 1 && now[0] != before[0]
	}, "a new watch instead of the old one")
}

// The bucket holds the state, and only that: a node that is away while a key is set and deleted
// doesn't learn of it.
func TestWatch_DeletedWhileAway(t *testing.T) {
	s, nc := single(t)
	p := startProxy(t, s)
	b, near := open(t, connect(t, p.url())), open(t, nc)
	br, last := breakBy(t, b, "import"), breakBy(t, b, "last")
	p.sever()
	trip(t, near, "import", "a mistake")
	require.NoError(t, keyValue(t, nc).Delete(within(t), "import"))
	cause := trip(t, near, "last", "no more")
	p.heal()
	await(t, last)
	assertTripped(t, last, cause)
	assertOpen(t, br)
	assertTripped(t, br, trip(t, b, "import", "meant"))
}

func TestWatch_ServerRestart(t *testing.T) {
	t.Parallel()
	s, nc := single(t, func(o *server.Options) { o.Port = freePort() })
	far := connect(t, s.ClientURL())
	k := newKeyed(t, open(t, far), 40)
	near := open(t, nc)
	k.trip(t, near, 0, 10)

	s = restart(t, s)
	k.trip(t, near, 10, 20)
	k.verify(t)

	// Two outages, and a trip by the one that comes back first.
	s = restart(t, s)
	restart(t, s)
	k.trip(t, near, 20, 30)
	k.verify(t)
}

// Trip is asked for while there is no server.
func TestWatch_TripOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	p := startProxy(t, s)
	far := open(t, connect(t, p.url()))
	br := breakBy(t, open(t, nc), "import")
	p.sever()
	type result struct {
		cause breakernats.TripError
		won   bool
		err   error
	}
	done := make(chan result)
	go func() {
		cause, won, err := far.Trip(within(t), "import", errors.New("no more"))
		done <- result{cause, won, err}
	}()
	p.heal()
	r := <-done
	require.NoError(t, r.err)
	assert.True(t, r.won)
	await(t, br)
	assertTripped(t, br, r.cause)
}

// The leader of the bucket dies in a cluster of three. Every node is told, wherever it was
// connected, and the trip may be asked for before there is a new leader.
func TestWatch_LeaderLost(t *testing.T) {
	t.Parallel()
	all := cluster(t)
	var urls []string
	for _, s := range all {
		urls = append(urls, s.ClientURL())
	}
	anywhere := strings.Join(urls, ",")
	nc := connect(t, anywhere)
	createBucket(t, nc, func(c *jetstream.KeyValueConfig) { c.Replicas = len(all) })

	var nodes []*keyed
	for i := range 2 * len(all) {
		// Each begins on a server of its own, and may go to any other.
		own := urls[i%len(urls)] + "," + anywhere
		nodes = append(nodes, newKeyed(t, open(t, connect(t, own, nats.DontRandomize())), 30))
	}
	tripper := open(t, nc)
	trips := func(from, to int) {
		nodes[0].trip(t, tripper, from, to)
		for _, k := range nodes[1:] {
			for i := from; i < to; i++ {
				k.causes[i] = nodes[0].causes[i]
			}
		}
	}
	trips(0, 10)
	for _, k := range nodes {
		k.verify(t)
	}

	stop(leaderOf(t, all))
	trips(10, 20)
	for _, k := range nodes {
		k.verify(t)
	}
}

// leaderOf returns the server that leads the stream of the bucket.
func leaderOf(t *testing.T, all []*server.Server) (leader *server.Server) {
	t.Helper()
	awaitThat(t, func() bool {
		for _, s := range all {
			if s.JetStreamIsStreamLeader("$G", "KV_"+bucketName) {
				leader = s
			}
		}
		return leader != nil
	}, "a leader of the bucket")
	return leader
}

// The server takes a client that doesn't read for a slow consumer, and cuts it off.
func TestWatch_SlowConsumer(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(o *server.Options) { o.WriteDeadline = 50 * time.Millisecond })
	nc := connect(t, s.ClientURL())
	createBucket(t, nc)
	p := startProxy(t, s)
	far := connect(t, p.url())
	// The watch itself is under flow control. It is the rest of what goes over its connection that
	// is too much.
	_, err := far.Subscribe("noise", func(*nats.Msg) {})
	require.NoError(t, err)
	k := newKeyed(t, open(t, far), 30)
	near := open(t, nc)
	k.trip(t, near, 0, 10)
	p.freeze()
	k.trip(t, near, 10, 20)
	noise := make([]byte, 512<<10)
	awaitThat(t, func() bool {
		require.NoError(t, nc.Publish("noise", noise))
		require.NoError(t, nc.Flush())
		return s.NumSlowConsumers() > 0
	}, "a slow consumer")
	k.trip(t, near, 20, 25)
	p.thaw()
	k.verify(t)
}

// The server's side of the watch goes away without a sign, and the bucket with it.
func TestWatch_LostConsumer(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	k := newKeyed(t, open(t, connect(t, s.ClientURL())), 10)
	near := open(t, nc)
	k.trip(t, near, 0, 3)
	k.verify(t)
	stream, err := contextOf(t, nc).Stream(within(t), "KV_"+bucketName)
	require.NoError(t, err)
	for name := range stream.ConsumerNames(within(t)).Name() {
		require.NoError(t, stream.DeleteConsumer(within(t), name))
	}
	k.trip(t, near, 3, 6)
	k.verify(t)
}

// The bucket is made anew. It counts from 1 again, which is less than what was seen.
func TestWatch_BucketMadeAnew(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	b, near := open(t, connect(t, s.ClientURL())), open(t, nc)
	k := newKeyed(t, b, 10)
	k.trip(t, near, 0, 5)
	k.verify(t)
	require.NoError(t, contextOf(t, nc).DeleteKeyValue(within(t), bucketName))
	createBucket(t, nc)
	k.trip(t, near, 5, 7)
	k.verify(t)
	k.trip(t, near, 7, 9)
	k.verify(t)
	// A breaker made after all that for a key of the old bucket doesn't know it.
	assertOpen(t, breakBy(t, b, "job.0"))
}

// A connection that is closed trips those that don't hold, and leaves nothing behind.
func TestWatch_ConnectionClosed(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	far := connect(t, s.ClientURL())
	b := open(t, far)
	br := breakBy(t, open(t, far, breakernats.WithHoldOnClose()), "import")
	lost := breakBy(t, b, "import")
	far.Close()
	await(t, lost)
	assert.IsType(t, breakernats.ConnectionError{}, lost.Cause())
	trip(t, open(t, nc), "import", "no more")
	assertOpen(t, br)
	awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
	assertOpen(t, br)
	_, err := b.BreakByKey(context.Background(), "import")
	assert.ErrorIs(t, err, nats.ErrConnectionClosed)
	br.Close()
	assert.Equal(t, breaker.ErrClosed, br.Cause())
}
