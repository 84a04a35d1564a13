package clustertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakercluster"
)

// Engine is a running server and its Stores.
type Engine struct {
	// Addr is the address on which the server listens.
	Addr string
	// Open returns a Store with a client of its own, connected to addr: the address of the server
	// or of a proxy. Close closes the client. It is called once, at the end of the test or before.
	Open func(t testing.TB, addr string) (s breakercluster.Store, close func())
	// Restart stops the server and starts it again at the same address with the same data.
	Restart func(t testing.TB)
	// Reader returns a Store whose user may read keys but not set them.
	Reader func(t testing.TB) breakercluster.Store
	// Delete deletes a key that is set, without this library.
	Delete func(t testing.TB, key string)
	// Forget makes the server drop all the history it can, but not what is set, as if a client had
	// been away for hours. It may be nil.
	Forget func(t testing.TB)
	// ShortestTTL is the shortest time after which a key can expire.
	ShortestTTL time.Duration
	// Subscribe calls f for each message that is published from then on, with a client of its own.
	// Publish publishes one. No trip can be faster than that. Only Benchmark uses them.
	Subscribe func(t testing.TB, f func())
	Publish   func(t testing.TB)
}

// Run tests everything that package breakercluster guarantees.
func Run(t *testing.T, start func(t testing.TB) *Engine) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, *Engine)
	}{
		{"FirstTripWins", firstTripWins},
		{"LateJoiner", lateJoiner},
		{"Restart", restart},
		{"Severed", func(t *testing.T, e *Engine) { partition(t, e, (*Proxy).Sever, (*Proxy).Heal) }},
		{"Frozen", func(t *testing.T, e *Engine) { partition(t, e, (*Proxy).Freeze, (*Proxy).Thaw) }},
		{"AwayForLong", awayForLong},
		{"Expiry", expiry},
		{"Deleted", deleted},
		{"ManyKeysOneWatch", manyKeysOneWatch},
		{"Denied", denied},
		{"NothingLost", nothingLost},
		{"Silence", silence},
		{"ComingAndGoing", comingAndGoing},
		{"Closed", closed},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, start(t)) })
	}
}

// node opens a Bucket with a client of its own.
func (e *Engine) node(t testing.TB, options ...breakercluster.Option) *breakercluster.Bucket {
	t.Helper()
	return e.nodeAt(t, e.Addr, options...)
}

func (e *Engine) nodeAt(t testing.TB, addr string, options ...breakercluster.Option) *breakercluster.Bucket {
	t.Helper()
	return bucket(t, e.open(t, addr), options...)
}

func (e *Engine) open(t testing.TB, addr string) breakercluster.Store {
	t.Helper()
	s, end := e.Open(t, addr)
	t.Cleanup(end)
	return s
}

