package lostclose

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// checkStop reports a callback that can't be taken back, where callbacks pile up: its
// registration, and all that it refers to, is kept until the breaker trips.
func (c *checker) checkStop(call inspector.Cursor, node *ast.CallExpr) {
	selector, ok := ast.Unparen(node.Fun).(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "OnTrip" || len(node.Args) != 1 {
		return
	}
	selection := c.info.Selections[selector]
	if selection == nil || selection.Kind() != types.MethodVal || !isBreaker(selection.Obj().Pkg()) {
		return
	}
	if target, bound := boundTo(call, 0); !isBlank(target) && (bound || call.ParentEdgeKind() != edge.ExprStmt_X) {
		return // stop is used
	}
	function, ok := enclosingFunction(call)
	if !ok || c.isMain(function) {
		return
	}
	name := types.ExprString(selector.X)
	switch h := c.holderOf(function, selector.X); {
	case c.isRepeated(call, function, selector.X):
		c.report(call, "the loop registers one callback after the other with %s, and discards stop: they are kept until it trips", name)
	case h != aField && h != aGlobal:
	case c.capturesShorterLived(function, selector.X, node.Args[0]):
		c.report(call, "the stop of OnTrip is discarded: the callback, and what it refers to, is kept until %s, which is %s, trips", name, h)
	}
}

// isRepeated reports whether a call is in a loop that may go on forever, and the breaker is the
// same each time. A loop over what is in memory comes to an end.
func (c *checker) isRepeated(call, function inspector.Cursor, breaker ast.Expr) bool {
	root := c.rootOf(breaker)
	if root == nil {
		return false
	}
	for around := range call.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil)) {
		if !function.Contains(around) {
			return false
		}
		if within(around.Node(), root.Pos()) {
			return false // each iteration has its own
		}
		switch loop := around.Node().(type) {
		case *ast.ForStmt:
			if loop.Post == nil && !c.leaves(around, loop.Body, call) {
				return true
			}
		case *ast.RangeStmt:
			switch c.info.TypeOf(loop.X).Underlying().(type) {
			case *types.Chan, *types.Signature:
				if !c.leaves(around, loop.Body, call) {
					return true
				}
			}
		}
	}
	return false
}

// leaves reports whether the block with the call leaves the loop at its end.
func (c *checker) leaves(loop inspector.Cursor, body *ast.BlockStmt, call inspector.Cursor) bool {
	for around := range call.Enclosing((*ast.BlockStmt)(nil), (*ast.CaseClause)(nil), (*ast.CommClause)(nil)) {
		var list []ast.Stmt
		switch block := around.Node().(type) {
		case *ast.BlockStmt:
			list = block.List
		case *ast.CaseClause:
			list = block.Body
		case *ast.CommClause:
			list = block.Body
		}
		if len(list) > 0 {
			switch last := list[len(list)-1].(type) {
			case *ast.ReturnStmt:
				return true
			case *ast.BranchStmt:
				if last.Tok == token.BREAK && (last.Label != nil || around.Node() == body || around.ParentEdgeKind() == edge.IfStmt_Body) {
					return true
				}
			}
		}
		if around.Node() == body {
			return false
		}
	}
	return false
}

// rootOf returns the variable that a chain of selectors begins with.
func (c *checker) rootOf(e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := c.info.Uses[e].(*types.Var)
		return v
	case *ast.SelectorExpr:
		if v, ok := c.info.Uses[e.Sel].(*types.Var); ok && !v.IsField() {
			return v
		}
		return c.rootOf(e.X)
	case *ast.StarExpr:
		return c.rootOf(e.X)
	case *ast.UnaryExpr:
		return c.rootOf(e.X)
	case *ast.IndexExpr:
		return c.rootOf(e.X)
	default:
		return nil
	}
}

// capturesShorterLived reports whether a callback refers to a variable of the function that is gone
// with the call: not to what the breaker is in, nor to what the function returns or stores.
func (c *checker) capturesShorterLived(function inspector.Cursor, breaker, callback ast.Expr) bool {
	owner := c.rootOf(breaker)
	found := false
	ast.Inspect(callback, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return !found
		}
		v, ok := c.info.Uses[id].(*types.Var)
		if !ok || v.IsField() || v == owner || !within(function.Node(), v.Pos()) || within(callback, v.Pos()) {
			return !found
		}
		if _, basic := v.Type().Underlying().(*types.Basic); basic || c.isReceiver(function, v) || c.outlives(function, v) {
			return !found
		}
		found = true
		return false
	})
	return found
}

func (c *checker) isReceiver(function inspector.Cursor, v *types.Var) bool {
	signature := c.signature(function)
	return signature != nil && signature.Recv() == v
}

// outlives reports whether the function returns a variable, stores it, or gets it out of something
// that was there before.
func (c *checker) outlives(function inspector.Cursor, v *types.Var) bool {
	if isResult(c.signature(function), v) {
		return true
	}
	u := c.newUses(function)
	for cur := range u.identifiers(v) {
		for cur.ParentEdgeKind() == edge.ParenExpr_X || cur.ParentEdgeKind() == edge.UnaryExpr_X {
			cur = cur.Parent()
		}
		switch cur.ParentEdgeKind() {
		case edge.ReturnStmt_Results, edge.CompositeLit_Elts, edge.KeyValueExpr_Value, edge.SendStmt_Value:
			return true
		case edge.AssignStmt_Rhs:
			target, _ := boundTo(cur, 0)
			if root := c.rootOf(target); root == nil || !u.isLocal(root) || root != v && isParameter(u.signature(function), root) {
				return true
			}
		case edge.CallExpr_Args:
			call := cur.Parent().Node().(*ast.CallExpr)
			if isBuiltin(c.info, call, "append") {
				return true
			}
		case edge.RangeStmt_Key, edge.RangeStmt_Value:
			loop := cur.Parent().Node().(*ast.RangeStmt)
			if root := c.rootOf(loop.X); root != nil && (c.isReceiver(function, root) || !u.isLocal(root)) {
				return true
			}
		}
	}
	return false
}
