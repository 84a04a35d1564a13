package lostclose

import (
	"fmt"
	"go/ast"
	"go/types"
	"path"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// A summary is what the callers of a function have to know of it, in its own package and in others.
type summary struct {
	// Makes is the result that is a breaker which the caller has to close, or none.
	Makes int
	// Fails is the result, an error or a bool, that says that there is no breaker, or none.
	Fails int
	// Params says for each parameter what the function does with a breaker that it is given.
	Params []handling
}

const none = -1

// handling is what a function does with a breaker that it is given.
type handling struct {
	// Watches: it doesn't close the breaker, nor pass it on. Views of the breaker may be.
	Watches bool
	// Confines: when it has returned, nothing is left that was made from the breaker.
	Confines bool
	// Forwards is the result that is the breaker itself, or none.
	Forwards int
}

func (*summary) AFact() {}

// String is what a test expects of the fact.
func (s *summary) String() string {
	var words []string
	if s.Makes != none {
		words = append(words, fmt.Sprintf("makes(%d,%d)", s.Makes, s.Fails))
	}
	for i, h := range s.Params {
		switch {
		case h.Confines:
			words = append(words, fmt.Sprintf("confines(%d)", i))
		case h.Watches:
			words = append(words, fmt.Sprintf("watches(%d)", i))
		case h.Forwards != none:
			words = append(words, fmt.Sprintf("forwards(%d,%d)", i, h.Forwards))
		}
	}
	return strings.Join(words, " ")
}

// reaches is the fact of a package that imports the one with the breakers, directly or not.
type reaches struct{}

func (*reaches) AFact()         {}
func (*reaches) String() string { return "reaches" }

// functions finds out what the functions of a package do with breakers.
var functions = &analysis.Analyzer{
	Name:       "lostclosefacts",
	Doc:        "find out what functions do with breakers, for lostclose",
	Run:        findFacts,
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*knowledge](),
	FactTypes: []analysis.Fact{
		(*summary)(nil),
		(*reaches)(nil),
	},
}

// knowledge is what is known of functions, those of other packages included.
type knowledge struct {
	// reaches says that the package can have to do with breakers at all. If not, there is nothing
	// else.
	reaches bool
	here    map[*types.Func]*summary
	// there asks for the fact of a function of another package.
	there func(types.Object, analysis.Fact) bool
}

func findFacts(pass *analysis.Pass) (any, error) {
	c := newChecker(pass, &knowledge{here: map[*types.Func]*summary{}, there: pass.ImportObjectFact})
	if c.knowledge.reaches = reachesBreaker(pass); c.knowledge.reaches {
		c.summarize(pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root())
	}
	return c.knowledge, nil
}

// reachesBreaker reports whether a package can have to do with breakers, and tells the packages
// that import it.
func reachesBreaker(pass *analysis.Pass) bool {
	if isBreaker(pass.Pkg) {
		pass.ExportPackageFact(&reaches{})
		return true
	}
	for _, imported := range pass.Pkg.Imports() {
		if isBreaker(imported) || pass.ImportPackageFact(imported, &reaches{}) {
			pass.ExportPackageFact(&reaches{})
			return true
		}
	}
	return false
}

// rounds is how long a chain of functions may be, each calling the next one, of which the first is
// still known.
const rounds = 10

// summarize finds out what the functions of the package do. Functions that call each other need
// several rounds: at first nothing is known of any, so what is found never has to be taken back.
func (c *checker) summarize(root inspector.Cursor) {
	if isBreaker(c.pass.Pkg) {
		return
	}
	changed := true
	for round := 0; changed && round < rounds; round++ {
		changed = false
		for function := range root.Preorder((*ast.FuncDecl)(nil)) {
			decl := function.Node().(*ast.FuncDecl)
			f, ok := c.info.Defs[decl.Name].(*types.Func)
			if !ok || decl.Body == nil || !concernsBreakers(f.Signature()) {
				continue
			}
			s := c.summaryOf(function, f.Signature())
			if old := c.knowledge.here[f]; s.String() != "" && (old == nil || !reflect.DeepEqual(old, s)) {
				c.knowledge.here[f] = s
				changed = true
			}
		}
	}
	for f, s := range c.knowledge.here {
		c.pass.ExportObjectFact(f, s)
	}
}

// concernsBreakers reports whether a function takes or returns a breaker, or anything that may be
// one.
func concernsBreakers(signature *types.Signature) bool {
	for _, tuple := range []*types.Tuple{signature.Params(), signature.Results()} {
		for v := range tuple.Variables() {
			if mayBeBreaker(v.Type()) {
				return true
			}
		}
	}
	return false
}

// mayBeBreaker reports whether a breaker can be had as a value of the type.
func mayBeBreaker(t types.Type) bool { return isBreakerType(t) || types.IsInterface(t) }

