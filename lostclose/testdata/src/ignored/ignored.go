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

func tooFar() {
	//lostclose:ignore a comment is about what follows

	breaker.BreakByTimeout(time.Hour) // want `is discarded`
}

func withoutAReason() {
	/* want `needs a reason` */       //lostclose:ignore
	breaker.BreakByTimeout(time.Hour) // want `is discarded`
}
