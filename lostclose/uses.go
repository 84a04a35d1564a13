package lostclose

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

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
	aFailure             // the error that came with it: if it isn't nil, there is no breaker
	aSuccess             // the bool that came with it: if it is false, there is no breaker
)

// uses is what a function does with one breaker.
type uses struct {
	*checker
	function inspector.Cursor

	// ends are the expressions after which the breaker needn't be closed.
	ends []inspector.Cursor
	// clauses are those of a select that run after a receive from Done, or after the breaker was
	// sent.
	clauses map[*ast.CommClause]bool
	// exprs are what conditions are made of: the breaker itself, which isn't nil, errors, and calls
	// of IsReleased.
	exprs map[ast.Expr]what
	// sets are the statements that give the variable a value. If the breaker has another name as
	// well, none of them loses it.
	sets []ast.Node
	// variable is the one whose sets count: the first that is followed.
	variable *types.Var
	aliased  bool
	// failing is the variable with the failure or the success, failed are the statements that give
	// it a value.
	failing *types.Var
	failed  []ast.Node

	// sources are those among the ends that end a source of the breaker.
	sources []inspector.Cursor
	// onlyTrips: the breaker that is followed is a source, and counts as such only where it trips
	// or has tripped.
	onlyTrips bool

	// seen are the variables followed so far, contained the places in variables that contain the
	// breaker.
	seen      map[*types.Var]bool
	contained map[place]bool
}

func (c *checker) newUses(function inspector.Cursor) *uses {
	return &uses{
		checker:  c,
		function: function,
		clauses:  map[*ast.CommClause]bool{},
		exprs:    map[ast.Expr]what{},
		seen:     map[*types.Var]bool{},

		contained: map[place]bool{},
	}
}

// any reports whether anything at all takes care of the breaker.
func (u *uses) any() bool { return len(u.ends)+len(u.clauses) > 0 }

// closesBefore reports whether something before the breaker is made takes care of what the variable
// will hold: usually a deferred function literal, or code that has its address.
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
	if u.variable == nil && w == aBreaker {
		u.variable = v
	}
	for cur := range u.identifiers(v) {
		switch cur.ParentEdgeKind() {
		case edge.AssignStmt_Lhs, edge.ValueSpec_Names:
			if v == u.variable {
				u.sets = append(u.sets, cur.Parent().Node())
			}
		case edge.Field_Names, edge.RangeStmt_Key, edge.RangeStmt_Value:
			// The declaration of a result, or of the elements of something.
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
		case u.followMethod(parent, name), watchers[name], touchers[name] && isBreakerMethod(u.info, parent):
		case enders[name]:
			u.end(cur)
		default:
			u.pass(cur) // a field or a method that isn't known
		}
	case edge.CallExpr_Args:
		u.followArgument(cur)
	case edge.BinaryExpr_X, edge.BinaryExpr_Y:
		u.exprs[cur.Node().(ast.Expr)] = aBreaker
	case edge.AssignStmt_Lhs:
		// An element of a container gets another value.
	case edge.AssignStmt_Rhs, edge.ValueSpec_Values:
		if target, _ := boundTo(cur, 0); !isBlank(target) && !u.followTarget(target) {
			u.pass(cur)
		}
	case edge.CompositeLit_Elts, edge.KeyValueExpr_Value:
		if !u.followLiteral(cur) {
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

// followArgument follows what a function does with the breaker.
func (u *uses) followArgument(cur inspector.Cursor) {
	parent := cur.Parent()
	call := parent.Node().(*ast.CallExpr)
	name := callee(u.info, call)
	switch h := u.handles(call, cur.ParentEdgeIndex()); {
	case views[name]:
		u.follow(parent, aView)
	case borrowers[name], prints(u.info, call), h.Watches:
		// The breaker is still ours.
	case isBuiltin(u.info, call, "append") && cur.ParentEdgeIndex() > 0:
		if target, bound := boundTo(parent, 0); bound {
			if v := u.container(target); v != nil {
				u.followContainer(v, nil)
				return
			}
		}
		u.pass(cur)
	default:
		u.pass(cur)
	}
}

// followMethod follows what Done, Err, Cause or IsReleased return, the selector being theirs. It
// reports whether it is one of them.
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
	target, bound := boundTo(cur, 0)
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
		return // other code waits for the source, which doesn't end it
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

// isClose reports whether an end is a call of Close or the like.
func (u *uses) isClose(end inspector.Cursor) bool {
	return end.ParentEdgeKind() == edge.SelectorExpr_X && enders[end.Parent().Node().(*ast.SelectorExpr).Sel.Name]
}

// pass notes that other code has the breaker now.
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
	return !u.aliased && slices.Contains(u.sets, n)
}

// excludes reports whether a condition's outcome says that the breaker has tripped, or can't be.
// The failure that came with it says so only while it isn't stale.
func (u *uses) excludes(condition ast.Expr, outcome, stale bool) bool {
	condition = ast.Unparen(condition)
	switch w, ok := u.exprs[condition]; {
	case ok && w == anError:
		return outcome // IsReleased: of the methods asked, the only one that returns a bool
	case ok && w == aSuccess:
		return !outcome && !stale
	}
	switch e := condition.(type) {
	case *ast.UnaryExpr:
		return e.Op == token.NOT && u.excludes(e.X, !outcome, stale)
	case *ast.CallExpr:
		if outcome && isCallOf(u.info, e, "errors", "Is") && u.is(e.Args[0], anError) {
			return true
		}
		for _, arg := range e.Args {
			if outcome && !stale && u.is(arg, aFailure) {
				return true // errors.Is, errors.As, os.IsNotExist: true of no nil
			}
		}
		return false
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR:
			x, y := u.excludes(e.X, outcome, stale), u.excludes(e.Y, outcome, stale)
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
			return u.is(x, anError) && !isNil || u.is(x, aFailure) && !isNil && !stale || u.is(x, aBreaker) && isNil
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

// followFailure notes where the variable is mentioned that says, with the breaker, that there is
// none.
func (u *uses) followFailure(v *types.Var, made ast.Node) {
	w := aFailure
	if !types.IsInterface(v.Type()) {
		w = aSuccess
	}
	u.failing = v
	for cur := range u.identifiers(v) {
		switch cur.ParentEdgeKind() {
		case edge.AssignStmt_Lhs, edge.ValueSpec_Names:
			if cur.Parent().Node() != made {
				u.failed = append(u.failed, cur.Parent().Node())
			}
		default:
			u.exprs[cur.Node().(ast.Expr)] = w
		}
	}
}

// failsIn reports whether a statement gives the failure another value.
func (u *uses) failsIn(n ast.Node) bool { return slices.Contains(u.failed, n) }

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
