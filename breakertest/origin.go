package breakertest

import (
	"regexp"
	"runtime"
)

// origin says where a breaker was made, as far as its stack tells.
type origin struct {
	process bool   // the main goroutine made it: a package's initialization, or TestMain
	test    string // the top-level test on whose goroutine it was made, if any
}

// topLevel finds the test that a function belongs to: p.TestA, its literals p.TestA.func1, and
// those of its subtests.
var topLevel = regexp.MustCompile(`\.((?:Test|Benchmark|Fuzz|Example)[^./]*)(?:\.|$)`)

// originOf reads a stack that begins with the constructor.
func originOf(stack []runtime.Frame) (o origin) {
	for i, frame := range stack {
		switch frame.Function {
		case "testing.tRunner", "testing.(*B).runN", "testing.runExample":
			if i > 0 {
				if match := topLevel.FindStringSubmatch(stack[i-1].Function); match != nil {
					o.test = match[1]
				}
			}
			return o
		case "runtime.main":
			o.process = true
			return o
		}
	}
	return o
}
