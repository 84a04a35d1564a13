package breakerrun_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerrun"
)

// asChild names the program that the test binary runs instead of the tests; see
// signals_unix_test.go.
const asChild = "BREAKERRUN_TEST_CHILD"

var children = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(asChild); name != "" {
		time.AfterFunc(patience, func() {
			fmt.Println("hung")
			os.Exit(1)
		})
		children[name]()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what never comes; nothing is expected to take it.
const patience = 20 * time.Second

// receive returns what comes from the channel, or its zero value when that is closed.
func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		require.FailNow(t, "it never came")
	}
	return v
}

var errBoom = errors.New("boom")

// journal is what happened, in order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// steady is a part that ends as soon as it is told to.
func (j *journal) steady(name string) func(stop, cut breaker.Interface) error {
	return func(stop, _ breaker.Interface) error {
		<-stop.Done()
		j.add(name)
		return nil
	}
}

// run runs the parts on a goroutine of its own.
func run(r *breakerrun.Runner, stop breaker.Interface, parts ...breakerrun.Part) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- r.Run(stop, parts...) }()
	return ended
}

// deaf ignores its breakers until it is let go.
func deaf(letGo <-chan struct{}) func(stop, cut breaker.Interface) error {
	return func(_, _ breaker.Interface) error {
		<-letGo
		return nil
	}
}
