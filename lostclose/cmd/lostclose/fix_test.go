package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever -fix offers compiles, and changes nothing that a program does: programs print it, before
// all fixes and after. They are compiled with the real package. What is to be fixed is marked, and
// is.
func TestFix_KeepsWhatProgramsDo(t *testing.T) {
	dir := corpus(t)
	before := runAll(t, dir)

	out, code := execute(t, dir, tool, "-fix", "./...")
	require.Contains(t, []int{0, 3}, code, out)
	marked, deferred := 0, 0
	for name := range before {
		source, err := os.ReadFile(filepath.Join(dir, name, "main.go"))
		require.NoError(t, err)
		lines := strings.Split(string(source), "\n")
		for i, text := range lines {
			if strings.Contains(text, "defer ") && strings.Contains(text, ".Close()") {
				deferred++
			}
			if !strings.HasSuffix(text, "// fixed") {
				continue
			}
			marked++
			assert.Regexp(t, `^\s*defer \w+\.Close\(\)$`, lines[i+1], "%s:%d", name, i+1)
		}
	}
	require.Greater(t, marked, 25)
	// Two on one line have one mark; what is on one line, and what has a comment that goes on,
	// can't be marked.
	assert.Equal(t, marked+3, deferred, "what isn't marked isn't fixed")

	after := runAll(t, dir)
	for name := range before {
		assert.Equal(t, before[name], after[name], name)
	}
	out, _ = execute(t, dir, tool, "-fix", "-diff", "./...")
	assert.NotContains(t, out, "+\tdefer", "nothing is fixed twice")
}

// corpus makes a module of the programs, with the package that this module is part of.
func corpus(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "testdata", "corpus"))))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"go.mod": "module corpus\n\ngo 1.26.0\n\nrequire " + stubPath + " v0.0.0\n\nreplace " + stubPath + " => " + root + "\n",
		"go.sum": string(sums),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	out, code := execute(t, dir, "go", "mod", "tidy")
	require.Zero(t, code, out)
	return dir
}

// runAll compiles all programs, runs each, and returns what they print.
func runAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	bin := t.TempDir()
	out, code := execute(t, dir, "go", "build", "-o", bin+string(filepath.Separator), "./...")
	require.Zero(t, code, out)
	programs, err := os.ReadDir(bin)
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	prints := map[string]string{}
	for _, program := range programs {
		var both bytes.Buffer
		command := exec.Command(filepath.Join(bin, program.Name()))
		command.Stdout, command.Stderr = &both, &both
		require.NoError(t, command.Run(), "%s: %s", program.Name(), both.String())
		prints[program.Name()] = both.String()
	}
	return prints
}
