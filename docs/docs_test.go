// Package docs_test keeps what is written readable: documents are short, links lead somewhere, and
// comments fit on a screen.
package docs_test

import (
	"bufio"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root          = ".."
	longestPage   = 200 // lines
	widestComment = 100 // columns, a tab counting four
	widestText    = 120
)

func TestPages_AreShort(t *testing.T) {
	pages := 0
	for _, name := range files(t, ".md") {
		if path.Dir(name) != "docs" && name != "README.md" && name != "CONTRIBUTING.md" {
			continue
		}
		pages++
		text := read(t, name)
		assert.LessOrEqual(t, strings.Count(text, "\n"), longestPage, "%s has too many lines", name)
	}
	assert.Greater(t, pages, 8)
}

// A table, a link and a code block can't be wrapped.
func TestText_FitsInAWindow(t *testing.T) {
	for _, name := range files(t, ".md") {
		code := false
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			if code || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "[") ||
				utf8.RuneCountInString(line) <= widestText {
				continue
			}
			assert.Fail(t, "too wide", "%s:%d is wider than %d columns", name, i+1, widestText)
		}
	}
}

func TestComments_FitInAWindow(t *testing.T) {
	comments := 0
	for _, name := range files(t, ".go") {
		n, tooWide := widths(t, name)
		comments += n
		for _, line := range tooWide {
			assert.Fail(t, "too wide", "%s:%d: a comment goes beyond column %d", name, line, widestComment)
		}
	}
	assert.Greater(t, comments, 1000)
}

// widths returns how many comments a Go file has, and the lines of those that are too wide.
func widths(t *testing.T, name string) (comments int, tooWide []int) {
	source := []byte(read(t, name))
	lines := strings.Split(string(source), "\n")
	set := token.NewFileSet()
	file := set.AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, kind, text := s.Scan()
		if kind == token.EOF {
			return comments, tooWide
		}
		if kind != token.COMMENT || isDirective(text) {
			continue
		}
		comments++
		first := file.Line(pos)
		for i := range strings.Count(text, "\n") + 1 {
			line := strings.ReplaceAll(lines[first-1+i], "\t", "    ")
			if utf8.RuneCountInString(line) > widestComment {
				tooWide = append(tooWide, first+i)
			}
		}
	}
}

// isDirective reports whether a comment is for a tool, such as //go:build, which can't be wrapped.
func isDirective(text string) bool {
	return regexp.MustCompile(`^//[a-z]+:`).MatchString(text)
}

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

func TestLinks_LeadSomewhere(t *testing.T) {
	links := 0
	for _, name := range files(t, ".md") {
		code := false
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			if code {
				continue
			}
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				target, anchor, _ := strings.Cut(match[1], "#")
				if strings.Contains(target, ":") {
					continue // elsewhere
				}
				links++
				file := name
				if target != "" {
					file = path.Join(path.Dir(name), target)
				}
				info, err := os.Stat(filepath.Join(root, file))
				if !assert.NoError(t, err, "%s:%d", name, i+1) || anchor == "" {
					continue
				}
				if info.IsDir() {
					file = path.Join(file, "README.md")
				}
				assert.Contains(t, anchors(t, file), anchor, "%s:%d: %s has no such heading", name, i+1, file)
			}
		}
	}
	assert.Greater(t, links, 100)
}

// anchors returns what GitHub makes of the headings of a page.
func anchors(t *testing.T, name string) (all []string) {
	lines := bufio.NewScanner(strings.NewReader(read(t, name)))
	for lines.Scan() {
		heading, found := strings.CutPrefix(strings.TrimLeft(lines.Text(), "#"), " ")
		if !found || !strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, heading))
	}
	return all
}

// files returns the files of the repository whose names end so, but for what only tests read.
func files(t *testing.T, suffix string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && (base == "testdata" || base == ".git" || base == ".cache") {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

// Each promise is cited in the code of the root package that keeps it, and in the test that shows
// it, so that `grep -w 'promise 18'` finds both.
func TestPromises_AreCited(t *testing.T) {
	guarantee := regexp.MustCompile(`(?m)^//  ([0-9]+)\. `)
	all := guarantee.FindAllStringSubmatch(read(t, "doc.go"), -1)
	require.GreaterOrEqual(t, len(all), 27)
	var code, tests strings.Builder
	for _, name := range files(t, ".go") {
		switch {
		case path.Dir(name) != "." || name == "doc.go":
		case strings.HasSuffix(name, "_test.go"):
			tests.WriteString(read(t, name))
		default:
			code.WriteString(read(t, name))
		}
	}
	for _, match := range all {
		cited := regexp.MustCompile(`promise ` + match[1] + `\b`)
		assert.True(t, cited.MatchString(code.String()), "no line of code says that it keeps promise %s", match[1])
		assert.True(t, cited.MatchString(tests.String()), "no test says that it shows promise %s", match[1])
	}
}
