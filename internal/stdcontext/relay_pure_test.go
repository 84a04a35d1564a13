//go:build breaker_pure

package stdcontext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/internal/stdcontext"
)

func TestRelay_IsLeftOut(t *testing.T) {
	// promise 26
	require.False(t, stdcontext.HasRelay)
}
