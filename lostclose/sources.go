package lostclose

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// followSources follows the sources of the breaker that the call makes. Once one of them has ended,
// the breaker has tripped and holds nothing, whatever has ended that source.
func (u *uses) followSources(call *ast.CallExpr) {
	for _, arg := range call.Args {
		u.followSource(ast.Unparen(arg))
	}
}

func (u *uses) followSource(arg ast.Expr) {
	switch arg := arg.(type) {
	case *ast.CallExpr:
		if name := callee(u.info, arg); makers[name] || views[name] {
			u.followSources(arg)
		}
	case *ast.Ident:
		v, ok := u.info.Uses[arg].(*types.Var)
		if !ok {
			return
		}
		source := u.newUses(u.function)
		source.onlyTrips = true
		switch {
		case isBreakerType(v.Type()):
			source.followVariable(v, aBreaker)
		case isChannel(v.Type()):
			source.followCloses(v)
		case isContext(v.Type()):
			if cancel := u.cancelOf(v); cancel != nil {
				source.followAll(cancel)
			}
		}
		u.add(source)
	}
}

// add takes over what is known of a source.
func (u *uses) add(source *uses) {
	u.ends = append(u.ends, source.ends...)
	for clause := range source.clauses {
		u.clauses[clause] = true
	}
	for e, w := range source.exprs {
		if w == anError {
			u.exprs[e] = w
		}
	}
	u.sources = append(u.sources, source.ends...)
}

// followCloses notes where a channel is closed.
func (u *uses) followCloses(v *types.Var) {
	for cur := range u.identifiers(v) {
		if cur.ParentEdgeKind() != edge.CallExpr_Args {
			continue
		}
		fun := ast.Unparen(cur.Parent().Node().(*ast.CallExpr).Fun)
		if id, ok := fun.(*ast.Ident); ok && u.info.Uses[id] == types.Universe.Lookup("close") {
			u.end(cur)
		}
	}
}

// followAll notes every use of a variable. Code that has a cancel function is trusted to call it.
func (u *uses) followAll(v *types.Var) {
	for cur := range u.identifiers(v) {
		if u.info.Defs[cur.Node().(*ast.Ident)] == nil && cur.ParentEdgeKind() != edge.AssignStmt_Lhs {
			u.end(cur)
		}
	}
}

// cancelOf returns the variable that one statement has set together with a context: its cancel
// function.
func (u *uses) cancelOf(ctx *types.Var) *types.Var {
	for cur := range u.identifiers(ctx) {
		var names []ast.Expr
		switch parent := cur.Parent().Node().(type) {
		case *ast.AssignStmt:
			if cur.ParentEdgeKind() == edge.AssignStmt_Lhs && len(parent.Rhs) == 1 {
				names = parent.Lhs
			}
		case *ast.ValueSpec:
			if cur.ParentEdgeKind() == edge.ValueSpec_Names && len(parent.Values) == 1 {
				names = []ast.Expr{parent.Names[0], parent.Names[len(parent.Names)-1]}
			}
		}
		if len(names) != 2 || ast.Unparen(names[0]) != cur.Node() {
			continue
		}
		if id, ok := names[1].(*ast.Ident); ok {
			if v, ok := u.info.ObjectOf(id).(*types.Var); ok && isFunction(v.Type()) {
				return v
			}
		}
	}
	return nil
}

// identifiers yields where the function mentions a variable.
func (u *uses) identifiers(v *types.Var) func(yield func(inspector.Cursor) bool) {
	return func(yield func(inspector.Cursor) bool) {
		for cur := range u.function.Preorder((*ast.Ident)(nil)) {
			if u.info.ObjectOf(cur.Node().(*ast.Ident)) == v && !yield(cur) {
				return
			}
		}
	}
}

// endsAnyway reports whether something that was deferred before the breaker is made ends one of its
// sources.
func (u *uses) endsAnyway(made token.Pos) bool {
	for _, end := range u.sources {
		if end.Node().Pos() > made {
			continue
		}
		for around := range end.Enclosing((*ast.DeferStmt)(nil)) {
			if u.isOwn(around) {
				return true
			}
		}
	}
	return false
}

func isChannel(t types.Type) bool {
	_, ok := t.Underlying().(*types.Chan)
	return ok
}

func isContext(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	return named.Obj().Pkg().Path() == "context" && named.Obj().Name() == "Context"
}

func isFunction(t types.Type) bool {
	_, ok := t.Underlying().(*types.Signature)
	return ok
}

// isBreakerType reports whether a type has the method set of a breaker.
func isBreakerType(t types.Type) bool {
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		if _, ok := pointer.Elem().Underlying().(*types.Pointer); ok {
			return false
		}
	}
	method, _, _ := types.LookupFieldOrMethod(t, true, nil, "Close")
	f, ok := method.(*types.Func)
	return ok && isBreaker(f.Pkg())
}
