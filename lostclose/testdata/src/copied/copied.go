// Package copied copies breakers.
package copied

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
	"helpers"
)

type job struct {
	breaker.Breaker
	name string
}

func newJob() *job { return &job{} }

func copies() {
	j := job{Breaker: *breaker.BreakByTimeout(time.Hour)} // want `the breaker made by breaker.BreakByTimeout is copied: the copy panics at its first use; keep the pointer`
	j.Breaker = *breaker.New()                            // want `made by breaker.New is copied`
	var br = *helpers.Timeout()                           // want `made by helpers.Timeout is copied`
	idle := *(breaker.BreakByIdle(time.Hour))             // want `made by breaker.BreakByIdle is copied`
	fmt.Println(&j, &br, &idle)
}

func returns() breaker.Breaker {
	return *breaker.BreakByTimeout(time.Hour) // want `made by breaker.BreakByTimeout is copied`
}

func doesNotCopy() {
	fmt.Println((*breaker.New()).Err(), &*breaker.New())
	j := *newJob() // it may be a zero value
	fmt.Println(&j)
	h := *helpers.NewJob("a") // a pointer is copied
	h.Close()
}