// known returns the summary of the function that is called, or nil.
func (c *checker) known(call *ast.CallExpr) *summary {
	f := typeutil.StaticCallee(c.info, call)
	if f == nil || isBreaker(f.Pkg()) || isMethodExpression(c.info, call) {
		return nil
	}
	f = f.Origin()
	s := c.knowledge.here[f]
	if s == nil {
		if fact := new(summary); c.knowledge.there(f, fact) {
			s = fact
		}
	}
	if m := bySignature(f); m != nil && (s == nil || s.Makes == none) {
		if s != nil {
			m.Params = s.Params
		}
		return m
	}
	return s
}

// isMethodExpression reports whether a call is T.Method(t, …), whose arguments are not the
// parameters.
func isMethodExpression(info *types.Info, call *ast.CallExpr) bool {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	selection := info.Selections[selector]
	return selection != nil && selection.Kind() == types.MethodExpr
}

// bySignature knows the constructors of the modules that build on breaker. They keep what they
// return, so no analysis would find them.
func bySignature(f *types.Func) *summary {
	if f.Pkg() == nil || !strings.HasPrefix(f.Pkg().Path(), breakerPath+"/breaker") || !strings.HasPrefix(f.Name(), "BreakBy") {
		return nil
	}
	results := f.Signature().Results()
	if results.Len() == 0 || !isBreakerType(results.At(0).Type()) {
		return nil
	}
	return &summary{Makes: 0, Fails: failure(results)}
}

// handles returns what the function that is called does with its i-th argument.
func (c *checker) handles(call *ast.CallExpr, i int) handling {
	if s := c.known(call); s != nil && i < len(s.Params) && !call.Ellipsis.IsValid() {
		return s.Params[i]
	}
	return handling{Forwards: none}
}

// made is what a call makes.
type made struct {
	name   string // for the report
	result int    // which result is the breaker
	fails  int    // which one says that there is none, or none
}

// makes returns what a call makes, if it makes a breaker that has to be closed.
func (c *checker) makes(call *ast.CallExpr) (made, bool) {
	if name := maker(c.info, call); name != "" {
		return made{"breaker." + name, 0, none}, true
	}
	s := c.known(call)
	if s == nil || s.Makes == none {
		return made{}, false
	}
	f := typeutil.StaticCallee(c.info, call)
	return made{path.Base(f.Pkg().Path()) + "." + f.Name(), s.Makes, s.Fails}, true
}

// summaryOf looks at one function.
func (c *checker) summaryOf(function inspector.Cursor, signature *types.Signature) *summary {
	s := &summary{Makes: none, Fails: none, Params: make([]handling, signature.Params().Len())}
	for i := range s.Params {
		s.Params[i] = c.handlingOf(function, signature, i)
	}
	for i := range signature.Results().Len() {
		if isBreakerType(signature.Results().At(i).Type()) && c.returnsFresh(function, signature, i) {
			s.Makes, s.Fails = i, failure(signature.Results())
			break
		}
	}
	return s
}

// failure returns the last result if it says whether there are others, or none.
func failure(results *types.Tuple) int {
	last := results.Len() - 1
	if last <= 0 {
		return none
	}
	t := results.At(last).Type()
	if types.Identical(t, types.Universe.Lookup("error").Type()) || types.Identical(t, types.Typ[types.Bool]) {
		return last
	}
	return none
}

// handlingOf looks at what a function does with one parameter.
func (c *checker) handlingOf(function inspector.Cursor, signature *types.Signature, i int) handling {
	h := handling{Forwards: none}
	v := signature.Params().At(i)
	if !mayBeBreaker(v.Type()) || signature.Variadic() && i == signature.Params().Len()-1 {
		return h
	}
	u := c.newUses(function)
	u.followVariable(v, aBreaker)
	if len(u.sets) > 0 {
		return h
	}
	h.Watches = len(u.ends) == 0
	h.Confines = h.Watches && c.confines(function, v, aBreaker)
	for _, end := range u.ends {
		if !u.isOwn(end) || end.ParentEdgeKind() != edge.ReturnStmt_Results {
			return h
		}
		at := end.ParentEdgeIndex()
		if h.Forwards != none && h.Forwards != at {
			return handling{Forwards: none}
		}
		h.Forwards = at
	}
	if h.Forwards != none && !c.alwaysReturns(function, h.Forwards, v) {
		h.Forwards = none
	}
	return h
}

// alwaysReturns reports whether each return has the variable, or nil, as its i-th result.
func (c *checker) alwaysReturns(function inspector.Cursor, i int, v *types.Var) bool {
	for ret := range c.returns(function) {
		results := ret.Node().(*ast.ReturnStmt).Results
		if len(results) <= i {
			return false
		}
		id, ok := ast.Unparen(results[i]).(*ast.Ident)
		if !ok || c.info.Uses[id] != v && !c.info.Types[results[i]].IsNil() {
			return false
		}
	}
	return true
}

