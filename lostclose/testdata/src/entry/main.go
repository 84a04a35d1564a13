// Command entry ends with its main function, whatever that leaves behind.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

func main() {
	br := breaker.BreakBySignal(os.Interrupt)
	ctx := breaker.ToContext(breaker.BreakByTimeout(time.Hour))
	fmt.Println(br.Err(), ctx.Err())
	helper()
	for range 2 {
		again := breaker.BreakByTimeout(time.Hour) // want `again is not closed on every path: the loop makes another one`
		fmt.Println(again.Err())
	}
}

func helper() {
	br := breaker.BreakBySignal(os.Interrupt) // want `br is not closed on every path: the end of the function on line 26 leaves it behind`
	fmt.Println(br.Err())
}
