package lostclose

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/ctrlflow"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/cfg"
)

// Analyzer reports breakers that aren't closed on some path. See the package documentation for what
// counts. Its flag -skiptests leaves out the files whose names end in _test.go.
var Analyzer = &analysis.Analyzer{
	Name: "lostclose",
	Doc: `check that breakers are closed

A breaker of github.com/kamilsk/breaker holds a timer, a signal handler or registrations until it trips or is
closed. The analyzer reports one that, on some path through the function that made it, is neither closed or
tripped nor waited for, returned, stored or passed on. NopCloser and ToContext pass on nothing. New is left alone: what
it returns holds nothing.`,
	URL:      "https://pkg.go.dev/github.com/kamilsk/breaker/lostclose",
	Run:      run,
	Requires: []*analysis.Analyzer{inspect.Analyzer, ctrlflow.Analyzer, functions},
}

var skipTests bool

func init() {
	Analyzer.Flags.BoolVar(&skipTests, "skiptests", false, "don't report what files named _test.go do")
}

func run(pass *analysis.Pass) (any, error) {
	known := pass.ResultOf[functions].(*knowledge)
	if !known.reaches {
		return nil, nil
	}
	c := newChecker(pass, known)
	c.ignored = ignoredLines(pass)
	root := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
	for cur := range root.Preorder((*ast.CallExpr)(nil), (*ast.StarExpr)(nil)) {
		if c.ignores(cur) {
			continue
		}
		switch node := cur.Node().(type) {
		case *ast.StarExpr:
			c.checkCopy(cur, node)
		case *ast.CallExpr:
			if m, ok := c.makes(node); ok {
				c.check(cur, m)
			}
			c.checkOwner(cur, node)
			c.checkStop(cur, node)
		}
	}
	return nil, nil
}

// checker is shared by all steps of one pass.
type checker struct {
	pass      *analysis.Pass
	info      *types.Info
	ignored   map[line]bool
	knowledge *knowledge
	// judging are the variables that originOfVariable is at.
	judging map[*types.Var]bool
}

func newChecker(pass *analysis.Pass, known *knowledge) *checker {
	return &checker{pass: pass, info: pass.TypesInfo, knowledge: known, judging: map[*types.Var]bool{}}
}

// check judges the breaker that the call returns.
func (c *checker) check(call inspector.Cursor, m made) {
	function, ok := enclosingFunction(call)
	if !ok {
		return // a package variable: it lives as long as the process
	}
	u := c.newUses(function)
	u.followSources(call.Node().(*ast.CallExpr))
	if u.endsAnyway(call.Node().Pos()) {
		return
	}
	value := c.climbResult(call, m.result)
	target, bound := boundTo(value, m.result)
	if v := c.failure(value, m); v != nil {
		u.followFailure(v, value.Parent().Node())
	}
	id, ok := target.(*ast.Ident)
	switch {
	case value.ParentEdgeKind() == edge.ExprStmt_X, ok && id.Name == "_":
		c.checkTemporary(call, u, m, "discarded")
	case !bound:
		u.follow(value, aBreaker)
		c.checkTemporary(call, u, m, "only watched")
	case !ok:
		if u.followTarget(target) { // else stored: in a field, an element, a pointer's target
			c.checkTemporary(call, u, m, "only watched")
		}
	default:
		if v, ok := c.info.ObjectOf(id).(*types.Var); ok && within(function.Node(), v.Pos()) {
			c.checkVariable(call, u, v)
		}
	}
}

// failure returns the variable that gets the result which says that there is no breaker.
func (c *checker) failure(value inspector.Cursor, m made) *types.Var {
	if m.fails == none {
		return nil
	}
	target, bound := boundTo(value, m.fails)
	id, ok := target.(*ast.Ident)
	if !bound || !ok {
		return nil
	}
	v, _ := c.info.ObjectOf(id).(*types.Var)
	return v
}

// checkTemporary judges a breaker that no variable holds.
func (c *checker) checkTemporary(call inspector.Cursor, u *uses, m made, fate string) {
	if u.closesBefore(call.Node().Pos()) {
		return
	}
	s := search{uses: u, inMain: c.isMain(u.function)}
	switch loss := s.from(c.graph(u.function), call.Node().Pos(), true); {
	case loss == nil:
	case !u.any():
		c.report(call, "the breaker made by %s is %s, so nobody can close it", m.name, fate)
	default:
		c.report(call, "the breaker made by %s is not closed on every path: %s", m.name, c.describe(loss))
	}
}

