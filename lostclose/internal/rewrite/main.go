// Command rewrite makes breakers of the contexts in a module, mechanically, so that lostclose can
// be tried on code that others have written. It overwrites the files of the module in the given
// directory: give it a copy.
//
//	rewrite [-cut] DIR
//
// With -cut it leaves out the deferred calls of cancel functions, but for those in main.main:
// mistakes for lostclose to find.
//
// What context.WithCancel, WithTimeout, WithDeadline, WithCancelCause, WithTimeoutCause,
// WithDeadlineCause or signal.NotifyContext return becomes a breaker under the name of the cancel
// function, and its view as a context:
//
//	ctx, cancel := context.WithTimeout(parent, time.Second)
//	defer cancel()
//
//	cancel := breaker.Within(parent, time.Second)
//	ctx := breaker.ToContext(cancel)
//	defer cancel.Close()
//
// Only what the package's files for this platform have is rewritten, tests aren't. It prints how
// many calls it has rewritten, and how many it has left.
package main

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"os"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

func main() {
	cut := flag.Bool("cut", false, "leave out deferred calls of cancel functions")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: rewrite [-cut] DIR")
		os.Exit(2)
	}
	n, err := rewrite(flag.Arg(0), *cut)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rewrite:", err)
		os.Exit(1)
	}
	fmt.Printf("%d rewritten, %d left", n.done, n.left)
	if *cut {
		fmt.Printf(", %d cut", n.cut)
	}
	fmt.Println()
}

// counts are how many calls are rewritten, and left, and how many deferred calls are cut.
type counts struct{ done, left, cut int }

