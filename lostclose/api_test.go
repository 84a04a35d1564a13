package lostclose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the analyzer knows of the package is what the package has, and so has the stand-in that the
// tests use: a new function or method has to be sorted here first.
func TestAPI_IsThePackages(t *testing.T) {
	functions := sorted(makers, views, harmless)
	methods := sorted(enders, askers, watchers)
	for _, dir := range []string{"..", filepath.Join("testdata", "src", "github.com", "kamilsk", "breaker")} {
		t.Run(dir, func(t *testing.T) {
			inFunctions, inMethods := declared(t, dir)
			assert.Subset(t, functions, inFunctions)
			assert.Subset(t, methods, inMethods)
			for _, name := range functions {
				assert.Contains(t, inFunctions, name)
			}
		})
	}
}

// declared returns the exported functions that take or return breakers, and the exported methods of
// Breaker.
func declared(t *testing.T, dir string) (functions, methods []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			switch {
			case f.Recv == nil && mentionsBreakers(f.Type):
				functions = append(functions, f.Name.Name)
			case f.Recv != nil && receiver(f) == "Breaker":
				methods = append(methods, f.Name.Name)
			}
		}
	}
	require.NotEmpty(t, functions)
	require.NotEmpty(t, methods)
	return functions, methods
}

func mentionsBreakers(f *ast.FuncType) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && (id.Name == "Breaker" || id.Name == "Interface" || id.Name == "Idle")
		return true
	})
	return found
}

func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return t.(*ast.Ident).Name
}

func sorted(sets ...map[string]bool) (names []string) {
	for _, set := range sets {
		names = slices.AppendSeq(names, maps.Keys(set))
	}
	slices.Sort(names)
	return names
}
