package breaker_test

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// What a node knows of its sources: the earliest deadline and the values.

// withDeadline returns a context with that deadline, which nobody else has.
func withDeadline(t *testing.T, at time.Time) context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), at)
	t.Cleanup(cancel)
	return ctx
}

func withValue(key, value any) *breaker.Breaker {
	return breaker.BreakByContext(context.WithValue(context.Background(), key, value), nil)
}

func requireDeadline(t *testing.T, want time.Time, br interface{ Deadline() (time.Time, bool) }) {
	t.Helper()
	at, ok := br.Deadline()
	require.True(t, ok)
	require.True(t, at.Equal(want), "want %v, got %v", want, at)
}

func requireNoDeadline(t *testing.T, br interface{ Deadline() (time.Time, bool) }) {
	t.Helper()
	at, ok := br.Deadline()
	require.False(t, ok)
	require.Zero(t, at)
}

func TestNode_Deadline(t *testing.T) {
	// promise 14: the earliest of its children's, contexts included.
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		in := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
		timeout := func(minutes int) breaker.Interface {
			return breaker.BreakByTimeout(time.Duration(minutes) * time.Minute)
		}
		deadline := func(minutes int) breaker.Interface { return breaker.BreakByDeadline(in(minutes)) }
		byContext := func(minutes int) breaker.Interface {
			return breaker.BreakByContext(withDeadline(t, in(minutes)), nil)
		}
		view := func(br breaker.Interface) breaker.Interface {
			return breaker.BreakByContext(breaker.ToContext(br), nil)
		}
		all := func(children ...breaker.Interface) breaker.Interface { return breaker.Multiplex(children...) }
		for name, test := range map[string]struct {
			children []breaker.Interface
			want     time.Time
		}{
			"one":                      {[]breaker.Interface{timeout(5)}, in(5)},
			"the first":                {[]breaker.Interface{timeout(1), deadline(2), byContext(3)}, in(1)},
			"the second":               {[]breaker.Interface{timeout(3), deadline(1), byContext(2)}, in(1)},
			"the third":                {[]breaker.Interface{timeout(2), deadline(3), byContext(1)}, in(1)},
			"among those without":      {[]breaker.Interface{breaker.New(), timeout(7), breaker.BreakByChannel(nil)}, in(7)},
			"a context among those":    {[]breaker.Interface{withValue(keyA{}, 1), byContext(7), withValue(keyB{}, 1)}, in(7)},
			"of a view":                {[]breaker.Interface{view(timeout(4)), timeout(5)}, in(4)},
			"of a view of a node":      {[]breaker.Interface{view(all(timeout(5), byContext(4)))}, in(4)},
			"one that isn't closed":    {[]breaker.Interface{breaker.NopCloser(timeout(2)), timeout(3)}, in(2)},
			"one that is embedded":     {[]breaker.Interface{struct{ breaker.Interface }{timeout(2)}, timeout(3)}, in(2)},
			"more than fit inline":     {[]breaker.Interface{timeout(6), timeout(5), timeout(4), timeout(3), byContext(2), timeout(7)}, in(2)},
			"a node is the earliest":   {[]breaker.Interface{all(timeout(3), timeout(1)), timeout(2)}, in(1)},
			"a node isn't":             {[]breaker.Interface{all(timeout(3), timeout(4)), timeout(2)}, in(2)},
			"the first of two nodes":   {[]breaker.Interface{all(timeout(1)), all(timeout(2))}, in(1)},
			"the second of two nodes":  {[]breaker.Interface{all(timeout(2)), all(timeout(1))}, in(1)},
			"the second of four nodes": {[]breaker.Interface{all(timeout(3)), all(timeout(1)), all(timeout(4)), all(timeout(2))}, in(1)},
			"nodes in nodes":           {[]breaker.Interface{all(all(timeout(4)), all(all(byContext(1)), timeout(3))), all(all(timeout(2)))}, in(1)},
			"a node without":           {[]breaker.Interface{all(breaker.New()), timeout(3), all(breaker.New())}, in(3)},
			"two nodes around a leaf":  {[]breaker.Interface{all(timeout(5)), timeout(1), all(timeout(4))}, in(1)},
			"one that has passed":      {[]breaker.Interface{timeout(3), deadline(-1), timeout(1)}, in(-1)},
			"one seen after that":      {[]breaker.Interface{breaker.BreakByTimeout(0), byContext(-2), timeout(1)}, in(-2)},
		} {
			br := breaker.Multiplex(test.children...)
			requireDeadline(t, test.want, br)
			requireDeadline(t, test.want, breaker.ToContext(br))
			br.Close()
			requireDeadline(t, test.want, br) // it stays what it was
			require.NotEmpty(t, name)
		}
	})
}

