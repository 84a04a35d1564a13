// Package fixes has mistakes that a deferred Close corrects, and some that it wouldn't.
package fixes

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

func forgotten() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	fmt.Println(br.Err())
}

func forgottenInACase(n int) {
	switch n {
	case 1:
		var br = breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
		fmt.Println(br.Err())
	}
}

func inALoop(n int) {
	for range n {
		br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
		fmt.Println(br.Err())
	}
}

func inAnIf() {
	if br := breaker.BreakByTimeout(time.Hour); br.Err() == nil { // want `br is not closed on every path`
		fmt.Println()
	}
}

func onSomePaths(give bool) *breaker.Breaker {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	if give {
		return br
	}
	return nil
}

func onOneLine() { br := breaker.BreakByTimeout(time.Hour); fmt.Println(br.Err()) } // want `br is not closed on every path`
