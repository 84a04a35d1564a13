package breakertest_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kamilsk/breaker"
)

// process is made by package initialization, main by TestMain: no test answers for them.
var process = breaker.BreakByTimeout(time.Hour)

func TestMain(m *testing.M) {
	main := breaker.New()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		main.Close()
		process.Close()
		os.Exit(code)
	}))
}
