package lostclose

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// checkOwner reports a breaker of others that is given to Multiplex, which closes it: that is how
// one request ends all of them.
func (c *checker) checkOwner(call inspector.Cursor, node *ast.CallExpr) {
	name := callee(c.info, node)
	if !owners[name] || node.Ellipsis.IsValid() {
		return
	}
	function, ok := enclosingFunction(call)
	if !ok || c.isMain(function) {
		return
	}
	for _, arg := range node.Args {
		h := c.holderOf(function, arg)
		if h == aLocal || !isBreakerType(c.info.TypeOf(arg)) || c.isView(arg) {
			continue
		}
		switch end := c.endOf(call, function); {
		case end == stored, end == returned && h == aParameter, end == lost && h == aParameter:
			continue // it may well be meant to go with the result
		}
		if c.closes(function, arg) {
			continue // it is the function's to close, which it says itself
		}
		c.pass.ReportRangef(arg, "breaker.%s closes %s, which is %s: give it as NopCloser(%s), or use Any", name, types.ExprString(arg), h,
			types.ExprString(arg))
	}
}

// holder is what has a breaker.
type holder int

const (
	aLocal     holder = iota // the function itself, or unknown
	aParameter               // its caller
	aField                   // a value that the function was given
	aGlobal                  // the package
)

func (h holder) String() string {
	return [...]string{"its own", "the caller's", "in a field that outlives the call", "the package's"}[h]
}

// holderOf returns what has the breaker that an expression names.
func (c *checker) holderOf(function inspector.Cursor, e ast.Expr) holder {
	e = ast.Unparen(e)
	switch e := e.(type) {
	case *ast.Ident:
		v, ok := c.info.Uses[e].(*types.Var)
		switch {
		case !ok:
			return aLocal
		case v.Parent() == v.Pkg().Scope():
			return aGlobal
		case c.isParameterAround(function, v):
			return aParameter
		default:
			return aLocal
		}
	case *ast.SelectorExpr:
		if v, ok := c.info.Uses[e.Sel].(*types.Var); ok && !v.IsField() {
			return aGlobal // of another package
		}
		return c.holderOfField(function, e.X)
	case *ast.IndexExpr:
		return c.holderOfField(function, e.X)
	case *ast.UnaryExpr: // &s.br
		if h := c.holderOf(function, e.X); h == aField || h == aGlobal {
			return h
		}
	}
	return aLocal
}

func (c *checker) holderOfField(function inspector.Cursor, x ast.Expr) holder {
	switch h := c.holderOf(function, x); h {
	case aLocal:
		return aLocal
	case aGlobal:
		return aGlobal
	default:
		return aField
	}
}

// isParameterAround reports whether a variable is a parameter or the receiver of the function, or
// of one around it.
func (c *checker) isParameterAround(function inspector.Cursor, v *types.Var) bool {
	for around := range function.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if isParameter(c.signature(around), v) {
			return true
		}
	}
	return false
}

// isView reports whether all that a field or a package's variable ever gets in this package is made
// by NopCloser.
func (c *checker) isView(arg ast.Expr) bool {
	var v types.Object
	switch arg := ast.Unparen(arg).(type) {
	case *ast.Ident:
		v = c.info.Uses[arg]
	case *ast.SelectorExpr:
		v = c.info.Uses[arg.Sel]
	}
	if v == nil || v.Pkg() != c.pass.Pkg {
		return false
	}
	found := false
	for _, file := range c.pass.Files {
		other := false
		judge := func(target, value ast.Expr) {
			if id, ok := target.(*ast.SelectorExpr); ok {
				target = id.Sel
			}
			if id, ok := target.(*ast.Ident); !ok || c.info.ObjectOf(id) != v {
				return
			}
			if call, ok := ast.Unparen(value).(*ast.CallExpr); ok && callee(c.info, call) == "NopCloser" {
				found = true
			} else {
				other = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				judge(n.Key, n.Value)
			case *ast.AssignStmt:
				for i := range min(len(n.Lhs), len(n.Rhs)) {
					judge(n.Lhs[i], n.Rhs[i])
				}
			case *ast.ValueSpec:
				for i := range min(len(n.Names), len(n.Values)) {
					judge(n.Names[i], n.Values[i])
				}
			}
			return true
		})
		if other {
			return false
		}
	}
	return found
}

// end is what becomes of what a Multiplex returns.
type end int

const (
	lost     end = iota // nothing, or it is watched
	closed              // the function closes it
	returned            // its caller gets it
	stored              // it is stored, sent or passed on
)

func (c *checker) endOf(call, function inspector.Cursor) end {
	value := c.climb(call)
	for value.ParentEdgeKind() == edge.CallExpr_Args && owners[callee(c.info, value.Parent().Node().(*ast.CallExpr))] {
		value = c.climb(value.Parent())
	}
	u := c.newUses(function)
	if target, bound := boundTo(value, 0); bound {
		id, ok := target.(*ast.Ident)
		v, isVariable := c.info.ObjectOf(id).(*types.Var)
		switch {
		case isBlank(target):
		case !ok || !isVariable || !within(function.Node(), v.Pos()):
			return stored
		default:
			u.followVariable(v, aBreaker)
			if isResult(c.signature(function), v) {
				return returned
			}
		}
	} else {
		u.follow(value, aBreaker)
	}
	e := lost
	for _, cur := range u.ends {
		switch {
		case u.isClose(cur):
			e = max(e, closed)
		case cur.ParentEdgeKind() == edge.ReturnStmt_Results:
			e = max(e, returned)
		case cur.ParentEdgeKind() == edge.UnaryExpr_X, cur.ParentEdgeKind() == edge.RangeStmt_X:
			// A receive from Done.
		default:
			e = max(e, stored)
		}
	}
	return e
}

// closes reports whether the function itself closes what an expression names.
func (c *checker) closes(function inspector.Cursor, e ast.Expr) bool {
	text := types.ExprString(ast.Unparen(e))
	for selector := range function.Preorder((*ast.SelectorExpr)(nil)) {
		s := selector.Node().(*ast.SelectorExpr)
		if (s.Sel.Name == "Close" || s.Sel.Name == "Trip") && types.ExprString(ast.Unparen(s.X)) == text {
			return true
		}
	}
	return false
}
