// Command only makes the tests of a package quick to compile: from the test files of a directory
// it removes all that one test doesn't need.
//
//	only DIRECTORY TEST
//
// It goes by names alone. What stays is the test, TestMain, the init functions and every
// declaration whose name one of those that stay uses, whatever it means there. Lines keep their
// numbers.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
)

// A part of a file is a declaration. It is kept or removed as a whole.
type part struct {
	node  ast.Node
	begin token.Pos // with its comment
	kept  bool
}

var isVersion = regexp.MustCompile(`^v[0-9]+$`) // the end of math/rand/v2

type parts map[string][]*part // by name

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: only DIRECTORY TEST")
		os.Exit(2)
	}
	if err := reduce(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "only:", err)
		os.Exit(1)
	}
}

func reduce(directory, test string) error {
	names, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
	if err != nil {
		return err
	}
	set, files, all := token.NewFileSet(), map[string]*ast.File{}, parts{}
	for _, name := range names {
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files[name] = file
		all.add(file)
	}
	if all[test] == nil {
		return fmt.Errorf("%s: no %s", directory, test)
	}
	for _, root := range []string{test, "TestMain", "init"} {
		all.keep(root)
	}
	for name, file := range files {
		if err := write(name, set.File(file.Pos()), unused(file, all)); err != nil {
			return err
		}
	}
	return nil
}

// add notes what a file declares. A method goes with its type, and what is declared in
// parentheses stays together.
func (all parts) add(file *ast.File) {
	note := func(node ast.Node, doc *ast.CommentGroup, names ...*ast.Ident) {
		p := &part{node: node, begin: node.Pos()}
		if doc != nil {
			p.begin = doc.Pos()
		}
		for _, name := range names {
			all[name.Name] = append(all[name.Name], p)
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil {
				note(d, d.Doc, receiver(d.Recv.List[0].Type))
			} else {
				note(d, d.Doc, d.Name)
			}
		case *ast.GenDecl:
			var names []*ast.Ident
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name)
				case *ast.ValueSpec:
					names = append(names, s.Names...)
				}
			}
			if d.Tok != token.IMPORT {
				note(d, d.Doc, names...)
			}
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(typ ast.Expr) *ast.Ident {
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		default:
			return typ.(*ast.Ident)
		}
	}
}

// keep keeps what a name stands for, and all that this uses.
func (all parts) keep(name string) {
	for _, p := range all[name] {
		if p.kept {
			continue
		}
		p.kept = true
		ast.Inspect(p.node, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				all.keep(id.Name)
			}
			return true
		})
	}
}

// unused returns the parts of a file that aren't kept, and the imports that only they use.
func unused(file *ast.File, all parts) (cut []*part) {
	used := map[string]bool{}
	for _, ps := range all {
		for _, p := range ps {
			if p.node.Pos() < file.FileStart || p.node.Pos() >= file.FileEnd {
				continue
			}
			if !p.kept {
				cut = append(cut, p)
				continue
			}
			ast.Inspect(p.node, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if id, ok := s.X.(*ast.Ident); ok {
						used[id.Name] = true
					}
				}
				return true
			})
		}
	}
	for _, d := range file.Decls {
		d, ok := d.(*ast.GenDecl)
		if !ok || d.Tok != token.IMPORT {
			continue
		}
		for _, s := range d.Specs {
			s := s.(*ast.ImportSpec)
			name := packageName(s)
			if used[name] || name == "_" || name == "." {
				continue
			}
			p := &part{node: s, begin: s.Pos()}
			if !d.Lparen.IsValid() {
				p = &part{node: d, begin: d.Pos()}
			}
			cut = append(cut, p)
		}
	}
	return cut
}

// packageName returns the name by which a file knows an import.
func packageName(s *ast.ImportSpec) string {
	if s.Name != nil {
		return s.Name.Name
	}
	full, _ := strconv.Unquote(s.Path.Value)
	name := path.Base(full)
	if isVersion.MatchString(name) {
		name = path.Base(path.Dir(full))
	}
	return name
}

// write writes a file again with blanks for what is cut.
func write(name string, file *token.File, cut []*part) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for _, p := range cut {
		for i := file.Offset(p.begin); i < file.Offset(p.node.End()); i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
	return os.WriteFile(name, text, 0o644)
}
