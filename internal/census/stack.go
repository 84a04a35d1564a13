package census

import (
	"runtime"
	"strings"
)

// module is the path of package breaker.
const module = "github.com/kamilsk/breaker"

// constructing are the packages whose functions construct breakers: what calls them is the user's.
var constructing = []string{module + ".", module + "/breakernats.", module + "/breakercluster."}

// internal are the packages that are on the stack when a breaker is recorded.
var internal = []string{module + "/internal/census.", module + "/internal/live."}

// frames returns the functions of the program counters, including inlined ones. There is at least
// one.
func frames(pcs []uintptr) []runtime.Frame {
	all := make([]runtime.Frame, 0, len(pcs))
	for next := runtime.CallersFrames(pcs); ; {
		frame, more := next.Next()
		all = append(all, frame)
		if !more {
			return all
		}
	}
}

// constructor returns the index of the constructor: the outermost frame before the user's code. It
// looks up no names beyond that, because that takes most of the time.
func constructor(pcs []uintptr) int {
	next := runtime.CallersFrames(pcs)
	for i := 0; ; i++ {
		frame, more := next.Next()
		if !in(frame.Function, constructing) && !in(frame.Function, internal) {
			return max(i-1, 0)
		}
		if !more {
			return i
		}
	}
}

func in(function string, packages []string) bool {
	for _, prefix := range packages {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}

// shortName shortens the path of the package to its last element.
func shortName(function string) string {
	return function[strings.LastIndexByte(function, '/')+1:]
}