// returns yields the return statements of a function itself.
func (c *checker) returns(function inspector.Cursor) func(yield func(inspector.Cursor) bool) {
	return func(yield func(inspector.Cursor) bool) {
		for ret := range function.Preorder((*ast.ReturnStmt)(nil)) {
			if f, _ := enclosingFunction(ret); f == function && !yield(ret) {
				return
			}
		}
	}
}

// returnsFresh reports whether the i-th result of a function is always a breaker that no other code
// closes, or none at all.
func (c *checker) returnsFresh(function inspector.Cursor, signature *types.Signature, i int) bool {
	fresh := false
	for ret := range c.returns(function) {
		results := ret.Node().(*ast.ReturnStmt).Results
		var o origin
		switch {
		case len(results) == 0:
			o = c.originOfVariable(function, signature.Results().At(i))
		case len(results) == signature.Results().Len():
			o = c.originOf(function, results[i])
		default: // return f()
			if call, ok := ast.Unparen(results[0]).(*ast.CallExpr); ok {
				if m, ok := c.makes(call); ok && m.result == i {
					o = isFresh
				}
			}
		}
		if o == isForeign {
			return false
		}
		fresh = fresh || o == isFresh
	}
	return fresh
}

// origin is where a breaker comes from.
type origin int

const (
	isForeign origin = iota // other code may close it
	isNothing               // there is nothing to close
	isFresh                 // it has just been made
)

func (c *checker) originOf(function inspector.Cursor, e ast.Expr) origin {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if c.info.Types[e].IsNil() {
			return isNothing
		}
		if v, ok := c.info.Uses[e].(*types.Var); ok {
			return c.originOfVariable(function, v)
		}
	case *ast.CallExpr:
		if m, ok := c.makes(e); ok && m.result == 0 {
			return isFresh
		}
		if name := callee(c.info, e); harmless[name] || isTripped(c.info, name, e) {
			return isNothing
		}
		if c.info.Types[e.Fun].IsType() && len(e.Args) == 1 {
			return c.originOf(function, e.Args[0])
		}
	case *ast.UnaryExpr:
		if literal, ok := ast.Unparen(e.X).(*ast.CompositeLit); ok {
			return c.originOfLiteral(function, literal)
		}
	case *ast.CompositeLit:
		return c.originOfLiteral(function, e)
	}
	return isForeign
}

// originOfLiteral judges a struct that embeds a breaker.
func (c *checker) originOfLiteral(function inspector.Cursor, literal *ast.CompositeLit) origin {
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			element = pair.Value
		}
		if t := c.info.TypeOf(element); t != nil && isBreakerType(t) {
			return c.originOf(function, element)
		}
	}
	return isNothing
}

// originOfVariable judges a variable by all its values, and by all code that gets it.
func (c *checker) originOfVariable(function inspector.Cursor, v *types.Var) origin {
	if !within(function.Node(), v.Pos()) || isParameter(c.signature(function), v) || c.judging[v] {
		return isForeign
	}
	c.judging[v] = true
	defer delete(c.judging, v)
	u := c.newUses(function)
	found := isNothing
	for cur := range u.identifiers(v) {
		i := cur.ParentEdgeIndex()
		var values []ast.Expr
		switch cur.ParentEdgeKind() {
		case edge.AssignStmt_Lhs:
			values = cur.Parent().Node().(*ast.AssignStmt).Rhs
		case edge.ValueSpec_Names:
			values = cur.Parent().Node().(*ast.ValueSpec).Values
			if len(values) == 0 {
				continue
			}
		default:
			continue
		}
		o := isForeign
		if len(values) > i && (len(values) > 1 || i == 0) && !c.isTuple(values[i]) {
			if o = isNothing; !isSelf(c.info, values[i], v) {
				o = c.originOf(function, values[i])
			}
		} else if call, ok := ast.Unparen(values[0]).(*ast.CallExpr); ok {
			if m, ok := c.makes(call); ok && m.result == i {
				o = isFresh
			}
		}
		if o == isForeign {
			return isForeign
		}
		found = max(found, o)
	}
	u.followVariable(v, aBreaker)
	for _, end := range u.ends {
		if end.ParentEdgeKind() != edge.ReturnStmt_Results && !u.isClose(end) {
			return isForeign // stored, sent, passed on: other code has it, too
		}
	}
	return found
}

func isSelf(info *types.Info, e ast.Expr, v *types.Var) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	return ok && info.Uses[id] == v
}

func isParameter(signature *types.Signature, v *types.Var) bool {
	if signature == nil {
		return false
	}
	if v == signature.Recv() {
		return true
	}
	for p := range signature.Params().Variables() {
		if p == v {
			return true
		}
	}
	return false
}

func (c *checker) isTuple(e ast.Expr) bool {
	_, ok := c.info.TypeOf(e).(*types.Tuple)
	return ok
}
