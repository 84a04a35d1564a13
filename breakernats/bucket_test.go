package breakernats_test

import (
	"context"
	"errors"
	"fmt"
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

func TestBucket_TripReachesEveryNode(t *testing.T) {
	s, nc := single(t)
	tripper := open(t, nc, breakernats.WithName("operator"))
	near := breakBy(t, tripper, "import.7")
	other := breakBy(t, tripper, "import.8")
	var far []*breaker.Breaker
	for range 3 {
		far = append(far, breakBy(t, open(t, connect(t, s.ClientURL())), "import.7"))
	}

	before := time.Now()
	cause := trip(t, tripper, "import.7", "wrong file")

	assert.Equal(t, bucketName, cause.Bucket)
	assert.Equal(t, "import.7", cause.Key)
	assert.Equal(t, "operator", cause.By)
	assert.Equal(t, "wrong file", cause.Text)
	assert.NotZero(t, cause.Revision)
	assert.WithinRange(t, cause.At, before.Add(-time.Second), time.Now().Add(time.Second))
	assertTripped(t, near, cause)
	for _, br := range far {
		await(t, br)
		assertTripped(t, br, cause)
		assert.ErrorIs(t, br.Cause(), breaker.Interrupted)
		assert.ErrorIs(t, br.Cause(), context.Canceled)
		var as breakernats.TripError
		require.ErrorAs(t, br.Cause(), &as)
		assert.Equal(t, cause, as)
	}
	assertOpen(t, other)
	entry, err := keyValue(t, nc).Get(within(t), "import.7")
	require.NoError(t, err)
	assert.Equal(t, entry.Revision(), cause.Revision)
}

func TestBucket_TrippedOnReturn(t *testing.T) {
	s, nc := single(t)
	cause := trip(t, open(t, nc), "import", "wrong file")

	late := open(t, connect(t, s.ClientURL()))
	br, err := late.BreakByKey(within(t), "import")
	require.NoError(t, err)
	assertTripped(t, br, cause)

	found, tripped, err := late.Lookup(within(t), "import")
	require.NoError(t, err)
	assert.True(t, tripped)
	assert.Equal(t, cause, found)

	_, tripped, err = late.Lookup(within(t), "export")
	require.NoError(t, err)
	assert.False(t, tripped)
}

func TestBucket_FirstTripWins(t *testing.T) {
	s, nc := single(t)
	first := trip(t, open(t, nc), "import", "first")
	loser := open(t, connect(t, s.ClientURL()))
	cause, won, err := loser.Trip(within(t), "import", errors.New("second"))
	require.NoError(t, err)
	assert.False(t, won)
	assert.Equal(t, first, cause)
}

// 1,000 callers on 20 connections trip one key at the same time.
func TestBucket_RacingTrips(t *testing.T) {
	const conns, callers = 20, 50
	s, nc := single(t)
	watcher := breakBy(t, open(t, nc), "import")
	var (
		wait   sync.WaitGroup
		start  = make(chan struct{})
		mu     sync.Mutex
		causes = make(map[breakernats.TripError]int)
		winner []string
		failed []error
		local  []*breaker.Breaker
	)
	for i := range conns {
		b := open(t, connect(t, s.ClientURL()))
		local = append(local, breakBy(t, b, "import"))
		for j := range callers {
			wait.Go(func() {
				<-start
				text := fmt.Sprint(i, "/", j)
				cause, won, err := b.Trip(within(t), "import", errors.New(text))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failed = append(failed, err)
					return
				}
				causes[cause]++
				if won {
					winner = append(winner, text)
				}
			})
		}
	}
	close(start)
	wait.Wait()
	await(t, watcher)

	assert.Empty(t, failed)
	require.Len(t, winner, 1)
	require.Len(t, causes, 1)
	for cause := range causes {
		assert.Equal(t, winner[0], cause.Text)
		assertTripped(t, watcher, cause)
		for _, br := range local {
			assertTripped(t, br, cause)
		}
	}
}

// The answer to the winning attempt gets lost, and the next attempt finds the key set: by itself.
func TestBucket_WinnerWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s, nc := single(t)
	p := startProxy(t, s)
	far, near := open(t, connect(t, p.url())), open(t, nc)
	br := breakBy(t, near, "import")
	attempts, err := nc.SubscribeSync("$KV.jobs.import")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	p.freezeAnswers()
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
	for range 2 {
		_, err := attempts.NextMsg(patience)
		require.NoError(t, err)
	}
	p.thaw()
	r := <-done
	require.NoError(t, r.err)
	assert.True(t, r.won)
	await(t, br)
	assertTripped(t, br, r.cause)
}

