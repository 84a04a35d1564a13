package lostclose

import (
	"go/ast"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// directive begins a comment that says why a breaker may be left open.
const directive = "//lostclose:ignore"

type line struct {
	file   string
	number int
}

// ignoredLines returns the lines that have a directive. One without a reason is reported, and
// ignores nothing.
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

// ignores reports whether nothing is to be said of an expression: the line on which its statement
// begins, the one before, or the one on which the statement ends has a directive, or the
// expression's own line. The statement is the innermost one around it.
func (c *checker) ignores(cur inspector.Cursor) bool {
	at := c.pass.Fset.Position(cur.Node().Pos())
	if skipTests && strings.HasSuffix(at.Filename, "_test.go") {
		return true
	}
	if len(c.ignored) == 0 {
		return false
	}
	first, last := at.Line, at.Line
	for around := range cur.Enclosing() {
		if _, ok := around.Node().(*ast.BlockStmt); ok {
			break
		}
		if _, ok := around.Node().(ast.Stmt); ok {
			first, last = c.pass.Fset.Position(around.Node().Pos()).Line, c.pass.Fset.Position(around.Node().End()).Line
			break
		}
	}
	for _, number := range []int{at.Line, at.Line - 1, first, first - 1, last} {
		if c.ignored[line{at.Filename, number}] {
			return true
		}
	}
	return false
}
