package lostclose

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// confines reports whether nothing of what a variable is outlives the function: not the breaker, no
// view of it, no Done channel, no callback. It accepts what it knows; all else might.
func (c *checker) confines(function inspector.Cursor, v *types.Var, w what) bool {
	confined := confinement{c, function, map[*types.Var]bool{}}
	return confined.variable(v, w)
}

type confinement struct {
	*checker
	function inspector.Cursor
	seen     map[*types.Var]bool
}

func (c *confinement) variable(v *types.Var, w what) bool {
	if c.seen[v] {
		return true
	}
	c.seen[v] = true
	set := 0
	for cur := range c.function.Preorder((*ast.Ident)(nil)) {
		if c.info.ObjectOf(cur.Node().(*ast.Ident)) != v {
			continue
		}
		switch cur.ParentEdgeKind() {
		case edge.Field_Names:
			set++
		case edge.AssignStmt_Lhs, edge.ValueSpec_Names:
			if set++; set > 1 {
				return false
			}
		default:
			if !c.runsWithin(cur) || !c.value(cur, w) {
				return false
			}
		}
	}
	return true
}

// runsWithin reports whether an expression is evaluated before the function has returned, and its
// deferred calls have: no function literal around it is kept, or run by another goroutine.
func (c *confinement) runsWithin(cur inspector.Cursor) bool {
	for literal := range cur.Enclosing((*ast.FuncLit)(nil)) {
		if literal == c.function || !c.function.Contains(literal) {
			return true
		}
		if literal.ParentEdgeKind() != edge.CallExpr_Fun || literal.Parent().ParentEdgeKind() == edge.GoStmt_Call {
			return false
		}
	}
	return true
}

// value reports whether nothing outlives the function because of one expression.
func (c *confinement) value(cur inspector.Cursor, w what) bool {
	for cur.ParentEdgeKind() == edge.ParenExpr_X {
		cur = cur.Parent()
	}
	parent := cur.Parent()
	switch cur.ParentEdgeKind() {
	case edge.ExprStmt_X, edge.BinaryExpr_X, edge.BinaryExpr_Y:
		return true
	case edge.AssignStmt_Rhs, edge.ValueSpec_Values:
		target, _ := boundTo(cur, 0)
		if isBlank(target) {
			return true
		}
		id, ok := target.(*ast.Ident)
		if !ok {
			return false
		}
		v, ok := c.info.Defs[id].(*types.Var)
		return ok && c.variable(v, w)
	case edge.SelectorExpr_X:
		return parent.ParentEdgeKind() == edge.CallExpr_Fun && c.method(parent.Parent(), parent.Node().(*ast.SelectorExpr).Sel.Name, w)
	case edge.CallExpr_Args:
		return c.argument(parent, cur.ParentEdgeIndex())
	case edge.UnaryExpr_X:
		return w == aDone && parent.Node().(*ast.UnaryExpr).Op == token.ARROW
	case edge.RangeStmt_X:
		return w == aDone
	default:
		return false
	}
}

// method judges the call of a method.
func (c *confinement) method(call inspector.Cursor, name string, w what) bool {
	if kind := call.ParentEdgeKind(); w == aDone || kind == edge.GoStmt_Call || kind == edge.DeferStmt_Call {
		return false
	}
	switch name {
	case "Err", "Cause", "State", "IsReleased", "String", "Deadline", "Value", "Touch", "Reset":
		return true
	case "Done":
		return c.value(call, aDone)
	case "OnTrip":
		return c.isTakenBack(call)
	default:
		return false
	}
}

// isTakenBack reports whether the callback that a call of OnTrip registers is taken back in any
// case.
//
//	defer br.OnTrip(f)()
//
//	stop := br.OnTrip(f)
//	defer stop()
func (c *confinement) isTakenBack(call inspector.Cursor) bool {
	if call.ParentEdgeKind() == edge.CallExpr_Fun && call.Parent().ParentEdgeKind() == edge.DeferStmt_Call {
		return true
	}
	target, bound := boundTo(call, 0)
	id, ok := target.(*ast.Ident)
	if !bound || !ok || call.ParentEdgeKind() != edge.AssignStmt_Rhs || c.info.Defs[id] == nil {
		return false
	}
	next, ok := call.Parent().NextSibling()
	if !ok {
		return false
	}
	deferred, ok := next.Node().(*ast.DeferStmt)
	if !ok {
		return false
	}
	stop, ok := deferred.Call.Fun.(*ast.Ident)
	return ok && c.info.Uses[stop] == c.info.Defs[id]
}

// argument judges what a function that is called may keep.
func (c *confinement) argument(call inspector.Cursor, i int) bool {
	if call.ParentEdgeKind() == edge.GoStmt_Call {
		return false
	}
	e := call.Node().(*ast.CallExpr)
	switch {
	case views[callee(c.info, e)]:
		return c.value(call, aView)
	case isCauseOf(c.info, e):
		return true
	case isPrint(c.info, e):
		return true
	default:
		return c.handles(e, i).Confines
	}
}

// isPrint reports whether a call prints its arguments at once.
func isPrint(info *types.Info, call *ast.CallExpr) bool {
	for _, name := range []string{"Print", "Println", "Printf", "Sprint", "Sprintln", "Sprintf"} {
		if isCallOf(info, call, "fmt", name) {
			return true
		}
	}
	return false
}