func TestBucket_DeletedKeyNeverUntrips(t *testing.T) {
	for name, remove := range map[string]func(jetstream.KeyValue) error{
		"deleted": func(kv jetstream.KeyValue) error { return kv.Delete(context.Background(), "import") },
		"purged":  func(kv jetstream.KeyValue) error { return kv.Purge(context.Background(), "import") },
	} {
		t.Run(name, func(t *testing.T) {
			_, nc := single(t)
			b := open(t, nc)
			tripped := breakBy(t, b, "import")
			bystander := breakBy(t, b, "export")
			first := trip(t, b, "import", "first")

			require.NoError(t, remove(keyValue(t, nc)))
			assertTripped(t, tripped, first)
			again := breakBy(t, b, "import")
			assertOpen(t, again)

			second := trip(t, b, "import", "second")
			assert.Greater(t, second.Revision, first.Revision)
			assertTripped(t, again, second)
			assertTripped(t, tripped, first)
			assertOpen(t, bystander)
		})
	}
}

func TestBucket_ExpiredKeyNeverUntrips(t *testing.T) {
	for name, change := range map[string]func(*jetstream.KeyValueConfig){
		"each, with a mark":    func(c *jetstream.KeyValueConfig) { c.TTL = 0 },
		"bucket, without mark": func(c *jetstream.KeyValueConfig) { c.TTL, c.LimitMarkerTTL = time.Second, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			nc := connect(t, s.ClientURL())
			createBucket(t, nc, change)
			var options []breakernats.Option
			if name == "each, with a mark" {
				options = append(options, breakernats.WithTTL(time.Second))
			}
			b := open(t, nc, options...)
			tripped := breakBy(t, b, "import")
			first := trip(t, b, "import", "first")
			awaitThat(t, func() bool {
				_, set, err := b.Lookup(within(t), "import")
				require.NoError(t, err)
				return !set
			}, "the end of the key")

			assertTripped(t, tripped, first)
			again := breakBy(t, b, "import")
			assertOpen(t, again)
			second := trip(t, b, "import", "second")
			assertTripped(t, again, second)
			assertTripped(t, tripped, first)
		})
	}
}

func TestBucket_KeysExpire(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*jetstream.KeyValueConfig)
		options []breakernats.Option
		ttl     string
	}{
		"by the bucket": {func(*jetstream.KeyValueConfig) {}, nil, ""},
		"by the option": {
			func(*jetstream.KeyValueConfig) {}, []breakernats.Option{breakernats.WithTTL(time.Minute)}, "1m0s",
		},
		"by the default": {func(c *jetstream.KeyValueConfig) { c.TTL = 0 }, nil, breakernats.DefaultTTL.String()},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			nc := connect(t, s.ClientURL())
			createBucket(t, nc, test.change)
			cause := trip(t, open(t, nc, test.options...), "import", "first")
			stream, err := contextOf(t, nc).Stream(within(t), "KV_"+bucketName)
			require.NoError(t, err)
			m, err := stream.GetMsg(within(t), cause.Revision)
			require.NoError(t, err)
			assert.Equal(t, test.ttl, m.Header.Get(jetstream.MsgTTLHeader))
		})
	}
}

func TestBucket_ForeignValues(t *testing.T) {
	_, nc := single(t)
	b := open(t, nc)
	for key, value := range map[string]string{
		"text": "stop it", "empty": "", "number": "1", "json": `{"cause":"stop it"}`, "binary": "\xff\x00",
		"newer": `{"breaker":2,"cause":"stop it"}`,
	} {
		br := breakBy(t, b, key)
		revision, err := keyValue(t, nc).PutString(within(t), key, value)
		require.NoError(t, err)
		await(t, br)
		entry, err := keyValue(t, nc).Get(within(t), key)
		require.NoError(t, err)
		cause := breakernats.TripError{
			Bucket: bucketName, Key: key, Revision: revision, At: entry.Created().UTC(), Text: value,
		}
		assertTripped(t, br, cause)
		found, _, err := b.Lookup(within(t), key)
		require.NoError(t, err)
		assert.Equal(t, cause, found)
	}
}

