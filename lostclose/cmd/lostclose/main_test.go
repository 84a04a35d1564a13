package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const stubPath = "github.com/kamilsk/breaker"

var tool string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lostclose")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	tool = filepath.Join(dir, "lostclose")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// Both ways to run it find what is seeded, and nothing else: go vet with its protocol, and the
// command by itself.
func TestCommand_FindsWhatIsSeeded(t *testing.T) {
	findsIn(t, module(t, "seeded", "fine"), "seeded", 30)
}

// What is known of a function comes with the package that has it, in both ways.
func TestCommand_KnowsFunctionsOfOtherPackages(t *testing.T) {
	findsIn(t, module(t, "helpers", "across"), "across", 10)
}

// findsIn checks that exactly what is marked in one package is found in the module.
func findsIn(t *testing.T, dir, name string, atLeast int) {
	t.Helper()
	expected := marked(t, filepath.Join(dir, name, name+".go"))
	require.Greater(t, len(expected), atLeast)

	out, code := execute(t, dir, "go", "vet", "-vettool="+tool, "./...")
	assert.Equal(t, 1, code, out)
	assert.Equal(t, expected, findings(out, name))

	out, code = execute(t, dir, tool, "./...")
	assert.Equal(t, 3, code, out)
	assert.Equal(t, expected, findings(out, name))
}

// The repository that this is part of is free of findings, and so is what it shows to users. Its
// own tests leave breakers open on purpose, so they are left out where they are about nothing else.
func TestCommand_FindsNothingHere(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	integrations := filepath.Join(root, "integrations")
	for _, test := range []struct {
		dir  string
		args []string
	}{
		{root, append([]string{"-skiptests"}, packagesOf(t, root)...)},
		{root, []string{"./examples/...", "./breakerhttp/..."}},
		{integrations, []string{"./..."}},
	} {
		_, _ = execute(t, test.dir, "go", "mod", "download") // which would say so
		out, _ := execute(t, test.dir, "go", append([]string{"vet", "-vettool=" + tool}, test.args...)...)
		assert.Empty(t, out, "%s: %v", test.dir, test.args)
	}
}

// packagesOf returns the packages of the module in that directory, but for a suite of tests that
// other modules run: what it makes is closed by the test that runs it, as in a file of tests.
func packagesOf(t *testing.T, dir string) (packages []string) {
	t.Helper()
	list := exec.Command("go", "list", "./...")
	list.Dir = dir
	out, err := list.Output()
	require.NoError(t, err)
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.HasSuffix(name, "/clustertest") {
			packages = append(packages, name)
		}
	}
	require.NotEmpty(t, packages)
	return packages
}

// module makes a module of some packages of the testdata, and the stand-in for the one with
// breakers.
func module(t *testing.T, packages ...string) string {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join("..", "..", "testdata", "src")
	require.NoError(t, os.CopyFS(filepath.Join(dir, "breaker"), os.DirFS(filepath.Join(data, filepath.FromSlash(stubPath)))))
	for _, name := range packages {
		require.NoError(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(data, name))))
		path := filepath.Join(dir, name, name+".go")
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		source = bytes.ReplaceAll(source, []byte(`"helpers"`), []byte(`"seeded/helpers"`))
		require.NoError(t, os.WriteFile(path, source, 0o600))
	}
	write := func(path, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
	}
	write("go.mod", "module seeded\n\ngo 1.26\n\nrequire "+stubPath+" v0.0.0\n\nreplace "+stubPath+" => ./breaker\n")
	write(filepath.Join("breaker", "go.mod"), "module "+stubPath+"\n\ngo 1.26\n")
	return dir
}

// marked returns the lines on which a finding is expected.
func marked(t *testing.T, path string) map[int]bool {
	t.Helper()
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := map[int]bool{}
	for i, text := range strings.Split(string(source), "\n") {
		if strings.Contains(text, "// want ") {
			lines[i+1] = true
		}
	}
	return lines
}

var finding = regexp.MustCompile(`(?m)^\S*?(\w+)\.go:(\d+):\d+: (.*)$`)

// findings returns the lines that are reported in the file of that name, and -1 for any other.
func findings(out, name string) map[int]bool {
	lines := map[int]bool{}
	for _, match := range finding.FindAllStringSubmatch(out, -1) {
		if strings.HasPrefix(match[3], "\there ") {
			continue
		}
		number, err := strconv.Atoi(match[2])
		if err != nil || match[1] != name {
			number = -1
		}
		lines[number] = true
	}
	return lines
}

func execute(t *testing.T, dir, name string, args ...string) (out string, code int) {
	t.Helper()
	var both bytes.Buffer
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	command.Stdout, command.Stderr = &both, &both
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return both.String(), command.ProcessState.ExitCode()
}
