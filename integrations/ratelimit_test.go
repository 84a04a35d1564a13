package integrations_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/ratelimit"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/integrations"
)

// take is when one asked for a permission and when it went on, from the start of the bubble.
type take struct{ asked, permitted time.Duration }

// Those who are interrupted leave no trace: the others go on at the moments at which the library's
// own limiter lets them go on if those had never come. Pauses and patience are random, of the order
// of the period.
func TestLimiter_AsIfTheInterruptedHadNeverCome(t *testing.T) {
	for _, test := range []struct {
		name   string
		opts   []ratelimit.Option
		period time.Duration
	}{
		{"as it comes", nil, 100 * time.Millisecond},
		{"without slack", []ratelimit.Option{ratelimit.WithoutSlack}, 100 * time.Millisecond},
		{"with slack", []ratelimit.Option{ratelimit.WithSlack(3)}, 100 * time.Millisecond},
		{"per minute", []ratelimit.Option{ratelimit.Per(time.Minute), ratelimit.WithSlack(2)}, 6 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			const seeds, takers = 50, 100
			permitted := 0
			for seed := range uint64(seeds) {
				takes := takesOf(t, seed, takers, test.period, test.opts)
				require.Equal(t, repeated(t, takes, test.opts), takes, "seed %d", seed)
				permitted += len(takes)
			}
			assert.Less(t, permitted, seeds*takers-seeds, "some are interrupted")
			assert.Greater(t, permitted, seeds*takers/4)
		})
	}
}

// takesOf lets one after the other take, with random pauses and patience, and returns what those
// did that had patience enough.
func takesOf(t *testing.T, seed uint64, takers int, period time.Duration, opts []ratelimit.Option) (takes []take) {
	random := rand.New(rand.NewPCG(seed, 1))
	upTo := func(periods int64) time.Duration { return time.Duration(random.Int64N(periods * int64(period))) }
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := integrations.NewLimiter(10, opts...)
		for range takers {
			switch random.IntN(8) {
			case 0:
				time.Sleep(upTo(20)) // fills any slack
			case 1, 2, 3:
				time.Sleep(upTo(2))
			}
			br := breaker.BreakByTimeout(upTo(2))
			asked := time.Since(start)
			at, err := limiter.Take(br)
			br.Close()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				continue
			}
			require.True(t, at.Equal(time.Now()), "it says %v, and it is %v", at, time.Now())
			takes = append(takes, take{asked, time.Since(start)})
		}
	})
	return takes
}

// repeated asks the library's own limiter at the same moments.
func repeated(t *testing.T, takes []take, opts []ratelimit.Option) []take {
	same := make([]take, len(takes))
	synctest.Test(t, func(*testing.T) {
		start := time.Now()
		limiter := ratelimit.New(10, opts...)
		for i, other := range takes {
			time.Sleep(other.asked - time.Since(start))
			limiter.Take()
			same[i] = take{other.asked, time.Since(start)}
		}
	})
	return same
}

// What its users do today: give up on a goroutine that takes. It stays until the moment comes, and
// takes the permission along.
func TestLibrary_LosesWhatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := ratelimit.New(10, ratelimit.WithoutSlack)
		limiter.Take()
		before := inBubble()
		go limiter.Take() // given up at once
		synctest.Wait()
		assert.Equal(t, 1, inBubble()-before, "it is left behind")
		limiter.Take()
		assert.Equal(t, 200*time.Millisecond, time.Since(start), "the permission after 100 ms is lost")
	})
}

// The same with a breaker.
func TestLimiter_KeepsWhatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := integrations.NewLimiter(10, ratelimit.WithoutSlack)
		_, err := limiter.Take(breaker.New())
		require.NoError(t, err)
		before := inBubble()

		br := breaker.New()
		stop := time.AfterFunc(50*time.Millisecond, func() { br.Trip(errEnough) })
		defer stop.Stop()
		_, err = limiter.Take(br)
		assert.Equal(t, errEnough, err, "the cause itself")
		assert.Equal(t, 50*time.Millisecond, time.Since(start))
		assert.Equal(t, before, inBubble())

		at, err := limiter.Take(breaker.New())
		require.NoError(t, err)
		assert.Equal(t, 100*time.Millisecond, time.Since(start), "the permission is there for the next one")
		assert.True(t, at.Equal(start.Add(100*time.Millisecond)), at)
	})
}

