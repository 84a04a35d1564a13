package lostclose

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// directive begins a comment that says why a breaker may be left open.
const directive = "//lostclose:ignore"

type line struct {
	file   string
	number int
}

// ignoredLines returns the lines that have a directive. One without a reason is reported, and ignores nothing.
func ignoredLines(pass *analysis.Pass) map[line]bool {
	lines := map[line]bool{}
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				reason, ok := strings.CutPrefix(comment.Text, directive)
				switch {
				case !ok:
				case strings.TrimSpace(reason) == "":
					pass.ReportRangef(comment, "%s needs a reason", directive)
				default:
					at := pass.Fset.Position(comment.Pos())
					lines[line{at.Filename, at.Line}] = true
				}
			}
		}
	}
	return lines
}

// ignores reports whether nothing is to be said of a place.
func (c *checker) ignores(pos token.Pos) bool {
	at := c.pass.Fset.Position(pos)
	return skipTests && strings.HasSuffix(at.Filename, "_test.go") ||
		c.ignored[line{at.Filename, at.Line}] || c.ignored[line{at.Filename, at.Line - 1}]
}