func TestNode_NoDeadline(t *testing.T) {
	// promise 14
	signal := make(chan struct{})
	for name, br := range map[string]*breaker.Breaker{
		"New":        breaker.New(),
		"Multiplex":  breaker.Multiplex(breaker.New(), withValue(keyA{}, "a")),
		"channel":    breaker.BreakByChannel(signal),
		"channels":   breaker.Multiplex(breaker.BreakByChannel(signal)),
		"context":    breaker.BreakByContext(context.Background(), nil),
		"no signal":  breaker.BreakBySignal(),
		"no breaker": breaker.Multiplex(),
	} {
		t.Run(name, func(t *testing.T) {
			requireNoDeadline(t, br)
			requireNoDeadline(t, breaker.ToContext(br))
			br.Close()
			requireNoDeadline(t, br)
		})
	}
}

// The deadline of a node is that of a child, also after the trip, and the child's time is when it
// trips.
func TestNode_TripsAtItsDeadline(t *testing.T) {
	// promise 9, promise 14
	synctest.Test(t, func(t *testing.T) {
		br := breaker.Multiplex(
			breaker.BreakByTimeout(3*time.Minute),
			breaker.Multiplex(breaker.BreakByTimeout(2*time.Minute), breaker.New()),
		)
		at, ok := br.Deadline()
		require.True(t, ok)
		<-br.Done()
		require.True(t, time.Now().Equal(at))
		require.ErrorIs(t, br.Cause(), context.DeadlineExceeded)
		time.Sleep(time.Hour)
		requireDeadline(t, at, br)
	})
}

// Random trees against a slow, obvious model: the minimum, or the first, of all leaves.
func TestNode_Random(t *testing.T) {
	// promise 13, promise 14
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	base := time.Now()
	for range 2000 {
		var earliest time.Time
		var first any
		timed := func(at time.Time) time.Time {
			if earliest.IsZero() || at.Before(earliest) {
				earliest = at
			}
			return at
		}
		var tree func(depth int) breaker.Interface
		tree = func(depth int) breaker.Interface {
			at := base.Add(time.Hour + time.Duration(random.IntN(1_000_000_000)))
			switch kind := random.IntN(9); {
			case kind < 4 && depth > 0:
				children := make([]breaker.Interface, 1+random.IntN(6))
				for i := range children {
					children[i] = tree(depth - 1)
				}
				br := breaker.Multiplex(children...)
				if kind == 0 {
					return breaker.BreakByContext(breaker.ToContext(br), br.Close)
				}
				return br
			case kind < 6:
				return breaker.BreakByDeadline(timed(at))
			case kind == 6:
				ctx, cancel := context.WithDeadline(context.Background(), timed(at))
				return breaker.BreakByContext(ctx, cancel)
			case kind == 7:
				value := new(int)
				if first == nil {
					first = value
				}
				return withValue(keyA{}, value)
			default:
				return breaker.New()
			}
		}
		br := breaker.Multiplex(tree(4), tree(4))
		check := func() {
			at, ok := br.Deadline()
			require.Equal(t, !earliest.IsZero(), ok)
			require.True(t, at.Equal(earliest), "want %v, got %v", earliest, at)
			require.True(t, breaker.ToContext(br).Value(keyA{}) == first)
			require.Nil(t, breaker.ToContext(br).Value(keyB{}))
		}
		check()
		br.Close()
		check()
	}
}

func TestNode_Values(t *testing.T) {
	// promise 13: in the order in which the sources were given.
	type pair struct{ a, b any }
	for name, test := range map[string]struct {
		br   breaker.Interface
		want pair
	}{
		"no context":      {breaker.New(), pair{}},
		"no child has":    {breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(time.Hour)), pair{}},
		"bare":            {withValue(keyA{}, 1), pair{a: 1}},
		"first":           {breaker.Multiplex(withValue(keyA{}, 1), breaker.New()), pair{a: 1}},
		"last":            {breaker.Multiplex(breaker.New(), withValue(keyA{}, 1)), pair{a: 1}},
		"two keys":        {breaker.Multiplex(withValue(keyA{}, 1), withValue(keyB{}, 2)), pair{1, 2}},
		"two of a key":    {breaker.Multiplex(withValue(keyA{}, 1), withValue(keyA{}, 2)), pair{a: 1}},
		"three":           {breaker.Multiplex(withValue(keyB{}, 0), withValue(keyA{}, 1), withValue(keyA{}, 2)), pair{1, 0}},
		"nil is no value": {breaker.Multiplex(withValue(keyA{}, nil), withValue(keyA{}, 2)), pair{a: 2}},
		"a node first": {breaker.Multiplex(
			breaker.Multiplex(breaker.New(), withValue(keyA{}, 1)), withValue(keyA{}, 2), withValue(keyB{}, 3)), pair{1, 3}},
		"a node last": {breaker.Multiplex(
			withValue(keyA{}, 1), breaker.Multiplex(withValue(keyA{}, 2), withValue(keyB{}, 3))), pair{1, 3}},
		"through a view": {breaker.BreakByContext(
			context.WithValue(breaker.ToContext(withValue(keyA{}, 1)), keyB{}, 2), nil), pair{1, 2}},
		"through a view of a node": {breaker.Multiplex(breaker.New(), breaker.BreakByContext(
			breaker.ToContext(breaker.Multiplex(breaker.New(), withValue(keyB{}, 2))), nil)), pair{b: 2}},
		"NopCloser": {breaker.Multiplex(breaker.NopCloser(withValue(keyA{}, 1))), pair{a: 1}},
		"more than fit inline": {breaker.Multiplex(breaker.New(), breaker.New(), breaker.New(),
			breaker.New(), withValue(keyA{}, 1), breaker.New()), pair{a: 1}},
		"tripped when made": {breaker.Multiplex(breaker.BreakByTimeout(0), withValue(keyA{}, 1)), pair{a: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			view := breaker.ToContext(test.br)
			check := func() {
				require.Equal(t, test.want, pair{view.Value(keyA{}), view.Value(keyB{})})
				derived := context.WithoutCancel(view)
				require.Equal(t, test.want, pair{derived.Value(keyA{}), derived.Value(keyB{})})
				require.Nil(t, view.Value("another key"))
			}
			check()
			test.br.Close()
			check() // values outlive the trip
		})
	}
}

