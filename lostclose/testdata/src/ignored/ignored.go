// Package ignored says why it leaves breakers open.
package ignored

import (
	"time"

	"github.com/kamilsk/breaker"
)

func above() {
	//lostclose:ignore a timer for the life of the process
	breaker.BreakByTimeout(time.Hour)
}

func onTheLine() {
	breaker.BreakByTimeout(time.Hour) //lostclose:ignore the same here
}

func wholeStatement() {
	//lostclose:ignore each of them, however long the statement
	br := breaker.Multiplex(
		breaker.NopCloser(
			breaker.BreakByTimeout(time.Hour),
		),
		breaker.NopCloser(breaker.BreakByTimeout(time.Minute)),
	)
	use(
		breaker.NopCloser(br),
		breaker.NopCloser(breaker.BreakByTimeout(time.Hour)),
	) //lostclose:ignore the same here
}

func use(...breaker.Interface) {}

func notTheBlock(n int) {
	//lostclose:ignore a statement is not the block in it
	if n > 0 {
		breaker.BreakByTimeout(time.Hour) // want `is discarded`

		breaker.BreakByTimeout(time.Hour) // want `is discarded`
	}
	//lostclose:ignore nor the literal
	f := func() {
		breaker.BreakByTimeout(time.Hour) // want `is discarded`
	}
	f()
}

func tooFar() {
	//lostclose:ignore a comment is about what follows

	breaker.BreakByTimeout(time.Hour) // want `is discarded`
}

func withoutAReason() {
	/* want `needs a reason` */       //lostclose:ignore
	breaker.BreakByTimeout(time.Hour) // want `is discarded`
}
