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

// Analyzer reports breakers that nobody closes on some path. See the package documentation for what counts. Its flag
// -skiptests leaves out the files whose names end in _test.go.
var Analyzer = &analysis.Analyzer{
	Name: "lostclose",
	Doc: `check that breakers are closed

A breaker of github.com/kamilsk/breaker holds a timer, a signal handler or registrations until it trips or is
closed. The analyzer reports one that, on some path through the function that made it, is neither closed or
tripped nor waited for, returned, stored or passed on. NopCloser and ToContext pass on nothing. New is left alone: what
it returns holds nothing.`,
	URL:      "https://pkg.go.dev/github.com/kamilsk/breaker/lostclose",
	Run:      run,
	Requires: []*analysis.Analyzer{inspect.Analyzer, ctrlflow.Analyzer},
}

var skipTests bool

func init() {
	Analyzer.Flags.BoolVar(&skipTests, "skiptests", false, "don't report what files named _test.go do")
}

func run(pass *analysis.Pass) (any, error) {
	if !seesBreaker(pass.Pkg) {
		return nil, nil
	}
	c := &checker{pass: pass, info: pass.TypesInfo, ignored: ignoredLines(pass)}
	for cur := range pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root().Preorder((*ast.CallExpr)(nil)) {
		if name := maker(c.info, cur.Node().(*ast.CallExpr)); name != "" && !c.ignores(cur.Node().Pos()) {
			c.check(cur, name)
		}
	}
	return nil, nil
}

// checker is what all steps of one pass share.
type checker struct {
	pass    *analysis.Pass
	info    *types.Info
	ignored map[line]bool
}

// check judges the breaker that the call returns.
func (c *checker) check(call inspector.Cursor, name string) {
	function, ok := enclosingFunction(call)
	if !ok {
		return // a package variable: it lives as long as the process
	}
	u := c.newUses(function)
	u.followSources(call.Node().(*ast.CallExpr))
	if u.endsAnyway(call.Node().Pos()) {
		return
	}
	value := c.climb(call)
	target, bound := boundTo(value)
	id, ok := target.(*ast.Ident)
	switch {
	case value.ParentEdgeKind() == edge.ExprStmt_X, ok && id.Name == "_":
		c.checkTemporary(call, u, name, "discarded")
	case !bound:
		u.follow(value, aBreaker)
		c.checkTemporary(call, u, name, "only watched")
	case !ok:
		// A field, an element, a pointer's target: stored.
	default:
		if v, ok := c.info.ObjectOf(id).(*types.Var); ok && within(function.Node(), v.Pos()) {
			c.checkVariable(call, u, v)
		}
	}
}

// checkTemporary judges a breaker that no variable holds.
func (c *checker) checkTemporary(call inspector.Cursor, u *uses, name, fate string) {
	s := search{uses: u, inMain: c.isMain(u.function)}
	switch loss := s.from(c.graph(u.function), call.Node().Pos(), true); {
	case loss == nil:
	case !u.any():
		c.report(call, "the breaker made by breaker.%s is %s, so nobody can close it", name, fate)
	default:
		c.report(call, "the breaker made by breaker.%s is not closed on every path: %s", name, c.describe(loss))
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

// fix suggests a deferred Close, where nothing in the function takes care of the breaker and a defer runs once.
func (c *checker) fix(call inspector.Cursor, u *uses, v *types.Var) []analysis.SuggestedFix {
	if u.any() || len(u.sets) > 1 {
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

// endOfLine returns the end of the line on which a statement ends, or of the statement if more follows on that line.
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
	return file.LineStart(line+1) - 1
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
			if !c.info.Types[call.Fun].IsType() {
				return cur
			}
			cur = cur.Parent() // a conversion
		default:
			return cur
		}
	}
}

// boundTo returns what an assignment or a declaration gives the value to, and whether there is one at all.
func boundTo(value inspector.Cursor) (target ast.Expr, bound bool) {
	i := value.ParentEdgeIndex()
	switch value.ParentEdgeKind() {
	case edge.AssignStmt_Rhs:
		return value.Parent().Node().(*ast.AssignStmt).Lhs[i], true
	case edge.ValueSpec_Values:
		return value.Parent().Node().(*ast.ValueSpec).Names[i], true
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
