package checks_test

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// What the package and what is beneath it share between goroutines goes through internal/atomic, or
// the explorer doesn't see it. The exceptions say why.
func TestSeam_HasNoWayAround(t *testing.T) {
	exceptions := map[string]string{
		"timer.go sync":               "the pool of timers: what it gives is nobody else's",
		"state.go go.uber.org/atomic": "the blank import without which nothing is inlined",

		"internal/bubble/bubble.go sync/atomic":            "where a bubble is left, in tests",
		"internal/registry/registry.go go.uber.org/atomic": "as in state.go",
		"internal/stdcontext/relay_unsafe.go sync":         "the type of a field of package context",
		"internal/stdcontext/relay_unsafe.go sync/atomic":  "the type of a field of package context",
	}
	var names []string
	for _, dir := range []string{".", "internal/bubble", "internal/hub", "internal/registry", "internal/stdcontext"} {
		files, err := os.ReadDir(filepath.Join(root, dir))
		require.NoError(t, err)
		for _, file := range files {
			names = append(names, path.Join(dir, file.Name()))
		}
	}
	seen := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			switch path {
			case "sync", "sync/atomic", "go.uber.org/atomic":
				assert.Contains(t, exceptions, filepath.ToSlash(name)+" "+path)
				seen++
			case "github.com/kamilsk/breaker/internal/atomic":
				seen++
			}
		}
	}
	assert.Greater(t, seen, len(exceptions), "nothing was looked at")
}