// What a JSON record can't hold is replaced for everybody alike, the winner included.
func TestBucket_TextIsTheSameForAll(t *testing.T) {
	s, nc := single(t)
	near, far := open(t, nc), open(t, connect(t, s.ClientURL()))
	for i, cause := range []error{nil, errors.New("\xff"), errors.New("<&>\u2028\n"), errors.New("")} {
		key := fmt.Sprint("import.", i)
		br := breakBy(t, far, key)
		stands, won, err := near.Trip(within(t), key, cause)
		require.NoError(t, err)
		assert.True(t, won)
		await(t, br)
		assertTripped(t, br, stands)
	}
	stands, _, err := near.Lookup(within(t), "import.0")
	require.NoError(t, err)
	assert.Equal(t, breaker.Interrupted.Error(), stands.Text)
}

func TestBucket_Prefix(t *testing.T) {
	_, nc := single(t)
	all, eu, us := open(t, nc), open(t, nc, breakernats.WithPrefix("eu")), open(t, nc, breakernats.WithPrefix("us"))
	inAll, inEU, inUS := breakBy(t, all, "eu.import"), breakBy(t, eu, "import"), breakBy(t, us, "import")
	assert.Equal(t, 3, consumers(t, nc), "a prefix is a watch of its own")

	cause := trip(t, eu, "import", "no more")
	assert.Equal(t, "eu.import", cause.Key)
	await(t, inAll)
	for _, br := range []*breaker.Breaker{inAll, inEU} {
		assertTripped(t, br, cause)
	}
	assertOpen(t, inUS)
}

// The API of a server in a domain has another prefix.
func TestBucket_Domain(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.JetStreamDomain = "hub" })
	nc := connect(t, s.ClientURL())
	createBucket(t, nc)
	near := open(t, nc)
	for name, js := range map[string]func() (jetstream.JetStream, error){
		"domain": func() (jetstream.JetStream, error) { return jetstream.NewWithDomain(nc, "hub") },
		"prefix": func() (jetstream.JetStream, error) { return jetstream.NewWithAPIPrefix(nc, "$JS.hub.API") },
	} {
		js, err := js()
		require.NoError(t, err)
		b, err := breakernats.Open(within(t), js, bucketName)
		require.NoError(t, err)
		br := breakBy(t, near, name)
		cause := trip(t, b, name, "no more")
		await(t, br)
		assertTripped(t, br, cause)
		assertTripped(t, breakBy(t, b, name), cause)
	}
}

func TestBucket_BadInput(t *testing.T) {
	_, nc := single(t)
	js := contextOf(t, nc)
	_, err := js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "eternal"})
	require.NoError(t, err)
	_, err = js.CreateKeyValue(within(t), jetstream.KeyValueConfig{Bucket: "limited", TTL: time.Hour})
	require.NoError(t, err)
	_, err = js.CreateKeyValue(within(t), jetstream.KeyValueConfig{
		Bucket: "mirror", TTL: time.Hour, Mirror: &jetstream.StreamSource{Name: bucketName},
	})
	require.NoError(t, err)

	assert.PanicsWithValue(t, "breakernats: Open: js is nil", func() {
		_, _ = breakernats.Open(within(t), nil, bucketName)
	})
	for name, test := range map[string]struct {
		bucket string
		option breakernats.Option
		want   error
		text   string
	}{
		"bucket name":   {bucket: "a b", want: jetstream.ErrInvalidBucketName},
		"no bucket":     {bucket: "absent", want: jetstream.ErrBucketNotFound, text: `"absent"`},
		"no expiry":     {bucket: "eternal", want: breakernats.ErrNoExpiry, text: "neither a TTL nor a LimitMarkerTTL"},
		"no own expiry": {bucket: "limited", option: breakernats.WithTTL(time.Minute), want: breakernats.ErrNoExpiry},
		"mirror":        {bucket: "mirror", want: breakernats.ErrMirror},
		"prefix":        {option: breakernats.WithPrefix("a.*"), want: jetstream.ErrInvalidKey, text: `"a.*"`},
		"no prefix":     {option: breakernats.WithPrefix(""), want: jetstream.ErrInvalidKey},
		"short TTL":     {option: breakernats.WithTTL(time.Millisecond), text: "WithTTL: 1ms is less than a second"},
		"no silence":    {option: breakernats.WithSilence(0), text: "more than 0"},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := test.bucket
			if bucket == "" {
				bucket = bucketName
			}
			var options []breakernats.Option
			if test.option != nil {
				options = append(options, test.option)
			}
			_, err := breakernats.Open(within(t), js, bucket, options...)
			require.Error(t, err)
			if test.want != nil {
				assert.ErrorIs(t, err, test.want)
			}
			assert.ErrorContains(t, err, test.text)
		})
	}

	b := open(t, nc)
	for _, key := range []string{"", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "ä", "a\n"} {
		_, err := b.BreakByKey(within(t), key)
		assert.ErrorIs(t, err, jetstream.ErrInvalidKey, "%q", key)
		_, _, err = b.Trip(within(t), key, nil)
		assert.ErrorIs(t, err, jetstream.ErrInvalidKey, "%q", key)
		_, _, err = b.Lookup(within(t), key)
		assert.ErrorIs(t, err, jetstream.ErrInvalidKey, "%q", key)
	}
	breakBy(t, b, "a-Z_0/=.b")
}

