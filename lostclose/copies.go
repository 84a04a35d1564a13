package lostclose

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// checkCopy reports *constructor(): a copy of a breaker that a constructor made panics at its first
// use. The copylocks check of go vet leaves calls out, because what they return may be a zero
// value.
func (c *checker) checkCopy(star inspector.Cursor, node *ast.StarExpr) {
	call, ok := ast.Unparen(node.X).(*ast.CallExpr)
	if !ok || !c.info.Types[node].IsValue() || !containsBreaker(c.info.TypeOf(node), map[types.Type]bool{}) {
		return
	}
	cur := star
	for cur.ParentEdgeKind() == edge.ParenExpr_X {
		cur = cur.Parent()
	}
	switch cur.ParentEdgeKind() {
	case edge.SelectorExpr_X, edge.UnaryExpr_X, edge.ExprStmt_X:
		return // (*f()).Err(), &*f()
	}
	name := callee(c.info, call)
	switch {
	case makers[name], harmless[name]:
		name = "breaker." + name
	default:
		m, ok := c.makes(call)
		if !ok || typeutil.StaticCallee(c.info, call) == nil {
			return
		}
		name = m.name
	}
	c.report(star, "the breaker made by %s is copied: the copy panics at its first use; keep the pointer", name)
}

// containsBreaker reports whether a value of the type has a breaker in it.
func containsBreaker(t types.Type, seen map[types.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	if named, ok := types.Unalias(t).(*types.Named); ok && isBreaker(named.Obj().Pkg()) && named.Obj().Name() == "Breaker" {
		return true
	}
	switch t := t.Underlying().(type) {
	case *types.Struct:
		for field := range t.Fields() {
			if containsBreaker(field.Type(), seen) {
				return true
			}
		}
	case *types.Array:
		return containsBreaker(t.Elem(), seen)
	}
	return false
}
