package breakernats_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what never comes; nothing is expected to take it. An election takes up to 9 s on
// an idle machine.
const patience = time.Minute

// within returns a context for what is expected to come.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits until the breaker trips.
func await(t testing.TB, br breaker.Interface) {
	t.Helper()
	select {
	case <-br.Done():
	case <-time.After(patience):
		require.FailNow(t, "it never tripped")
	}
}

// awaitThat waits until the condition holds.
func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(begin) > patience {
			require.FailNow(t, "it never came: "+what)
		}
		time.Sleep(time.Millisecond)
	}
}

// keyValue returns the bucket that the tests use, for what this package doesn't do.
func keyValue(t testing.TB, nc *nats.Conn) jetstream.KeyValue {
	t.Helper()
	kv, err := contextOf(t, nc).KeyValue(within(t), bucketName)
	require.NoError(t, err)
	return kv
}

func contextOf(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js
}

// open returns the bucket that the tests use.
func open(t testing.TB, nc *nats.Conn, options ...breakernats.Option) *breakernats.Bucket {
	t.Helper()
	b, err := breakernats.Open(within(t), contextOf(t, nc), bucketName, options...)
	require.NoError(t, err)
	return b
}

// breakBy returns a breaker for the key that is closed when the test ends.
func breakBy(t testing.TB, b *breakernats.Bucket, key string) *breaker.Breaker {
	t.Helper()
	br, err := b.BreakByKey(within(t), key)
	require.NoError(t, err)
	t.Cleanup(br.Close)
	return br
}

// trip sets the key, for the first time.
func trip(t testing.TB, b *breakernats.Bucket, key, text string) breakernats.TripError {
	t.Helper()
	cause, won, err := b.Trip(within(t), key, errors.New(text))
	require.NoError(t, err)
	require.True(t, won)
	return cause
}

// consumers returns how many watches the server has on the bucket.
func consumers(t testing.TB, nc *nats.Conn) int {
	t.Helper()
	stream, err := contextOf(t, nc).Stream(within(t), "KV_"+bucketName)
	require.NoError(t, err)
	return stream.CachedInfo().State.Consumers
}

func assertOpen(t testing.TB, br *breaker.Breaker) {
	t.Helper()
	assert.NoError(t, br.Err())
	assert.NoError(t, br.Cause())
}

// assertTripped checks that the breaker has tripped with that very cause.
func assertTripped(t testing.TB, br *breaker.Breaker, cause breakernats.TripError) {
	t.Helper()
	assert.Equal(t, breaker.Interrupted, br.Err())
	assert.Equal(t, cause, br.Cause())
}
