package lostclose

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// followTarget follows a breaker that another variable of the function gets, or something in one.
// It reports whether it can: what is stored anywhere else is passed on.
func (u *uses) followTarget(target ast.Expr) bool {
	switch target := ast.Unparen(target).(type) {
	case *ast.Ident:
		v, ok := u.info.ObjectOf(target).(*types.Var)
		if !ok || !u.isLocal(v) {
			return false
		}
		u.aliased = true
		u.followVariable(v, aBreaker)
		return true
	case *ast.SelectorExpr:
		v := u.container(target.X)
		if v == nil {
			return false
		}
		u.followContainer(v, u.info.ObjectOf(target.Sel))
		return true
	case *ast.IndexExpr:
		v := u.container(target.X)
		if v == nil {
			return false
		}
		u.followContainer(v, nil)
		return true
	default:
		return false
	}
}

// followLiteral follows a breaker into the struct, slice, array or map that a variable of the
// function gets.
func (u *uses) followLiteral(cur inspector.Cursor) bool {
	var field types.Object
	literal := cur.Parent()
	if pair, ok := literal.Node().(*ast.KeyValueExpr); ok {
		if key, ok := pair.Key.(*ast.Ident); ok {
			if f, ok := u.info.ObjectOf(key).(*types.Var); ok && f.IsField() {
				field = f
			}
		}
		literal = literal.Parent()
	} else if s, ok := underlyingStruct(u.info.TypeOf(literal.Node().(ast.Expr))); ok {
		field = s.Field(cur.ParentEdgeIndex())
	}
	value := u.climb(literal)
	if value.ParentEdgeKind() == edge.UnaryExpr_X && value.Parent().Node().(*ast.UnaryExpr).Op == token.AND {
		value = u.climb(value.Parent())
	}
	target, bound := boundTo(value, 0)
	if !bound {
		return false
	}
	v := u.container(target)
	if v == nil {
		return false
	}
	u.followContainer(v, field)
	return true
}

func underlyingStruct(t types.Type) (*types.Struct, bool) {
	if t == nil {
		return nil, false
	}
	s, ok := t.Underlying().(*types.Struct)
	return s, ok
}

// isLocal reports whether a variable is one of the function's own, which neither the caller nor
// anybody outside sees.
func (u *uses) isLocal(v *types.Var) bool {
	return within(u.function.Node(), v.Pos()) && !isResult(u.signature(u.function), v)
}

// container returns the variable that an expression names, if it is local and no other code sees
// what is in it: every value that it gets is made here.
func (u *uses) container(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	v, ok := u.info.ObjectOf(id).(*types.Var)
	if !ok || !u.isLocal(v) || isParameter(u.signature(u.function), v) {
		return nil
	}
	for cur := range u.identifiers(v) {
		var values []ast.Expr
		switch cur.ParentEdgeKind() {
		case edge.AssignStmt_Lhs:
			values = cur.Parent().Node().(*ast.AssignStmt).Rhs
		case edge.ValueSpec_Names:
			if values = cur.Parent().Node().(*ast.ValueSpec).Values; len(values) == 0 {
				continue
			}
		case edge.RangeStmt_Key, edge.RangeStmt_Value:
			return nil
		default:
			continue
		}
		if i := cur.ParentEdgeIndex(); i >= len(values) || !u.isMadeHere(values[i], v) {
			return nil
		}
	}
	return v
}

// isMadeHere reports whether no other code has the value of the expression. (Its contents may be
// copies of pointers; only the container matters.)
func (u *uses) isMadeHere(e ast.Expr, v *types.Var) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CompositeLit:
		return true
	case *ast.UnaryExpr:
		_, ok := ast.Unparen(e.X).(*ast.CompositeLit)
		return ok && e.Op == token.AND
	case *ast.CallExpr:
		return isBuiltin(u.info, e, "make") || isBuiltin(u.info, e, "new") ||
			isBuiltin(u.info, e, "append") && isSelf(u.info, e.Args[0], v)
	default:
		return u.info.Types[e].IsNil()
	}
}

