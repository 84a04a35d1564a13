package lostclose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/kamilsk/breaker/lostclose"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is seeded is found, where it is, and nothing else.
func TestLostclose_Analyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), lostclose.Analyzer, "seeded", "fine", "entry", "unrelated",
		"across", "containers", "copied", "owned", "stops")
}

func TestAnalyzer_Fixes(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), lostclose.Analyzer, "fixes")
}

func TestAnalyzer_Ignores(t *testing.T) {
	skip := lostclose.Analyzer.Flags.Lookup("skiptests")
	require.NotNil(t, skip)
	require.NoError(t, skip.Value.Set("true"))
	defer func() { require.NoError(t, skip.Value.Set("false")) }()
	analysistest.Run(t, analysistest.TestData(), lostclose.Analyzer, "ignored")
}

// The lines that the expectations name are those that a person has marked: where a path loses the
// breaker.
func TestSeeded_LinesAreMarked(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("testdata", "src", "seeded", "seeded.go"))
	require.NoError(t, err)
	lines := strings.Split(string(source), "\n")
	named := regexp.MustCompile("// want `.*line (\\d+)")
	found := 0
	for i, text := range lines {
		match := named.FindStringSubmatch(text)
		if match == nil {
			continue
		}
		found++
		number, err := strconv.Atoi(match[1])
		require.NoError(t, err)
		assert.True(t, strings.HasSuffix(lines[number-1], "// lost"), "line %d: %s", i+1, lines[number-1])
	}
	assert.Greater(t, found, 20)
}
