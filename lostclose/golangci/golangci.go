// Package golangci makes lostclose a linter of golangci-lint, by its module plugins.
//
// To build a golangci-lint with it, write this .custom-gcl.yml and run golangci-lint custom:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/kamilsk/breaker/lostclose
//	    import: github.com/kamilsk/breaker/lostclose/golangci
//	    version: latest
//
// Then enable it in .golangci.yml:
//
//	version: "2"
//	linters:
//	  enable: [lostclose]
//	  settings:
//	    custom:
//	      lostclose:
//	        type: module
//	        description: reports breakers that are never closed
//	        settings:
//	          skip-tests: true
package golangci

import (
	"fmt"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/kamilsk/breaker/lostclose"
)

// Name is the name of the linter.
const Name = "lostclose"

func init() { register.Plugin(Name, New) }

// Settings are the settings in .golangci.yml.
type Settings struct {
	// SkipTests leaves out the files whose names end in _test.go.
	SkipTests bool `json:"skip-tests"`
}

// New returns the plugin. It returns an error for unknown settings.
func New(settings any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[Settings](settings)
	if err != nil {
		return nil, fmt.Errorf("lostclose: %w", err)
	}
	return plugin{s}, nil
}

type plugin struct{ settings Settings }

func (p plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	if p.settings.SkipTests {
		if err := lostclose.Analyzer.Flags.Set("skiptests", "true"); err != nil {
			return nil, err
		}
	}
	return []*analysis.Analyzer{lostclose.Analyzer}, nil
}

// GetLoadMode says that the analyzer needs types.
func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
