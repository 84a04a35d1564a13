package breakernats_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakernats"
)

// 10,000 breakers are one watch, and as many goroutines as one breaker.
func TestHub_ManyBreakersOneWatch(t *testing.T) {
	const many = 10_000
	s, nc := single(t)
	b := open(t, connect(t, s.ClientURL()))
	br := breakBy(t, b, "job.first")
	awaitThat(t, func() bool { return consumers(t, nc) == 1 }, "the watch")
	before := runtime.NumGoroutine()

	all := make([]*breaker.Breaker, many)
	var wait sync.WaitGroup
	const makers = 16
	for m := range makers {
		wait.Go(func() {
			for i := m; i < many; i += makers {
				br, err := b.BreakByKey(within(t), fmt.Sprint("job.", i))
				if assert.NoError(t, err) {
					all[i] = br
				}
			}
		})
	}
	wait.Wait()
	require.False(t, t.Failed())
	// The server is in the same process, and has some that come and go.
	awaitThat(t, func() bool { return runtime.NumGoroutine() < before+50 }, "as few goroutines as with one breaker")
	awaitThat(t, func() bool { return ownGoroutines() == 3 }, "no more than one that reads the watch, one that keeps it up, and one that asks the leader")
	assert.Equal(t, 1, consumers(t, nc))

	tripper := open(t, nc)
	for i := 0; i < many; i += 100 {
		cause := trip(t, tripper, fmt.Sprint("job.", i), "no more")
		await(t, all[i])
		assertTripped(t, all[i], cause)
	}
	for i, br := range all {
		if i%100 != 0 {
			assert.NoError(t, br.Err())
		}
		br.Close()
	}
	assert.Equal(t, 1, consumers(t, nc), "there is still one breaker")
	br.Close()
	awaitThat(t, func() bool { return consumers(t, nc) == 0 && ownGoroutines() == 0 }, "the end of the watch")
}

// ownGoroutines returns how many goroutines there are that the package has started.
func ownGoroutines() int {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return bytes.Count(buf[:n], []byte("\ncreated by github.com/kamilsk/breaker/breaker"))
		}
	}
}

func TestHub_WatchEndsWithTheLast(t *testing.T) {
	s, nc := single(t)
	far := connect(t, s.ClientURL())
	b, alike := open(t, far), open(t, far, breakernats.WithName("another"))
	for name, end := range map[string]func(br *breaker.Breaker, key string){
		"closed":  func(br *breaker.Breaker, _ string) { br.Close() },
		"tripped": func(_ *breaker.Breaker, key string) { trip(t, open(t, nc), key, "no more") },
	} {
		t.Run(name, func(t *testing.T) {
			one, two := breakBy(t, b, name+".1"), breakBy(t, alike, name+".2")
			assert.Equal(t, 1, consumers(t, nc))
			end(one, name+".1")
			await(t, one)
			assert.Equal(t, 1, consumers(t, nc))
			end(two, name+".2")
			awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
			assertOpen(t, breakBy(t, b, name+".3"))
		})
		awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
	}
	_, err := b.BreakByKey(within(t), "tripped.1")
	require.NoError(t, err)
	awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of a watch nobody needs")
}

// Breakers come and go while the watch begins and ends.
func TestComingAndGoing(t *testing.T) {
	s, nc := single(t)
	b := open(t, connect(t, s.ClientURL()))
	tripper := open(t, nc)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 25 {
				key := fmt.Sprint("job.", i, ".", j)
				br, err := b.BreakByKey(within(t), key)
				if !assert.NoError(t, err) {
					return
				}
				if j%2 == 0 {
					cause, _, err := tripper.Trip(within(t), key, nil)
					assert.NoError(t, err)
					await(t, br)
					assert.Equal(t, cause, br.Cause())
				}
				br.Close()
			}
		})
	}
	wait.Wait()
	awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
}

// A trip that falls between any two steps of a constructor is found by one of them.
func TestHub_TripWhileBeginning(t *testing.T) {
	s, nc := single(t)
	b := open(t, connect(t, s.ClientURL()))
	tripper := open(t, nc)
	for i := range 200 {
		key := fmt.Sprint("job.", i)
		made := make(chan *breaker.Breaker)
		go func() {
			br, err := b.BreakByKey(within(t), key)
			assert.NoError(t, err)
			made <- br
		}()
		cause := trip(t, tripper, key, "no more")
		br := <-made
		require.NotNil(t, br)
		await(t, br)
		assertTripped(t, br, cause)
	}
}

func TestHub_ManyOnOneKey(t *testing.T) {
	s, nc := single(t)
	b := open(t, connect(t, s.ClientURL()))
	var left, closed []*breaker.Breaker
	for i := range 30 {
		br := breakBy(t, b, "import")
		if i%3 == 0 {
			closed = append(closed, br)
		} else {
			left = append(left, br)
		}
	}
	for _, br := range closed {
		br.Close()
	}
	cause := trip(t, open(t, nc), "import", "no more")
	for _, br := range left {
		await(t, br)
		assertTripped(t, br, cause)
	}
	for _, br := range closed {
		assert.Equal(t, breaker.ErrClosed, br.Cause())
	}
}

// When Trip returns, what it trips in the same process has tripped, also if the watch knew first.
func TestHub_TripIsSynchronous(t *testing.T) {
	_, nc := single(t)
	b := open(t, nc)
	for i := range 100 {
		key := fmt.Sprint("import.", i)
		brs := []*breaker.Breaker{breakBy(t, b, key), breakBy(t, b, key)}
		cause := trip(t, b, key, "no more")
		for _, br := range brs {
			assertTripped(t, br, cause)
		}
	}
}

func TestHub_Composes(t *testing.T) {
	s, nc := single(t)
	b := open(t, connect(t, s.ClientURL()))
	job := breakBy(t, b, "import")

	// A request watches it and leaves it alone.
	request := breaker.Multiplex(breaker.New(), breaker.NopCloser(job))
	request.Close()
	assertOpen(t, job)

	owned, err := b.BreakByKey(within(t), "import")
	require.NoError(t, err)
	child := breaker.Multiplex(breaker.New(), owned)
	defer child.Close()
	ctx, cancel := context.WithCancel(breaker.ToContext(breaker.NopCloser(job)))
	defer cancel()
	second := breaker.Multiplex(breaker.New(), breaker.NopCloser(job))
	defer second.Close()

	cause := trip(t, open(t, nc), "import", "no more")
	await(t, child)
	await(t, second)
	<-ctx.Done()
	assertTripped(t, child, cause)
	assertTripped(t, second, cause)
	assert.Equal(t, context.Canceled, ctx.Err())
	assert.Equal(t, cause, context.Cause(ctx))
	assert.Equal(t, breaker.ErrClosed, request.Cause())

	// What a Multiplex owns, it gives back.
	left, err := b.BreakByKey(within(t), "export")
	require.NoError(t, err)
	breaker.Multiplex(left).Close()
	awaitThat(t, func() bool { return consumers(t, nc) == 0 }, "the end of the watch")
}
