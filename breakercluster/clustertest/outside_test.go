package clustertest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker/breakercluster/clustertest"
)

func TestOutside(t *testing.T) {
	var order []string
	var dir string
	clustertest.Outside(func(tb testing.TB) {
		dir = tb.TempDir()
		require.DirExists(t, dir)
		tb.Cleanup(func() { order = append(order, "second") })
		tb.Cleanup(func() { order = append(order, "first") })
	})
	require.Equal(t, []string{"first", "second"}, order)
	_, err := os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.PanicsWithValue(t, "cleaning up", func() {
		clustertest.Outside(func(tb testing.TB) {
			tb.Cleanup(func() { order = append(order, "third") })
			tb.Cleanup(func() { panic("cleaning up") })
		})
	})
	require.Equal(t, []string{"first", "second", "third"}, order)
	require.PanicsWithValue(t, "it fails\n", func() {
		clustertest.Outside(func(tb testing.TB) { tb.Fatalf("it %s", "fails") })
	})
}
