package breakernats_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

// twoNodes starts a server with the bucket "jobs", and returns two clients of it.
func twoNodes() (one, two jetstream.JetStream, end func()) {
	dir, err := os.MkdirTemp("", "breakernats")
	must(err)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	must(err)
	s.Start()
	connect := func() jetstream.JetStream {
		nc, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
		must(err)
		js, err := jetstream.New(nc)
		must(err)
		return js
	}
	one, two = connect(), connect()
	_, err = one.CreateKeyValue(context.Background(), jetstream.KeyValueConfig{
		Bucket: "jobs", TTL: time.Hour, LimitMarkerTTL: time.Minute,
	})
	must(err)
	return one, two, func() {
		one.Conn().Close()
		two.Conn().Close()
		stop(s)
		must(os.RemoveAll(dir))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// One node trips, another one stops, with the cause.
func ExampleBucket_BreakByKey() {
	here, there, end := twoNodes()
	defer end()
	ctx := context.Background()

	worker, err := breakernats.Open(ctx, here, "jobs")
	must(err)
	br, err := worker.BreakByKey(ctx, "import.7")
	must(err)
	defer br.Close()
	fmt.Println("open:", br.Err() == nil)

	operator, err := breakernats.Open(ctx, there, "jobs", breakernats.WithName("operator"))
	must(err)
	_, _, err = operator.Trip(ctx, "import.7", errors.New("wrong file"))
	must(err)

	var tripped breakernats.TripError
	if errors.As(br.Wait(), &tripped) {
		fmt.Printf("%s was stopped by %s: %s\n", tripped.Key, tripped.By, tripped.Text)
	}
	// Output:
	// open: true
	// import.7 was stopped by operator: wrong file
}

// The first trip of a key wins. All others report its cause, and so does a breaker that is made
// afterwards.
func ExampleBucket_Trip() {
	here, there, end := twoNodes()
	defer end()
	ctx := context.Background()
	one, err := breakernats.Open(ctx, here, "jobs")
	must(err)
	two, err := breakernats.Open(ctx, there, "jobs")
	must(err)

	for i, bucket := range []*breakernats.Bucket{one, two} {
		cause, won, err := bucket.Trip(ctx, "import.7", fmt.Errorf("reason %d", i+1))
		must(err)
		var tripped breakernats.TripError
		errors.As(cause, &tripped)
		fmt.Println(won, tripped.Text)
	}
	late, err := two.BreakByKey(ctx, "import.7")
	must(err)
	fmt.Println(late.Err(), "on return")
	// Output:
	// true reason 1
	// false reason 1
	// operation interrupted on return
}

// A worker that can't be told to stop, stops: after a minute in which the cluster couldn't be
// reached.
func ExampleWithSilence() {
	here, _, end := twoNodes()
	defer end()
	ctx := context.Background()
	bucket, err := breakernats.Open(ctx, here, "jobs",
		breakernats.WithPrefix("import"), // one watch for these keys only
		breakernats.WithSilence(time.Minute),
		breakernats.WithTTL(10*time.Minute), // of keys that this node sets
	)
	must(err)
	stop, err := bucket.BreakByKey(ctx, "7") // the key import.7
	must(err)
	defer stop.Close()

	// A request watches it, together with whatever else ends it.
	br := breaker.Multiplex(breaker.NopCloser(stop), breaker.BreakByTimeout(time.Millisecond))
	defer br.Close()
	fmt.Println(br.Wait())
	fmt.Println("the key's breaker is", stop.State())
	// Output:
	// breaker: timed out
	// the key's breaker is open
}
