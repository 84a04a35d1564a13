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

// The functions of the package, by what they do with breakers. A test compares them with the
// package.
var (
	// makers return a breaker that holds something, first of their results.
	makers = set("Any", "BreakByChannel", "BreakByContext", "BreakByDeadline", "BreakByDeadlineCause", "BreakByIdle", "BreakBySignal",
		"BreakByTimeout", "BreakByTimeoutCause", "Multiplex", "MultiplexTwo", "MultiplexThree", "WithContext", "Within", "WithinCause")
	// owners close the breakers that they are given.
	owners = set("Multiplex", "MultiplexTwo", "MultiplexThree")
	// borrowers watch the breakers that they are given, and never close them.
	borrowers = set("Any", "Within", "WithinCause")
	// views return something to watch a breaker by, but not to close it.
	views = set("NopCloser", "ToContext")
	// harmless return a breaker that holds nothing.
	harmless = set("New")
)

// The methods of a breaker, by what they mean for the code that has to close it.
var (
	// enders leave nothing to close: when they return, the breaker has tripped.
	enders = set("Close", "Trip", "Wait", "AwaitClosed")
	// askers return an error that is nil as long as the breaker is open.
	askers = set("Err", "Cause")
	// watchers change nothing.
	watchers = set("Done", "IsReleased", "Deadline", "State", "OnTrip", "String", "Format", "MarshalText")
	// touchers are the methods of Idle that change only its deadline.
	touchers = set("Touch", "Reset")
)

// printers print what they are given, or compare it, and keep nothing: by package, the names of
// functions and methods, all if empty.
var printers = map[string]map[string]bool{
	"fmt":           nil,
	"log":           nil,
	"log/slog":      set("Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"),
	"testing":       set("Log", "Logf", "Error", "Errorf", "Fatal", "Fatalf", "Skip", "Skipf"),
	"encoding/json": set("Marshal", "MarshalIndent"),

	"github.com/stretchr/testify/assert":  nil,
	"github.com/stretchr/testify/require": nil,
}

// prints reports whether a call does nothing with its arguments but print them. A print isn't a
// close.
func prints(info *types.Info, call *ast.CallExpr) bool {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		builtin, ok := info.Uses[id].(*types.Builtin)
		return ok && (builtin.Name() == "println" || builtin.Name() == "print")
	}
	f := typeutil.Callee(info, call)
	if f == nil || f.Pkg() == nil {
		return false
	}
	names, ok := printers[f.Pkg().Path()]
	return ok && (names == nil || names[f.Name()])
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

// isBreaker compares paths, whether the package is vendored, or a variant that was compiled for a
// test.
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
		if !info.Types[arg].IsNil() {
			continue
		}
		switch name {
		case "BreakByChannel", "BreakByTimeoutCause", "BreakByDeadlineCause":
		case "BreakByContext":
			if i == 0 {
				return true
			}
		case "WithinCause":
			if i != 2 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// isTripped reports whether the breaker that the maker returns has certainly tripped.
func isTripped(info *types.Info, name string, call *ast.CallExpr) bool {
	switch name {
	case "BreakByTimeout", "BreakByTimeoutCause":
		return isPast(info, call, 0)
	case "Within", "WithinCause":
		return isPast(info, call, 1)
	case "BreakBySignal":
		return len(call.Args) == 0
	case "Any", "Multiplex", "MultiplexTwo", "MultiplexThree":
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

// isPast reports whether a timeout is a constant, and not positive.
func isPast(info *types.Info, call *ast.CallExpr, arg int) bool {
	if len(call.Args) <= arg {
		return false
	}
	timeout := info.Types[call.Args[arg]].Value
	return timeout != nil && constant.Sign(timeout) <= 0
}

// isCauseOf reports whether a call is context.Cause.
func isCauseOf(info *types.Info, call *ast.CallExpr) bool {
	return isCallOf(info, call, "context", "Cause")
}

func isCallOf(info *types.Info, call *ast.CallExpr, path, name string) bool {
	f := typeutil.StaticCallee(info, call)
	return f != nil && f.Pkg() != nil && f.Pkg().Path() == path && f.Name() == name && f.Signature().Recv() == nil
}
