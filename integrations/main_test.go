package integrations_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errEnough is what the tests trip breakers with.
var errEnough = errors.New("enough")

// handwritten is how a breaker is made a context where nobody has ToContext: by embedding one that
// never ends.
type handwritten struct {
	context.Context
	br *breaker.Breaker
}

func (h handwritten) Done() <-chan struct{} { return h.br.Done() }
func (h handwritten) Err() error            { return h.br.Err() }

// contexts are the ways to make one that ends when the breaker trips.
var contexts = []struct {
	name string
	make func(*breaker.Breaker) context.Context
	own  bool // package context can derive from it without a goroutine
}{
	{"ToContext", func(br *breaker.Breaker) context.Context { return breaker.ToContext(br) }, true},
	{"package context", func(br *breaker.Breaker) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		br.OnTrip(func() { cancel(br.Cause()) })
		return ctx
	}, true},
	{"by hand", func(br *breaker.Breaker) context.Context { return handwritten{context.Background(), br} }, false},
}

// waiters is how many wait at the same time where goroutines are counted.
const waiters = 100

// assertGoroutinesPerWait lets many goroutines wait in a bubble until a breaker trips, over each
// kind of context, and counts those that there are besides: so many for each over a context that
// package context knows or needn't know, and so many over one that was written by hand.
func assertGoroutinesPerWait(t *testing.T, known, byHand int, wait func(ctx context.Context)) {
	t.Helper()
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			awaitStartedBy(t, 0, "context.")
			synctest.Test(t, func(t *testing.T) {
				br := breaker.New()
				ctx := c.make(br)
				before := inBubble()
				for range waiters {
					go wait(ctx)
				}
				synctest.Wait()
				expected := byHand
				if c.own {
					expected = known
				}
				assert.Equal(t, expected*waiters, inBubble()-before-waiters)
				assert.Equal(t, (byHand-known)*waiters*btoi(!c.own), startedBy("context."), "started by package context")
				br.Trip(errEnough)
				synctest.Wait()
				assert.Equal(t, before, inBubble(), "left behind")
			})
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// startedBy returns how many goroutines there are that a function whose name begins so has started.
func startedBy(prefix string) int { return strings.Count(stacks(), "\ncreated by "+prefix) }

// awaitStartedBy waits until there are so many. Where they are counted, it first waits for none:
// those of the test before may still be ending. It isn't for a bubble, where no time passes while
// it waits, so that it would never give up.
func awaitStartedBy(t testing.TB, count int, prefix string) {
	t.Helper()
	awaitThat(t, func() bool { return startedBy(prefix) == count }, fmt.Sprint(count, " started by ", prefix))
}

// inBubble returns how many goroutines there are in a bubble: in the one that calls, because no two
// run at a time.
func inBubble() (count int) {
	for line := range strings.Lines(stacks()) {
		if strings.HasPrefix(line, "goroutine ") && strings.Contains(line, "synctest bubble") {
			count++
		}
	}
	return count
}

// stacks returns the traces of all goroutines.
func stacks() string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}

// awaitThat yields until the condition holds. The limit is no expectation: it turns a hang into a
// failure.
func awaitThat(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); runtime.Gosched() {
		if time.Since(begin) > time.Minute {
			require.FailNow(t, "it never came: "+what)
		}
	}
}
