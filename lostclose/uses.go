package lostclose

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// what an expression has to do with the breaker that is followed.
type what int

const (
	aBreaker what = iota // the breaker itself
	aView                // what NopCloser or ToContext made of it
	aDone                // its Done channel
	anError              // what Err or Cause returned
)

// uses is what a function does with one breaker.
type uses struct {
	*checker
	function inspector.Cursor

	// ends are the expressions after which nobody has to close the breaker.
	ends []inspector.Cursor
	// clauses are those of a select that run after a receive from Done, or after the breaker was sent.
	clauses map[*ast.CommClause]bool
	// exprs are what conditions are made of: the breaker itself, which isn't nil, errors, and calls of IsReleased.
	exprs map[ast.Expr]what
	// sets are the statements that give the variable a value.
	sets []ast.Node

	// sources are those among the ends that end a source of the breaker.
	sources []inspector.Cursor
	// onlyTrips: the breaker that is followed is a source, and counts as such only where it trips or has tripped.
	onlyTrips bool

	// seen are the variables followed so far.
	seen map[*types.Var]bool
}

func (c *checker) newUses(function inspector.Cursor) *uses {
	return &uses{
		checker:  c,
		function: function,
		clauses:  map[*ast.CommClause]bool{},
		exprs:    map[ast.Expr]what{},
		seen:     map[*types.Var]bool{},
	}
}

// any reports whether anything at all takes care of the breaker.
func (u *uses) any() bool { return len(u.ends)+len(u.clauses) > 0 }

// closesBefore reports whether something before the breaker is made takes care of what the variable will hold: a
// function literal, deferred as a rule, or whoever has its address.
func (u *uses) closesBefore(made token.Pos) bool {
	for _, end := range u.ends {
		if end.Node().Pos() < made && (!u.isOwn(end) || isAddressed(end)) {
			return true
		}
	}
	return false
}

// followVariable follows all that the function does with a variable.
func (u *uses) followVariable(v *types.Var, w what) {
	if u.seen[v] {
		return
	}
	u.seen[v] = true
	for cur := range u.identifiers(v) {
		switch cur.ParentEdgeKind() {
		case edge.AssignStmt_Lhs, edge.ValueSpec_Names:
			if w == aBreaker {
				u.sets = append(u.sets, cur.Parent().Node())
			}
		case edge.Field_Names:
			// The declaration of a result.
		default:
			u.follow(cur, w)
		}
	}
}

// follow notes what becomes of an expression.
func (u *uses) follow(cur inspector.Cursor, w what) {
	cur = u.climb(cur)
	switch w {
	case aBreaker:
		u.followBreaker(cur)
	case aView:
		u.followView(cur)
	case aDone:
		u.followDone(cur)
	case anError:
		u.followError(cur)
	}
}

func (u *uses) followBreaker(cur inspector.Cursor) {
	parent := cur.Parent()
	switch cur.ParentEdgeKind() {
	case edge.ExprStmt_X:
	case edge.SelectorExpr_X:
		name := parent.Node().(*ast.SelectorExpr).Sel.Name
		switch {
		case u.followMethod(parent, name), watchers[name]:
		case enders[name]:
			u.end(cur)
		default:
			u.pass(cur) // a field or a method that isn't known
		}
	case edge.CallExpr_Args:
		if views[callee(u.info, parent.Node().(*ast.CallExpr))] {
			u.follow(parent, aView)
			return
		}
		u.pass(cur)
	case edge.BinaryExpr_X, edge.BinaryExpr_Y:
		u.exprs[cur.Node().(ast.Expr)] = aBreaker
	case edge.AssignStmt_Rhs, edge.ValueSpec_Values:
		if target, _ := boundTo(cur); !isBlank(target) {
			u.pass(cur)
		}
	case edge.SendStmt_Value:
		if parent.ParentEdgeKind() == edge.CommClause_Comm && u.isOwn(parent) && !u.onlyTrips {
			u.clauses[parent.Parent().Node().(*ast.CommClause)] = true
			return
		}
		u.pass(cur)
	default:
		u.pass(cur) // returned, stored, its address taken
	}
}

// followMethod follows what Done, Err, Cause or IsReleased return, the selector being theirs. It reports whether it
// is one of them.
func (u *uses) followMethod(selector inspector.Cursor, name string) bool {
	if name != "Done" && name != "IsReleased" && !askers[name] {
		return false
	}
	if selector.ParentEdgeKind() != edge.CallExpr_Fun {
		return true // a method value: it may be used to watch
	}
	switch call := selector.Parent(); {
	case name == "Done":
		u.follow(call, aDone)
	default:
		u.follow(call, anError)
	}
	return true
}

func (u *uses) followView(cur inspector.Cursor) {
	parent := cur.Parent()
	switch cur.ParentEdgeKind() {
	case edge.SelectorExpr_X:
		u.followMethod(parent, parent.Node().(*ast.SelectorExpr).Sel.Name)
	case edge.CallExpr_Args:
		call := parent.Node().(*ast.CallExpr)
		switch {
		case views[callee(u.info, call)]:
			u.follow(parent, aView)
		case isCauseOf(u.info, call):
			u.follow(parent, anError)
		}
	default:
		u.followAlias(cur, aView)
	}
}