func TestBucket_JetStreamOff(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.JetStream = false })
	_, err := breakernats.Open(within(t), contextOf(t, connect(t, s.ClientURL())), bucketName)
	assert.ErrorIs(t, err, jetstream.ErrJetStreamNotEnabled)
}

func TestBucket_JetStreamOffForTheAccount(t *testing.T) {
	s := startServer(t, func(o *server.Options) {
		app := server.NewAccount("APP")
		o.Accounts = []*server.Account{app}
		o.Users = []*server.User{{Username: "u", Password: "p", Account: app}}
	})
	nc := connect(t, s.ClientURL(), nats.UserInfo("u", "p"))
	_, err := breakernats.Open(within(t), contextOf(t, nc), bucketName)
	assert.ErrorIs(t, err, jetstream.ErrJetStreamNotEnabledForAccount)
}

func TestBucket_FaultsAfterOpen(t *testing.T) {
	t.Run("bucket deleted", func(t *testing.T) {
		_, nc := single(t)
		b := open(t, nc)
		require.NoError(t, contextOf(t, nc).DeleteKeyValue(within(t), bucketName))
		_, err := b.BreakByKey(within(t), "import")
		assert.ErrorIs(t, err, jetstream.ErrBucketNotFound)
		_, _, err = b.Lookup(within(t), "import")
		assert.ErrorIs(t, err, jetstream.ErrBucketNotFound)
	})
	t.Run("connection closed", func(t *testing.T) {
		_, nc := single(t)
		b := open(t, nc)
		nc.Close()
		_, err := b.BreakByKey(within(t), "import")
		assert.ErrorIs(t, err, nats.ErrConnectionClosed)
		_, _, err = b.Trip(within(t), "import", nil)
		assert.ErrorIs(t, err, nats.ErrConnectionClosed)
		_, err = breakernats.Open(within(t), contextOf(t, nc), bucketName)
		assert.ErrorIs(t, err, nats.ErrConnectionClosed)
	})
	t.Run("context over", func(t *testing.T) {
		_, nc := single(t)
		b := open(t, nc)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := b.BreakByKey(ctx, "import")
		assert.ErrorIs(t, err, context.Canceled)
		_, _, err = b.Trip(ctx, "import", nil)
		assert.ErrorIs(t, err, context.Canceled)
		_, err = breakernats.Open(ctx, contextOf(t, nc), bucketName)
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("server gone", func(t *testing.T) {
		s, nc := single(t)
		b := open(t, nc)
		stop(s)
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := b.BreakByKey(ctx, "import")
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, _, err = b.Trip(ctx, "import", nil)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = breakernats.Open(ctx, contextOf(t, nc), bucketName)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("answers lost", func(t *testing.T) {
		s, nc := single(t)
		p := startProxy(t, s)
		js := contextOf(t, connect(t, p.url()))
		requests, err := nc.SubscribeSync("$JS.API.STREAM.INFO.>")
		require.NoError(t, err)
		require.NoError(t, nc.Flush())
		p.freezeAnswers()
		opened := make(chan error)
		go func() {
			_, err := breakernats.Open(within(t), js, bucketName)
			opened <- err
		}()
		_, err = requests.NextMsg(patience)
		require.NoError(t, err)
		p.sever()
		p.thaw()
		p.heal()
		assert.NoError(t, <-opened)
	})
}