// A caller that is interrupted in the middle of the queue leaves it, and those behind move up.
func TestLimiter_TheQueueMovesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := integrations.NewLimiter(10, ratelimit.WithoutSlack)
		var breakers [10]*breaker.Breaker
		permitted := make([]time.Duration, len(breakers))
		var all sync.WaitGroup
		for i := range breakers {
			breakers[i] = breaker.New()
			all.Go(func() {
				if _, err := limiter.Take(breakers[i]); err != nil {
					assert.Equal(t, errEnough, err)
					return
				}
				permitted[i] = time.Since(start)
			})
			synctest.Wait() // so they queue up in this order
		}
		time.Sleep(150 * time.Millisecond)
		for _, i := range []int{2, 3, 5, 6, 7} { // number 2 is at the head
			breakers[i].Trip(errEnough)
		}
		all.Wait()
		ms := time.Millisecond
		assert.Equal(t, []time.Duration{0, 100 * ms, 0, 0, 200 * ms, 0, 0, 0, 300 * ms, 400 * ms}, permitted)
	})
}

// One trip for everyone: the permissions that they would have had are there for those who come
// then.
func TestLimiter_OneTripForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 1000
		limiter := integrations.NewLimiter(10, ratelimit.WithoutSlack)
		process := breaker.New()
		before := inBubble()
		for range many {
			go func() {
				for {
					if _, err := limiter.Take(process); err != nil {
						assert.Equal(t, errEnough, err)
						return
					}
				}
			}()
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		assert.Equal(t, before+many, inBubble(), "one each, and no other")
		process.Trip(errEnough)
		synctest.Wait()
		assert.Equal(t, before, inBubble(), "none is left")

		start := time.Now()
		_, err := limiter.Take(breaker.New())
		require.NoError(t, err)
		assert.Equal(t, 99*time.Millisecond, time.Since(start), "the next moment, not one in two minutes")
	})
}

// A timer is late at times, by more than a period if those are short. A caller that has waited that
// long for its turn is served as of the moment at which it came, so that nothing is lost by it.
func TestLimiter_LateTurnsCostNothing(t *testing.T) {
	limiter := integrations.NewLimiter(10, ratelimit.WithoutSlack)
	ms := time.Millisecond
	for _, turn := range []struct{ asked, permitted time.Duration }{
		{0, 0}, {1 * ms, 100 * ms}, {2 * ms, 200 * ms}, {3 * ms, 300 * ms}, {900 * ms, 900 * ms}, {901 * ms, 1000 * ms},
	} {
		assert.Equal(t, turn.permitted, limiter.Reserve(turn.asked))
	}
}

// A breaker that has tripped takes nothing.
func TestLimiter_TrippedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		limiter := integrations.NewLimiter(10, ratelimit.WithoutSlack)
		br := breaker.New()
		br.Trip(errEnough)
		for range 100 {
			at, err := limiter.Take(br)
			require.Equal(t, errEnough, err)
			require.Zero(t, at)
		}
		for range 2 {
			_, err := limiter.Take(breaker.NopCloser(breaker.New()))
			require.NoError(t, err)
		}
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

// However many are interrupted: the clock is moved by a thousand years here, more than fit into a
// time.Duration.
func TestLimiter_ManyInterruptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := integrations.NewLimiter(1, ratelimit.Per(24*365*time.Hour), ratelimit.WithoutSlack)
		_, err := limiter.Take(breaker.New())
		require.NoError(t, err)
		start := time.Now()
		for range 1000 {
			br := breaker.BreakByTimeout(time.Millisecond)
			_, err := limiter.Take(br)
			br.Close()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		_, err = limiter.Take(breaker.New())
		require.NoError(t, err)
		assert.Equal(t, 24*365*time.Hour, time.Since(start))
	})
}

func TestLimiter_InParallel(t *testing.T) {
	limiter := integrations.NewLimiter(1_000_000)
	var all sync.WaitGroup
	permitted := make([]int, 8)
	for i := range permitted {
		all.Go(func() {
			for range 200 {
				br := breaker.New()
				if i%2 == 0 {
					go br.Trip(errEnough)
				}
				if _, err := limiter.Take(br); err == nil {
					permitted[i]++
				} else {
					assert.Equal(t, errEnough, err)
				}
				br.Close()
			}
		})
	}
	all.Wait()
	for i := range permitted {
		if i%2 == 1 {
			assert.Equal(t, 200, permitted[i])
		}
	}
}

func TestLimiter_GoroutinesPerTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := integrations.NewLimiter(1, ratelimit.Per(time.Hour))
		br := breaker.New()
		_, err := limiter.Take(br)
		require.NoError(t, err)
		before := inBubble()
		for range waiters {
			go func() { _, _ = limiter.Take(br) }()
		}
		synctest.Wait()
		assert.Equal(t, waiters, inBubble()-before)
		br.Trip(errEnough)
	})
}

func TestLimiter_BadInput(t *testing.T) {
	assert.PanicsWithValue(t, "integrations: NewLimiter: the rate isn't positive", func() { integrations.NewLimiter(0) })
	assert.PanicsWithValue(t, "integrations: Limiter.Take: br is nil", func() {
		_, _ = integrations.NewLimiter(1).Take(nil)
	})
}
