package checks_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// promise 15: a Breaker that is copied by value is reported by go vet.
func TestVet_ReportsCopies(t *testing.T) {
	report, err := exec.Command("go", "vet", "-copylocks", "../../testdata/copylocks").CombinedOutput()
	require.Error(t, err, "go vet has found nothing")

	assert.Contains(t, string(report), "assignment copies lock value to another: github.com/kamilsk/breaker.Breaker")
	assert.Contains(t, string(report), "byValue passes lock by value: github.com/kamilsk/breaker.Breaker")
	assert.Contains(t, string(report), "embedded passes lock by value: github.com/kamilsk/breaker/testdata/copylocks.limiter")
}
