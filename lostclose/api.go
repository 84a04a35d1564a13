package lostclose

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

// breakerPath is the package whose breakers are looked for.
const breakerPath = "github.com/kamilsk/breaker"

// The functions of the package, by what they do with breakers. A test compares them with the package.
var (
	// makers return a breaker that holds something, first of their results.
	makers = set("BreakByChannel", "BreakByContext", "BreakByDeadline", "BreakBySignal", "BreakByTimeout",
		"Multiplex", "MultiplexTwo", "MultiplexThree", "WithContext")
	// views return something to watch a breaker by, but not to close it.
	views = set("NopCloser", "ToContext")
	// harmless return a breaker that holds nothing.
	harmless = set("New")
)

// The methods of a breaker, by what they mean for those who have to close it.
var (
	// enders leave nothing to close: when they return, the breaker has tripped.
	enders = set("Close", "Trip", "Wait")
	// askers return an error that is nil as long as the breaker is open.
	askers = set("Err", "Cause")
	// watchers change nothing.
	watchers = set("Done", "IsReleased", "Deadline", "State", "OnTrip", "String")
)

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

// seesBreaker reports whether a package is the one with the breakers, or imports it.
func seesBreaker(pkg *types.Package) bool {
	if isBreaker(pkg) {
		return true
	}
	for _, imported := range pkg.Imports() {
		if isBreaker(imported) {
			return true
		}
	}
	return false
}

// isBreaker compares paths, whether the package is vendored, or a variant that was compiled for a test.
func isBreaker(pkg *types.Package) bool {
	if pkg == nil {
		return false
	}
	path, _, _ := strings.Cut(pkg.Path(), " ")
	return path == breakerPath || strings.HasSuffix(path, "/vendor/"+breakerPath)
}

// callee returns the name of the function of the breaker package that is called, or "".
func callee(info *types.Info, call *ast.CallExpr) string {
	f := typeutil.StaticCallee(info, call)
	if f == nil || f.Signature().Recv() != nil || !isBreaker(f.Pkg()) {
		return ""
	}
	return f.Name()
}

// maker returns the name of the function, if the call returns a breaker that holds something.
func maker(info *types.Info, call *ast.CallExpr) string {
	name := callee(info, call)
	if !makers[name] || panics(info, name, call) || isTripped(info, name, call) {
		return ""
	}
	if name == "BreakByChannel" && info.Types[call.Args[0]].IsNil() {
		return "" // it is what New returns
	}
	return name
}

// panics reports whether an argument is certainly wrong.
func panics(info *types.Info, name string, call *ast.CallExpr) bool {
	for i, arg := range call.Args {
		if info.Types[arg].IsNil() && name != "BreakByChannel" && (name != "BreakByContext" || i == 0) {
			return true
		}
	}
	return false
}

// isTripped reports whether the breaker that the maker returns has certainly tripped.
func isTripped(info *types.Info, name string, call *ast.CallExpr) bool {
	switch name {
	case "BreakByTimeout":
		timeout := info.Types[call.Args[0]].Value
		return timeout != nil && constant.Sign(timeout) <= 0
	case "BreakBySignal":
		return len(call.Args) == 0
	case "Multiplex", "MultiplexTwo", "MultiplexThree":
		for _, arg := range call.Args {
			if child, ok := ast.Unparen(arg).(*ast.CallExpr); ok && isTripped(info, callee(info, child), child) {
				return true
			}
		}
		return len(call.Args) == 0
	default:
		return false
	}
}

// isCauseOf reports whether a call is context.Cause.
func isCauseOf(info *types.Info, call *ast.CallExpr) bool {
	return isCallOf(info, call, "context", "Cause")
}

func isCallOf(info *types.Info, call *ast.CallExpr, path, name string) bool {
	f := typeutil.StaticCallee(info, call)
	return f != nil && f.Pkg() != nil && f.Pkg().Path() == path && f.Name() == name && f.Signature().Recv() == nil
}