func bucket(t testing.TB, s breakercluster.Store, options ...breakercluster.Option) *breakercluster.Bucket {
	t.Helper()
	b, err := breakercluster.Open(s, options...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func breakBy(t testing.TB, b *breakercluster.Bucket, key string) *breaker.Breaker {
	t.Helper()
	br, err := b.BreakByKey(within(t), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		br.Close()
		// The client is closed next.
		Await(t, func() bool { return b.Contact().Watches == 0 || b.Contact().Breakers > 0 }, "the end of the watch")
	})
	return br
}

func trip(t testing.TB, b *breakercluster.Bucket, key, text string) breakercluster.TripError {
	t.Helper()
	cause, won, err := b.Trip(within(t), key, errors.New(text))
	if err != nil {
		t.Fatal(err)
	}
	if !won {
		t.Fatalf("%s was set already: %v", key, cause)
	}
	return cause
}

// expect waits until the breaker trips, and checks the cause.
func expect(t testing.TB, br *breaker.Breaker, cause breakercluster.TripError) {
	t.Helper()
	select {
	case <-br.Done():
	case <-time.After(patience):
		t.Fatal("it never tripped:", cause)
	}
	if br.Cause() != error(cause) {
		t.Fatalf("it tripped by %#v instead of %#v", br.Cause(), cause)
	}
}

func expectOpen(t testing.TB, br *breaker.Breaker) {
	t.Helper()
	if err := br.Cause(); err != nil {
		t.Fatal("it has tripped:", err)
	}
}

func firstTripWins(t *testing.T, e *Engine) {
	const nodes, callers, rounds = 5, 10, 5
	watcher := e.node(t)
	var all []*breakercluster.Bucket
	for range nodes {
		all = append(all, e.node(t))
	}
	for round := range rounds {
		key := fmt.Sprint("import.", round)
		br := breakBy(t, watcher, key)
		var wait sync.WaitGroup
		var mu sync.Mutex
		causes, wins := make(map[breakercluster.TripError]int), 0
		start := make(chan struct{})
		for i, b := range all {
			for j := range callers {
				wait.Go(func() {
					<-start
					cause, won, err := b.Trip(within(t), key, fmt.Errorf("%d/%d", i, j))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					causes[cause]++
					if won {
						wins++
						if cause.Text != fmt.Sprintf("%d/%d", i, j) {
							t.Errorf("%d/%d has won, and %s stands", i, j, cause.Text)
						}
					}
				})
			}
		}
		close(start)
		wait.Wait()
		if len(causes) != 1 || wins != 1 {
			t.Fatalf("%d have won, with %d causes: %v", wins, len(causes), causes)
		}
		for cause := range causes {
			expect(t, br, cause)
		}
	}
}

func lateJoiner(t *testing.T, e *Engine) {
	cause := trip(t, e.node(t, breakercluster.WithName("operator")), "import", "no more")
	if cause.By != "operator" || cause.Key != "import" || cause.Text != "no more" || cause.Revision == 0 {
		t.Fatalf("%#v", cause)
	}
	late := e.node(t)
	br := breakBy(t, late, "import")
	if br.Err() == nil {
		t.Fatal("it isn't tripped on return")
	}
	expect(t, br, cause)
	found, set, err := late.Lookup(within(t), "import")
	if err != nil || !set || found != cause {
		t.Fatal(found, set, err)
	}
	if _, set, err = late.Lookup(within(t), "export"); err != nil || set {
		t.Fatal(set, err)
	}
	expectOpen(t, breakBy(t, late, "export"))
}

// keyed is breakers, each with a key of its own.
func keyed(t testing.TB, b *breakercluster.Bucket, many int) (brs []*breaker.Breaker) {
	t.Helper()
	for i := range many {
		brs = append(brs, breakBy(t, b, fmt.Sprint("job.", i)))
	}
	return brs
}

func restart(t *testing.T, e *Engine) {
	far, near := e.node(t), e.node(t)
	brs := keyed(t, far, 9)
	expect(t, brs[0], trip(t, near, "job.0", "before"))
	first := trip(t, near, "job.1", "just before")
	e.Restart(t)
	second := trip(t, near, "job.2", "after")
	expect(t, brs[1], first)
	expect(t, brs[2], second)
	e.Restart(t)
	e.Restart(t)
	expect(t, brs[3], trip(t, far, "job.3", "after two"))
	expect(t, breakBy(t, near, "job.1"), first)
	for _, br := range brs[4:] {
		expectOpen(t, br)
	}
}

func partition(t *testing.T, e *Engine, begin, end func(*Proxy)) {
	p := NewProxy(t, e.Addr)
	far, near := e.nodeAt(t, p.Addr()), e.node(t)
	brs := keyed(t, far, 9)
	expect(t, brs[0], trip(t, near, "job.0", "before"))
	begin(p)
	cause := trip(t, near, "job.1", "meanwhile")
	expectOpen(t, brs[1])
	end(p)
	after := trip(t, near, "job.2", "after")
	expect(t, brs[1], cause)
	expect(t, brs[2], after)
	for _, br := range brs[3:] {
		expectOpen(t, br)
	}
}

func awayForLong(t *testing.T, e *Engine) {
	const many = 2000
	p := NewProxy(t, e.Addr)
	far, near := e.nodeAt(t, p.Addr()), e.node(t)
	brs := keyed(t, far, 3)
	p.Sever()
	cause := trip(t, near, "job.0", "early")
	var wait sync.WaitGroup
	const makers = 10
	for m := range makers {
		wait.Go(func() {
			for i := range many / makers {
				if _, _, err := near.Trip(within(t), fmt.Sprint("other.", m, ".", i), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if e.Forget != nil {
		e.Forget(t)
	}
	p.Heal()
	expect(t, brs[0], cause)
	expect(t, brs[1], trip(t, near, "job.1", "after"))
	expectOpen(t, brs[2])
}

func expiry(t *testing.T, e *Engine) {
	b := e.node(t, breakercluster.WithTTL(e.ShortestTTL))
	br := breakBy(t, b, "import")
	first := trip(t, b, "import", "first")
	expect(t, br, first)
	Await(t, func() bool {
		_, set, err := b.Lookup(within(t), "import")
		if err != nil {
			t.Fatal(err)
		}
		return !set
	}, "the end of the key")
	expect(t, br, first)
	again := breakBy(t, b, "import")
	expectOpen(t, again)
	second := trip(t, b, "import", "second")
	expect(t, again, second)
	if second.Revision <= first.Revision {
		t.Fatal("revisions don't rise:", first.Revision, second.Revision)
	}
	expect(t, br, first)
}

func deleted(t *testing.T, e *Engine) {
	b, far := e.node(t), e.node(t)
	bystander := breakBy(t, far, "export")
	for i := range 20 {
		br := breakBy(t, far, "import")
		expectOpen(t, br)
		cause := trip(t, b, "import", fmt.Sprint("reason ", i))
		expect(t, br, cause)
		e.Delete(t, "import")
		expect(t, br, cause)
	}
	expectOpen(t, breakBy(t, far, "import"))
	expectOpen(t, bystander)
}

func manyKeysOneWatch(t *testing.T, e *Engine) {
	const many, makers = 10_000, 8
	far, near := e.node(t), e.node(t)
	breakBy(t, far, "job.first")
	if _, _, err := far.Lookup(within(t), "job.first"); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	all := make([]*breaker.Breaker, many)
	var wait sync.WaitGroup
	for m := range makers {
		wait.Go(func() {
			for i := m; i < many; i += makers {
				br, err := far.BreakByKey(within(t), fmt.Sprint("job.", i))
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = br
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	const some = 20 // connections of a client's pool, which come and go
	Await(t, func() bool { return runtime.NumGoroutine() < before+some }, "as few goroutines as with one breaker")
	if c := far.Contact(); c.Watches != 1 || c.Breakers != many+1 {
		t.Fatalf("%+v", c)
	}
	for i := 0; i < many; i += 100 {
		expect(t, all[i], trip(t, near, fmt.Sprint("job.", i), "no more"))
	}
	for i, br := range all {
		if i%100 != 0 {
			expectOpen(t, br)
		}
		br.Close()
	}
}

func denied(t *testing.T, e *Engine) {
	const soon = patience / 2 // it doesn't wait until the caller gives up
	reader, near := bucket(t, e.Reader(t)), e.node(t)
	br := breakBy(t, reader, "import")
	begin := time.Now()
	_, won, err := reader.Trip(within(t), "import", errors.New("not allowed to"))
	if won || !breakercluster.IsPermanent(err) || errors.Is(err, context.Canceled) {
		t.Fatal("a reader may trip, or isn't told that it may not:", won, err)
	}
	if took := time.Since(begin); took > soon {
		t.Fatal("a denial took", took)
	}
	expectOpen(t, br)
	expect(t, br, trip(t, near, "import", "I may"))
}

// nothingLost trips 300 keys from 6 nodes, while the connections of the waiting nodes are cut again
// and again.
func nothingLost(t *testing.T, e *Engine) {
	const many, trippers, cuts = 300, 6, 10
	p := NewProxy(t, e.Addr)
	far := e.nodeAt(t, p.Addr())
	brs := keyed(t, far, many+1)
	causes := make([]breakercluster.TripError, many)
	var wait sync.WaitGroup
	for m := range trippers {
		b := e.node(t)
		wait.Go(func() {
			for i := m; i < many; i += trippers {
				cause, won, err := b.Trip(within(t), fmt.Sprint("job.", i), fmt.Errorf("reason %d", i))
				if err != nil || !won {
					t.Error(won, err)
					return
				}
				causes[i] = cause
				if i%(many/cuts) == 0 {
					p.Sever()
					p.Heal()
				}
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	for i, cause := range causes {
		expect(t, brs[i], cause)
	}
	expectOpen(t, brs[many])
}

func silence(t *testing.T, e *Engine) {
	const limit = 10 * time.Second // a busy machine may be without a pulse for some of them
	p := NewProxy(t, e.Addr)
	far := e.open(t, p.Addr())
	told := make(chan breakercluster.Contact, 100)
	next := func() (c breakercluster.Contact) {
		t.Helper()
		select {
		case c = <-told:
		case <-time.After(patience):
			t.Fatal("the hook was never called")
		}
		return c
	}
	hold := breakBy(t, bucket(t, far, breakercluster.WithContactHook(func(c breakercluster.Contact) { told <- c })), "import")
	br := breakBy(t, bucket(t, far, breakercluster.WithSilence(limit)), "import")
	near := bucket(t, e.open(t, e.Addr), breakercluster.WithSilence(limit))
	guarded := breakBy(t, near, "import")
	defer guarded.Close()
	p.Freeze()
	if c := next(); c.Up || c.Why == nil {
		t.Fatalf("%+v", c)
	}
	Await(t, func() bool { return br.Err() != nil }, "the end of the silence")
	var s breakercluster.SilenceError
	if !errors.As(br.Cause(), &s) || s.Limit != limit || s.Why == nil || time.Since(s.Since) < limit {
		t.Fatalf("%#v", br.Cause())
	}
	expectOpen(t, hold)
	expectOpen(t, guarded)
	p.Thaw()
	for !next().Up {
	}
	expect(t, hold, trip(t, near, "import", "no more"))
}

// closed closes the client while breakers wait.
func closed(t *testing.T, e *Engine) {
	s, end := e.Open(t, e.Addr)
	br := breakBy(t, bucket(t, s), "import")
	hold := breakBy(t, bucket(t, s, breakercluster.WithHoldOnClose()), "import")
	defer hold.Close()
	end()
	select {
	case <-br.Done():
	case <-time.After(patience):
		t.Fatal("it never tripped")
	}
	var lost breakercluster.ConnectionError
	if !errors.As(br.Cause(), &lost) || lost.Err == nil || lost.Key != "import" {
		t.Fatalf("%#v", br.Cause())
	}
	expectOpen(t, hold)
	if _, err := bucket(t, s).BreakByKey(within(t), "import"); err == nil {
		t.Fatal("an open breaker that nothing can trip")
	}
}

// comingAndGoing starts and ends watches while breakers need them, with trips between any two
// steps.
func comingAndGoing(t *testing.T, e *Engine) {
	const makers, rounds = 4, 25
	far, near := e.node(t), e.node(t)
	var wait sync.WaitGroup
	for m := range makers {
		wait.Go(func() {
			for i := range rounds {
				key := fmt.Sprint("job.", m, ".", i)
				tripped := make(chan breakercluster.TripError)
				go func() {
					cause, _, err := near.Trip(within(t), key, nil)
					if err != nil {
						t.Error(err)
					}
					tripped <- cause
				}()
				br, err := far.BreakByKey(within(t), key)
				cause := <-tripped
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-br.Done():
				case <-time.After(patience):
					t.Error("lost:", key)
				}
				if br.Cause() != error(cause) {
					t.Error(br.Cause(), cause)
				}
				br.Close()
			}
		})
	}
	wait.Wait()
	Await(t, func() bool { return far.Contact().Watches == 0 }, "the end of the watch")
}