// followContainer follows what the function does with a variable that contains the breaker, in the
// given field if it is one.
func (u *uses) followContainer(v *types.Var, field types.Object) {
	u.aliased = true
	at := place{v, field}
	if u.contained[at] {
		return
	}
	u.contained[at] = true
	for cur := range u.identifiers(v) {
		u.followContained(u.climb(cur), v, field)
	}
}

// place is where in a function a breaker is kept.
type place struct {
	v     *types.Var
	field types.Object
}

func (u *uses) followContained(cur inspector.Cursor, v *types.Var, field types.Object) {
	parent := cur.Parent()
	switch cur.ParentEdgeKind() {
	case edge.AssignStmt_Lhs, edge.ValueSpec_Names, edge.ExprStmt_X, edge.BinaryExpr_X, edge.BinaryExpr_Y:
	case edge.SelectorExpr_X:
		u.followField(cur, field)
	case edge.IndexExpr_X:
		u.follow(parent, aBreaker)
	case edge.RangeStmt_X:
		u.followElements(cur)
	case edge.CallExpr_Args:
		call := parent.Node().(*ast.CallExpr)
		if isBuiltin(u.info, call, "len") || isBuiltin(u.info, call, "cap") || prints(u.info, call) {
			return
		}
		if isBuiltin(u.info, call, "append") && cur.ParentEdgeIndex() == 0 {
			if target, bound := boundTo(parent, 0); bound && u.container(target) == v {
				return
			}
		}
		u.pass(cur)
	case edge.AssignStmt_Rhs, edge.ValueSpec_Values:
		if target, _ := boundTo(cur, 0); !isBlank(target) {
			u.pass(cur)
		}
	default:
		u.pass(cur)
	}
}

// followField follows a selector of a struct with a breaker in it.
func (u *uses) followField(cur inspector.Cursor, field types.Object) {
	selector := cur.Parent()
	selection := u.info.Selections[selector.Node().(*ast.SelectorExpr)]
	switch {
	case selection == nil:
		u.pass(cur)
	case selection.Kind() == types.FieldVal:
		if field == nil || selection.Obj() == field {
			u.follow(selector, aBreaker)
		}
	case isBreaker(selection.Obj().Pkg()):
		u.followBreaker(cur) // a method of the embedded breaker
	default:
		u.pass(cur) // a method of the struct
	}
}

// followElements follows the elements of what a loop ranges over. If the loop takes care of each,
// there is nothing left after it, also if it doesn't run: then there is no breaker.
func (u *uses) followElements(cur inspector.Cursor) {
	loop := cur.Parent().Node().(*ast.RangeStmt)
	before := len(u.ends) + len(u.clauses)
	if id, ok := loop.Value.(*ast.Ident); ok && !isBlank(id) {
		if v, ok := u.info.ObjectOf(id).(*types.Var); ok {
			u.followVariable(v, aBreaker)
		}
	}
	if len(u.ends)+len(u.clauses) > before || u.indexes(loop) {
		u.end(cur)
	}
}

// indexes reports whether the body of a loop takes care of elements by their index.
func (u *uses) indexes(loop *ast.RangeStmt) bool {
	container, ok := ast.Unparen(loop.X).(*ast.Ident)
	if !ok {
		return false
	}
	found := false
	ast.Inspect(loop.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.SelectorExpr); ok && enders[call.Sel.Name] {
			if index, ok := ast.Unparen(call.X).(*ast.IndexExpr); ok {
				id, ok := ast.Unparen(index.X).(*ast.Ident)
				found = found || ok && u.info.Uses[id] == u.info.Uses[container]
			}
		}
		return !found
	})
	return found
}

func isBuiltin(info *types.Info, call *ast.CallExpr, name string) bool {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	return ok && info.Uses[id] == types.Universe.Lookup(name)
}

// isBreakerMethod reports whether a selector is a method of the breaker package.
func isBreakerMethod(info *types.Info, selector inspector.Cursor) bool {
	selection := info.Selections[selector.Node().(*ast.SelectorExpr)]
	return selection != nil && selection.Kind() == types.MethodVal && isBreaker(selection.Obj().Pkg())
}