// rewrite rewrites all packages of the module in the directory.
func rewrite(dir string, cut bool) (n counts, err error) {
	const mode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes |
		packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps
	loaded, err := packages.Load(&packages.Config{Mode: mode, Dir: dir, Env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")}, "./...")
	if err != nil {
		return n, err
	}
	for _, pkg := range loaded {
		if len(pkg.Errors) > 0 {
			return n, fmt.Errorf("%s: %w", pkg.PkgPath, errors.Join(asErrors(pkg.Errors)...))
		}
		for _, file := range pkg.Syntax {
			f := &rewriter{pkg: pkg, info: pkg.TypesInfo, file: file, cuts: cut}
			if err := f.rewrite(); err != nil {
				return n, err
			}
			n = counts{n.done + f.done, n.left + f.left, n.cut + f.cut}
		}
	}
	return n, nil
}

func asErrors(all []packages.Error) (errs []error) {
	for _, err := range all {
		errs = append(errs, err)
	}
	return errs
}

// rewriter rewrites one file.
type rewriter struct {
	pkg  *packages.Package
	info *types.Info
	file *ast.File

	source []byte
	name   string // of the package with the breakers
	edits  []edit
	cuts   bool // deferred calls of cancel functions are left out
	counts
	// The packages that may be unused afterwards, by an expression that uses each.
	uses map[string]bool
}

type edit struct {
	from, to int
	text     string
}

func (r *rewriter) rewrite() error {
	path := r.pkg.Fset.Position(r.file.Pos()).Filename
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	r.source, r.uses, r.name = source, map[string]bool{}, "breaker"
	ast.Inspect(r.file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "breaker" {
			r.name = "kamilskbreaker"
		}
		return true
	})
	root := inspector.New([]*ast.File{r.file}).Root()
	for cur := range root.Preorder((*ast.CallExpr)(nil)) {
		call := cur.Node().(*ast.CallExpr)
		maker, cause := r.maker(call)
		switch {
		case maker == "":
		case r.statement(root, cur, maker, cause):
			r.done++
		default:
			r.left++
		}
	}
	if r.done == 0 {
		return nil
	}
	return os.WriteFile(path, r.result(), 0o600)
}

// text returns the source of an expression.
func (r *rewriter) text(n ast.Node) string {
	return string(r.source[r.offset(n.Pos()):r.offset(n.End())])
}

func (r *rewriter) offset(pos token.Pos) int { return r.pkg.Fset.Position(pos).Offset }

// maker returns what makes the breaker that stands for a call, and whether its cancel function
// takes a cause.
func (r *rewriter) maker(call *ast.CallExpr) (maker string, cause bool) {
	f := typeutil.StaticCallee(r.info, call)
	if f == nil || f.Pkg() == nil || f.Signature().Recv() != nil || len(call.Args) == 0 {
		return "", false
	}
	args := make([]string, len(call.Args))
	for i, arg := range call.Args {
		args[i] = r.text(arg)
	}
	if call.Ellipsis.IsValid() {
		args[len(args)-1] += "..."
	}
	parent := fmt.Sprintf("%s.BreakByContext(%s, nil)", r.name, args[0])
	and := func(other string, args ...string) string {
		return fmt.Sprintf("%s.Multiplex(%s, %s.%s(%s))", r.name, parent, r.name, other, strings.Join(args, ", "))
	}
	switch f.Pkg().Path() + "." + f.Name() {
	case "context.WithCancel":
		return parent, false
	case "context.WithCancelCause":
		return parent, true
	case "context.WithTimeout":
		return fmt.Sprintf("%s.Within(%s)", r.name, strings.Join(args, ", ")), false
	case "context.WithTimeoutCause":
		return fmt.Sprintf("%s.WithinCause(%s)", r.name, strings.Join(args, ", ")), false
	case "context.WithDeadline":
		return and("BreakByDeadline", args[1:]...), false
	case "context.WithDeadlineCause":
		return and("BreakByDeadlineCause", args[1:]...), false
	case "os/signal.NotifyContext":
		return and("BreakBySignal", args[1:]...), false
	default:
		return "", false
	}
}

// statement rewrites the statement around a call, and reports whether it could.
func (r *rewriter) statement(root, call inspector.Cursor, maker string, cause bool) bool {
	assign, ok := call.Parent().Node().(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 2 || len(assign.Rhs) != 1 {
		return false
	}
	switch call.Parent().ParentEdgeKind() {
	case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
	default:
		return false
	}
	view := func(br string) string {
		ctx := assign.Lhs[0]
		id, ok := ctx.(*ast.Ident)
		switch {
		case ok && id.Name == "_":
			return ""
		case ok && r.info.Defs[id] != nil:
			return fmt.Sprintf("\n%s := %s.ToContext(%s)", id.Name, r.name, br)
		default:
			return fmt.Sprintf("\n%s = %s.ToContext(%s)", r.text(ctx), r.name, br)
		}
	}
	id, isIdent := assign.Lhs[1].(*ast.Ident)
	var text string
	switch {
	case isIdent && id.Name == "_":
		br := fmt.Sprintf("br%d", r.done)
		if text = view(br); text == "" {
			text = "_ = " + maker
		} else {
			text = strings.TrimPrefix(strings.ReplaceAll(text, "("+br+")", "("+maker+")"), "\n")
		}
	case isIdent && r.info.Defs[id] != nil:
		uses, ok := r.rename(root, id, cause)
		if !ok {
			return false
		}
		r.edits = append(r.edits, uses...)
		text = fmt.Sprintf("%s := %s", id.Name, maker) + view(id.Name)
	case cause:
		return false
	default:
		// A field, or a variable that is declared elsewhere: it gets the method.
		br := fmt.Sprintf("br%d", r.done)
		text = fmt.Sprintf("%s := %s%s\n%s = %s.Close", br, maker, view(br), r.text(assign.Lhs[1]), br)
	}
	r.edits = append(r.edits, edit{r.offset(assign.Pos()), r.offset(assign.End()), text})
	r.keep(call.Node().(*ast.CallExpr))
	return true
}

// rename rewrites the uses of a cancel function that has become a breaker.
func (r *rewriter) rename(root inspector.Cursor, defined *ast.Ident, cause bool) (edits []edit, ok bool) {
	v := r.info.Defs[defined]
	for cur := range root.Preorder((*ast.Ident)(nil)) {
		id := cur.Node().(*ast.Ident)
		if r.info.Uses[id] != v {
			continue
		}
		if r.cuts && cur.ParentEdgeKind() == edge.CallExpr_Fun && cur.Parent().ParentEdgeKind() == edge.DeferStmt_Call && !r.isMain(cur) {
			statement := cur.Parent().Parent().Node()
			edits = append(edits, edit{r.offset(statement.Pos()), r.offset(statement.End()), ""})
			r.cut++
			continue
		}
		method := ".Close"
		switch cur.ParentEdgeKind() {
		case edge.BinaryExpr_X, edge.BinaryExpr_Y:
			continue
		case edge.AssignStmt_Lhs, edge.UnaryExpr_X:
			return nil, false
		case edge.CallExpr_Fun:
			if cause {
				method = ".Trip"
			}
		default:
			if cause {
				return nil, false
			}
		}
		edits = append(edits, edit{r.offset(id.End()), r.offset(id.End()), method})
	}
	return edits, true
}

// isMain reports whether the process ends with the function around.
func (r *rewriter) isMain(cur inspector.Cursor) bool {
	for around := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		f, ok := around.Node().(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "main" && r.pkg.Name == "main"
	}
	return false
}

// keep notes that a package may not be used any more.
func (r *rewriter) keep(call *ast.CallExpr) {
	if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		r.uses[r.text(selector)] = true
	}
}

// result returns the file with all edits. The import comes first, so that the lines below are the
// same in all files.
func (r *rewriter) result() []byte {
	at := r.offset(r.file.Name.End())
	r.edits = append(r.edits, edit{at, at, "\n\nimport " + r.name + " " + strconv.Quote("github.com/kamilsk/breaker") + "\n"})
	sort.SliceStable(r.edits, func(i, j int) bool { return r.edits[i].from < r.edits[j].from })
	var out strings.Builder
	last := 0
	for _, e := range r.edits {
		if e.from < last {
			continue // a use within a statement that is rewritten
		}
		out.Write(r.source[last:e.from])
		out.WriteString(e.text)
		last = e.to
	}
	out.Write(r.source[last:])
	names := make([]string, 0, len(r.uses))
	for use := range r.uses {
		names = append(names, use)
	}
	sort.Strings(names)
	for _, use := range names {
		out.WriteString("\nvar _ = " + use + "\n")
	}
	text := []byte(out.String())
	if formatted, err := format.Source(text); err == nil {
		return formatted
	}
	return text // the compiler will say what is wrong
}