// checkVariable judges a breaker that v holds.
func (c *checker) checkVariable(call inspector.Cursor, u *uses, v *types.Var) {
	u.followVariable(v, aBreaker)
	if u.closesBefore(call.Node().Pos()) {
		return
	}
	s := search{uses: u, named: isResult(c.signature(u.function), v), inMain: c.isMain(u.function)}
	loss := s.from(c.graph(u.function), call.Node().Pos(), false)
	if loss == nil {
		return
	}
	c.pass.Report(analysis.Diagnostic{
		Pos:            call.Node().Pos(),
		End:            call.Node().End(),
		Message:        fmt.Sprintf("%s is not closed on every path: %s", v.Name(), c.describe(loss)),
		Related:        []analysis.RelatedInformation{{Pos: loss.pos, Message: "here " + v.Name() + " is lost"}},
		SuggestedFixes: c.fix(call, u, v),
	})
}

func (c *checker) report(at inspector.Cursor, format string, args ...any) {
	c.pass.ReportRangef(at.Node(), format, args...)
}

// describe says where a path loses the breaker.
func (c *checker) describe(l *loss) string {
	line := c.pass.Fset.Position(l.pos).Line
	switch {
	case l.again:
		return "the loop makes another one"
	case l.overwritten:
		return fmt.Sprintf("line %d overwrites it", line)
	case l.atEnd:
		return fmt.Sprintf("the end of the function on line %d leaves it behind", line)
	default:
		return fmt.Sprintf("the return on line %d leaves it behind", line)
	}
}

// graph returns the control-flow graph of a function that has a body.
func (c *checker) graph(function inspector.Cursor) *cfg.CFG {
	graphs := c.pass.ResultOf[ctrlflow.Analyzer].(*ctrlflow.CFGs)
	switch f := function.Node().(type) {
	case *ast.FuncDecl:
		return graphs.FuncDecl(f)
	case *ast.FuncLit:
		return graphs.FuncLit(f)
	default:
		panic(fmt.Sprintf("lostclose: %T is no function", f))
	}
}

// signature returns the type of a function, or nil if it isn't known.
func (c *checker) signature(function inspector.Cursor) *types.Signature {
	var t types.Type
	switch f := function.Node().(type) {
	case *ast.FuncDecl:
		if obj := c.info.Defs[f.Name]; obj != nil {
			t = obj.Type()
		}
	case *ast.FuncLit:
		t = c.info.TypeOf(f)
	}
	signature, _ := t.(*types.Signature)
	return signature
}

// isMain reports whether the process ends with the function.
func (c *checker) isMain(function inspector.Cursor) bool {
	f, ok := function.Node().(*ast.FuncDecl)
	return ok && f.Recv == nil && f.Name.Name == "main" && c.pass.Pkg.Name() == "main"
}

// climb goes from an expression up to the outermost one that still is the same breaker.
func (c *checker) climb(cur inspector.Cursor) inspector.Cursor {
	for {
		switch cur.ParentEdgeKind() {
		case edge.ParenExpr_X, edge.TypeAssertExpr_X:
			cur = cur.Parent()
		case edge.CallExpr_Args:
			call := cur.Parent().Node().(*ast.CallExpr)
			if !c.info.Types[call.Fun].IsType() && c.handles(call, cur.ParentEdgeIndex()).Forwards != 0 {
				return cur
			}
			cur = cur.Parent() // a conversion, or a function that returns what it is given
		default:
			return cur
		}
	}
}

// climbResult is climb for one result of a call: f(g()) gives all results of g to f.
func (c *checker) climbResult(call inspector.Cursor, result int) inspector.Cursor {
	if _, several := c.info.TypeOf(call.Node().(ast.Expr)).(*types.Tuple); several && call.ParentEdgeKind() == edge.CallExpr_Args {
		if c.handles(call.Parent().Node().(*ast.CallExpr), result).Forwards != 0 {
			return call
		}
		call = call.Parent()
	}
	return c.climb(call)
}

// boundTo returns what an assignment or a declaration gives the value to, or its given result if it
// has several, and whether there is one at all.
func boundTo(value inspector.Cursor, result int) (target ast.Expr, bound bool) {
	i := value.ParentEdgeIndex()
	switch value.ParentEdgeKind() {
	case edge.AssignStmt_Rhs:
		assign := value.Parent().Node().(*ast.AssignStmt)
		if len(assign.Rhs) < len(assign.Lhs) {
			i = result
		}
		return assign.Lhs[i], true
	case edge.ValueSpec_Values:
		spec := value.Parent().Node().(*ast.ValueSpec)
		if len(spec.Values) < len(spec.Names) {
			i = result
		}
		return spec.Names[i], true
	default:
		return nil, false
	}
}

// enclosingFunction returns the innermost function around an expression.
func enclosingFunction(cur inspector.Cursor) (inspector.Cursor, bool) {
	for function := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		return function, true
	}
	return inspector.Cursor{}, false
}

func isResult(signature *types.Signature, v *types.Var) bool {
	if signature == nil {
		return false
	}
	for result := range signature.Results().Variables() {
		if result == v {
			return true
		}
	}
	return false
}

func within(n ast.Node, pos token.Pos) bool { return n.Pos() <= pos && pos < n.End() }