func (u *uses) followDone(cur inspector.Cursor) {
	switch cur.ParentEdgeKind() {
	case edge.UnaryExpr_X:
		if cur.Parent().Node().(*ast.UnaryExpr).Op == token.ARROW {
			u.received(cur.Parent())
		}
	case edge.RangeStmt_X:
		u.end(cur)
	default:
		u.followAlias(cur, aDone)
	}
}

func (u *uses) followError(cur inspector.Cursor) {
	u.exprs[cur.Node().(ast.Expr)] = anError
	u.followAlias(cur, anError)
}

// followAlias follows a variable that gets the expression and never anything else.
func (u *uses) followAlias(cur inspector.Cursor, w what) {
	target, bound := boundTo(cur)
	id, ok := target.(*ast.Ident)
	if !bound || !ok {
		return
	}
	v, ok := u.info.Defs[id].(*types.Var)
	if !ok {
		return
	}
	for cur := range u.identifiers(v) {
		if cur.Node() != id && cur.ParentEdgeKind() == edge.AssignStmt_Lhs {
			return
		}
	}
	u.followVariable(v, w)
}

// received notes a receive from Done.
func (u *uses) received(receive inspector.Cursor) {
	statement := receive
	for statement.ParentEdgeKind() == edge.ParenExpr_X {
		statement = statement.Parent()
	}
	statement = statement.Parent()
	if statement.ParentEdgeKind() == edge.CommClause_Comm && u.isOwn(statement.Parent()) {
		u.clauses[statement.Parent().Node().(*ast.CommClause)] = true
		return
	}
	if u.onlyTrips && !u.isOwn(receive) {
		return // someone else waits for the source, which doesn't end it
	}
	u.end(receive)
}

// isOwn reports whether a node belongs to the function itself, and not to a literal in it.
func (u *uses) isOwn(cur inspector.Cursor) bool {
	f, _ := enclosingFunction(cur)
	return f == u.function
}

// end notes that the breaker trips, or has tripped.
func (u *uses) end(cur inspector.Cursor) { u.ends = append(u.ends, cur) }

// pass notes that someone else has the breaker now.
func (u *uses) pass(cur inspector.Cursor) {
	if !u.onlyTrips {
		u.end(cur)
	}
}

// endsIn reports whether a statement or expression takes care of the breaker.
func (u *uses) endsIn(n ast.Node) bool {
	for _, end := range u.ends {
		if within(n, end.Node().Pos()) {
			return true
		}
	}
	return false
}

// setsIn reports whether a statement gives the variable another value.
func (u *uses) setsIn(n ast.Node) bool {
	for _, set := range u.sets {
		if set == n {
			return true
		}
	}
	return false
}

// excludes reports whether a condition's outcome says that the breaker has tripped, or can't be.
func (u *uses) excludes(condition ast.Expr, outcome bool) bool {
	condition = ast.Unparen(condition)
	if w, ok := u.exprs[condition]; ok && w == anError {
		return outcome // IsReleased: of the methods asked, the only one that returns a bool
	}
	switch e := condition.(type) {
	case *ast.UnaryExpr:
		return e.Op == token.NOT && u.excludes(e.X, !outcome)
	case *ast.CallExpr:
		return outcome && isCallOf(u.info, e, "errors", "Is") && u.is(e.Args[0], anError)
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR:
			x, y := u.excludes(e.X, outcome), u.excludes(e.Y, outcome)
			if (e.Op == token.LAND) == outcome {
				return x || y // both have this outcome
			}
			return x && y
		case token.EQL, token.NEQ:
			x, y := e.X, e.Y
			if u.info.Types[x].IsNil() {
				x, y = y, x
			}
			if !u.info.Types[y].IsNil() {
				return false
			}
			isNil := (e.Op == token.EQL) == outcome
			return u.is(x, anError) && !isNil || u.is(x, aBreaker) && isNil
		}
	}
	return false
}

func (u *uses) is(e ast.Expr, w what) bool {
	got, ok := u.exprs[ast.Unparen(e)]
	return ok && got == w
}

// runs reports whether it is certain that there is something to range over.
func (u *uses) runs(over ast.Expr) bool {
	value := u.info.Types[over]
	if array, ok := value.Type.Underlying().(*types.Array); ok {
		return array.Len() > 0
	}
	if literal, ok := ast.Unparen(over).(*ast.CompositeLit); ok {
		return len(literal.Elts) > 0
	}
	return value.Value != nil && value.Value.Kind() == constant.Int && constant.Sign(value.Value) > 0
}

// isTagless reports whether the cases of a switch are conditions, the clause being one of them.
func (u *uses) isTagless(clause ast.Stmt) bool {
	cur, ok := u.function.FindNode(clause)
	if !ok {
		return false
	}
	s, ok := cur.Parent().Parent().Node().(*ast.SwitchStmt)
	return ok && s.Tag == nil
}

// isAddressed reports whether an expression's address is taken.
func isAddressed(cur inspector.Cursor) bool {
	if cur.ParentEdgeKind() != edge.UnaryExpr_X {
		return false
	}
	return cur.Parent().Node().(*ast.UnaryExpr).Op == token.AND
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// isEnd reports whether a return is the one that the control-flow graph adds at the closing brace.
func (u *uses) isEnd(ret *ast.ReturnStmt) bool {
	_, ok := u.function.FindNode(ret)
	return !ok
}
