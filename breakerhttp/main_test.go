package breakerhttp_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asChild names the program that the test binary runs instead of the tests; see serve_unix_test.go.
const asChild = "BREAKERHTTP_TEST_CHILD"

var children = map[string]func(){}

func TestMain(m *testing.M) {
	if name := os.Getenv(asChild); name != "" {
		time.AfterFunc(3*patience, func() {
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
