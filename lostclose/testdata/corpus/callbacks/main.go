// Callbacks prints when callbacks run.
package main

import (
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

func registers() {
	br := breaker.BreakByTimeout(time.Hour)
	br.OnTrip(func() { fmt.Println("  registers: tripped") })
}

func registersByAView() {
	br := breaker.BreakByTimeout(time.Hour)
	view := breaker.NopCloser(br)
	view.OnTrip(func() { fmt.Println("  registersByAView: tripped") })
}

func stopsOnOnePath(stops bool) {
	br := breaker.BreakByTimeout(time.Hour)
	stop := br.OnTrip(func() { fmt.Println("  stopsOnOnePath: tripped") })
	if stops {
		stop()
	}
}

func stopsLater(early bool) {
	br := breaker.BreakByTimeout(time.Hour)
	stop := br.OnTrip(func() { fmt.Println("  stopsLater: tripped") })
	if early {
		return
	}
	defer stop()
}

func inAHelper() {
	br := breaker.BreakByTimeout(time.Hour)
	register(br)
}

func register(br breaker.Interface) { br.OnTrip(func() { fmt.Println("  inAHelper: tripped") }) }

func returnsStop() func() bool {
	br := breaker.BreakByTimeout(time.Hour)
	return br.OnTrip(func() { fmt.Println("  returnsStop: tripped") })
}

func mentionsItself() {
	br := breaker.BreakByTimeout(time.Hour)
	stop := br.OnTrip(func() { fmt.Println("  mentionsItself:", br.Err()) })
	defer stop()
}

func takenBack() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	stop := br.OnTrip(func() { fmt.Println("  takenBack: tripped") })
	defer stop()
	fmt.Println("  inside:", br.Err())
}

func takenBackAtOnce() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	defer br.OnTrip(func() { fmt.Println("  takenBackAtOnce: tripped") })()
	fmt.Println("  inside:", br.Err())
}

func inTheHelperOnly() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	guard(br)
}

func guard(br breaker.Interface) {
	defer br.OnTrip(func() { fmt.Println("  guard: tripped") })()
	fmt.Println("  inside:", br.Err())
}

func main() {
	registers()
	registersByAView()
	stopsOnOnePath(false)
	stopsOnOnePath(true)
	stopsLater(false)
	stopsLater(true)
	inAHelper()
	fmt.Println("stop:", returnsStop()())
	mentionsItself()
	takenBack()
	takenBackAtOnce()
	inTheHelperOnly()
	fmt.Println("the end")
}
