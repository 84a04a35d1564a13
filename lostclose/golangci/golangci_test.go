package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/tools/go/analysis"

	"github.com/kamilsk/breaker/lostclose"
	"github.com/kamilsk/breaker/lostclose/golangci"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golangci-lint finds the plugin by its name, and gives it what .golangci.yml says.
func TestGolangci_Plugin(t *testing.T) {
	construct, err := register.GetPlugin(golangci.Name)
	require.NoError(t, err)
	flag := lostclose.Analyzer.Flags.Lookup("skiptests")
	defer func() { require.NoError(t, flag.Value.Set("false")) }()
	for _, test := range []struct {
		settings any
		skips    string
	}{
		{nil, "false"},
		{map[string]any{}, "false"},
		{map[string]any{"skip-tests": true}, "true"},
	} {
		plugin, err := construct(test.settings)
		require.NoError(t, err)
		assert.Equal(t, register.LoadModeTypesInfo, plugin.GetLoadMode())
		analyzers, err := plugin.BuildAnalyzers()
		require.NoError(t, err)
		assert.Equal(t, []*analysis.Analyzer{lostclose.Analyzer}, analyzers)
		assert.NoError(t, analysis.Validate(analyzers))
		assert.Equal(t, test.skips, flag.Value.String())
	}
}

func TestPlugin_UnknownSettings(t *testing.T) {
	construct, err := register.GetPlugin(golangci.Name)
	require.NoError(t, err)
	_, err = construct(map[string]any{"skiptests": true})
	assert.ErrorContains(t, err, "lostclose: decoding settings")
}