// A long chain is looked through without a stack of that depth, or time that grows faster than its
// length.
func TestNode_Chain(t *testing.T) {
	// promise 14, promise 17
	const length = 100_000
	at := time.Now().Add(time.Hour)
	br := breaker.Multiplex(breaker.BreakByDeadline(at), withValue(keyA{}, "a"))
	for i := range length {
		if i%2 == 0 {
			br = breaker.Multiplex(br, breaker.New())
		} else {
			br = breaker.Multiplex(breaker.BreakByDeadline(at.Add(time.Hour)), br)
		}
	}
	requireDeadline(t, at, br)
	require.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
	br.Close()
	requireDeadline(t, at, br)
	require.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
}

// promise 23: the same value at each call.
func TestDeadline_IsConstant(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	for _, br := range []*breaker.Breaker{
		breaker.BreakByTimeout(time.Hour),
		breaker.BreakByTimeout(1<<63 - 1),
		breaker.BreakByDeadline(time.Now().Add(time.Hour)),
		breaker.BreakByContext(ctx, nil),
		breaker.Within(context.Background(), time.Hour),
		breaker.Multiplex(breaker.BreakByTimeout(time.Hour)),
	} {
		first, _ := br.Deadline()
		for range 1_000 {
			if at, ok := br.Deadline(); at != first || !ok {
				t.Fatalf("%v, then %v", first, at)
			}
		}
		br.Close()
		at, _ := br.Deadline()
		assert.True(t, at == first)
	}
}

// promise 25: time is linear in the number of breakers, diamonds and chains of views included.
func TestNode_GraphsAreLinear(t *testing.T) {
	t.Run("diamonds", func(t *testing.T) {
		ctx := context.WithValue(context.Background(), keyA{}, "a")
		at := time.Now().Add(time.Hour)
		var br breaker.Interface = breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.BreakByDeadline(at))
		first := br
		for range 1_000 {
			br = breaker.Multiplex(breaker.NopCloser(br), breaker.NopCloser(br))
		}
		got, _ := br.Deadline()
		assert.True(t, got == at)
		assert.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
		assert.Nil(t, breaker.ToContext(br).Value(keyB{}))
		br.(*breaker.Breaker).Close()
		first.Close()
		assert.Error(t, br.Err())

		br = breaker.Multiplex(breaker.BreakByContext(ctx, nil))
		for range 1_000 {
			br = breaker.Multiplex(br, br)
		}
		br.Close()
		assert.Error(t, br.Err())
	})
	t.Run("views", func(t *testing.T) {
		ctx := context.WithValue(context.Background(), keyA{}, "a")
		first := breaker.Within(ctx, time.Hour)
		at, _ := first.Deadline()
		br := first
		for i := range scaled(1_000_000) {
			switch i % 2 {
			case 0:
				br = breaker.BreakByContext(breaker.ToContext(br), nil)
			default:
				br = breaker.Within(breaker.ToContext(br), 2*time.Hour)
			}
		}
		got, _ := br.Deadline()
		assert.True(t, got == at)
		assert.Equal(t, "a", breaker.ToContext(br).Value(keyA{}))
		first.Trip(errA)
		assert.Equal(t, errA, br.Cause())
	})
}

// promise 25: in a chain of views each asks the one before, and not all that come before.
func TestNode_GraphsChainOfViews(t *testing.T) {
	first := breaker.New()
	br := first
	// If that one asked in turn, the stack would grow with their number.
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	for range scaled(100_000) {
		br = breaker.BreakByContext(breaker.ToContext(br), nil)
	}
	assert.NoError(t, br.Cause())
	first.Trip(errA)
	assert.Equal(t, errA, br.Cause())
}
