package lostclose

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// fix suggests a deferred Close where it changes nothing that can be seen: nothing that was made
// from the breaker outlives the function, and its Close touches nothing of others.
func (c *checker) fix(call inspector.Cursor, u *uses, v *types.Var) []analysis.SuggestedFix {
	if len(u.sets) > 1 || !c.closesAlone(call.Node().(*ast.CallExpr)) || !hasClose(c.pass.Pkg, v.Type()) ||
		jumps(u.function.Node()) || !c.confines(u.function, v, aBreaker) || !c.confinesOthers(call, u.function) {
		return nil
	}
	for around := range call.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.LabeledStmt)(nil)) {
		if u.function.Contains(around) {
			return nil
		}
	}
	for statement := range call.Enclosing((*ast.AssignStmt)(nil), (*ast.DeclStmt)(nil)) {
		switch statement.ParentEdgeKind() {
		case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
			at := c.endOfLine(statement)
			return []analysis.SuggestedFix{{
				Message:   "Defer " + v.Name() + ".Close()",
				TextEdits: []analysis.TextEdit{{Pos: at, End: at, NewText: []byte("\ndefer " + v.Name() + ".Close()")}},
			}}
		}
		break
	}
	return nil
}

// closesAlone reports whether the Close of what a call makes touches nothing but what the call has
// made, and it is unknown whether it is closed. A signal gets its default effect back, which may
// kill the process; a channel's value that the breaker would have received stays in it; a cancel
// function of others is called; and a Multiplex closes its children.
func (c *checker) closesAlone(call *ast.CallExpr) bool {
	switch name := callee(c.info, call); name {
	case "Any", "BreakByDeadline", "BreakByDeadlineCause", "BreakByIdle", "BreakByTimeout", "BreakByTimeoutCause", "New", "WithContext",
		"Within", "WithinCause":
		return true
	case "BreakByContext":
		return c.info.Types[call.Args[1]].IsNil()
	default:
		if !owners[name] || call.Ellipsis.IsValid() {
			return false
		}
		for _, arg := range call.Args {
			child, ok := ast.Unparen(arg).(*ast.CallExpr)
			if !ok || callee(c.info, child) != "NopCloser" && !c.closesAlone(child) {
				return false
			}
		}
		return true
	}
}

// confinesOthers reports whether the other results of the call don't outlive the function either.
func (c *checker) confinesOthers(call inspector.Cursor, function inspector.Cursor) bool {
	tuple, ok := c.info.TypeOf(call.Node().(ast.Expr)).(*types.Tuple)
	if !ok {
		return true
	}
	for i := 1; i < tuple.Len(); i++ {
		target, bound := boundTo(call, i)
		if !bound {
			return false
		}
		if isBlank(target) {
			continue
		}
		id, ok := target.(*ast.Ident)
		if !ok {
			return false
		}
		v, ok := c.info.Defs[id].(*types.Var)
		if !ok || !c.confines(function, v, aView) {
			return false
		}
	}
	return true
}

func hasClose(from *types.Package, t types.Type) bool {
	method, _, _ := types.LookupFieldOrMethod(t, true, from, "Close")
	f, ok := method.(*types.Func)
	return ok && f.Signature().Params().Len() == 0
}

// jumps reports whether a function goes to labels: a defer might run more often than once.
func jumps(function ast.Node) (found bool) {
	ast.Inspect(function, func(n ast.Node) bool {
		branch, ok := n.(*ast.BranchStmt)
		found = found || ok && branch.Tok == token.GOTO
		return !found
	})
	return found
}

// endOfLine returns the end of the line on which a statement ends, or of the statement if something
// else follows on that line.
func (c *checker) endOfLine(statement inspector.Cursor) token.Pos {
	end := statement.Node().End()
	file := c.pass.Fset.File(end)
	line := file.Line(end)
	if next, ok := statement.NextSibling(); ok && file.Line(next.Node().Pos()) == line {
		return end
	}
	if file.Line(statement.Parent().Node().End()) == line {
		return end
	}
	newline := file.LineStart(line+1) - 1
	if c.isInComment(newline) {
		return end
	}
	return newline
}

// isInComment reports whether a comment goes on at a position.
func (c *checker) isInComment(pos token.Pos) bool {
	for _, file := range c.pass.Files {
		if !within(file, pos) {
			continue
		}
		for _, group := range file.Comments {
			for _, comment := range group.List {
				if comment.Pos() < pos && pos < comment.End() {
					return true
				}
			}
		}
	}
	return false
}
