//go:build unix

package breakergrpc_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakergrpc"
)

// A second signal cuts.
func TestServe_SecondSignal(t *testing.T) {
	h := hold(false)
	r := start(t, &h.service, breakergrpc.NewCalls(), breakergrpc.WithGrace(forever),
		breakergrpc.WithSignals(syscall.SIGUSR2), breakergrpc.WithSignalGap(0))
	ended := calling(dial(t, r.address, causes()...), "")
	ctx := receive(t, h.contexts)
	r.stop.Close()
	receive(t, breakergrpc.DrainOf(ctx))
	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGUSR2))
	assert.ErrorIs(t, receive(t, ended), breakergrpc.ErrShutdown)
	var by breaker.SignalError
	require.ErrorAs(t, receive(t, r.ended), &by)
	assert.Equal(t, syscall.SIGUSR2, by.Signal)
}
