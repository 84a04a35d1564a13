// Forms has breakers in all sorts of statements.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

type asker interface{ Err() error }

type closer interface {
	asker
	Close()
}

func noClose() {
	var br asker = breaker.BreakByTimeout(time.Hour)
	fmt.Println("  noClose:", br.Err())
}

func anything() {
	var br any = breaker.BreakByTimeout(time.Hour)
	fmt.Println("  anything:", br != nil)
}

func narrowed() {
	var br closer = breaker.BreakByTimeout(time.Hour) // fixed
	fmt.Println("  narrowed:", br.Err())
}

func loop(n int) {
	for i := range n {
		br := breaker.BreakByTimeout(time.Hour)
		fmt.Println("  loop:", i, br.Err())
	}
}

func jumps() {
	i := 0
again:
	br := breaker.BreakByTimeout(time.Hour)
	fmt.Println("  jumps:", i, br.Err())
	if i++; i < 3 {
		goto again
	}
}

func labelled() {
once:
	for range 2 {
		br := breaker.BreakByTimeout(time.Hour)
		fmt.Println("  labelled:", br.Err())
		break once
	}
}

func inAnIf() {
	if br := breaker.BreakByTimeout(time.Hour); br.Err() == nil {
		fmt.Println("  inAnIf")
	}
}

func sometimes(give bool) *breaker.Breaker {
	br := breaker.BreakByTimeout(time.Hour)
	if give {
		return br
	}
	return nil
}

func overwritten() {
	br := breaker.BreakByTimeout(time.Hour)
	br = breaker.BreakByTimeout(2 * time.Hour)
	fmt.Println("  overwritten:", br.Err())
}

func shadowed() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	{
		br := "a"
		fmt.Println("  shadowed:", br)
	}
	fmt.Println("  shadowed:", br.Err())
}

func inACase(n int) {
	switch n {
	case 1:
		br := breaker.BreakByTimeout(time.Hour) // fixed
		fmt.Println("  inACase:", br.Err())
	default:
		var br = breaker.BreakByTimeout(time.Hour) // fixed
		fmt.Println("  inACase:", br.Err())
	}
}

func inASelect(values chan int) {
	select {
	case <-values:
		br := breaker.BreakByTimeout(time.Hour) // fixed
		fmt.Println("  inASelect:", br.Err())
	}
}

func overSeveralLines() {
	br := breaker.Multiplex(
		breaker.BreakByTimeout(time.Hour), // one
		breaker.BreakByDeadline(time.Now().Add(time.Hour)),
	) // fixed
	fmt.Println("  overSeveralLines:", br.Err())
}

func commented() {
	br := breaker.BreakByTimeout(time.Hour) /* a comment
	that goes on */
	fmt.Println("  commented:", br.Err())
}

func onOneLine() { br := breaker.BreakByTimeout(time.Hour); fmt.Println("  onOneLine:", br.Err()) }

func several() {
	one, two := breaker.BreakByTimeout(time.Hour), breaker.BreakByTimeout(2*time.Hour) // fixed
	fmt.Println("  several:", one.Err(), two.Err())
}

func inALiteral() func() error {
	return func() error {
		br := breaker.BreakByTimeout(time.Hour) // fixed
		return br.Err()
	}
}

func panics() (err error) {
	defer func() { err = errors.New(fmt.Sprint(recover())) }()
	br := breaker.BreakByTimeout(time.Hour) // fixed
	if fmt.Sprint(br.Err()) == "<nil>" {
		panic("at the disco")
	}
	return nil
}

func generic[T breaker.Interface](other T) {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	fmt.Println("  generic:", br.Err(), other.Err())
}

func fails(fail bool) (*breaker.Breaker, error) {
	if fail {
		return nil, errors.New("no breaker")
	}
	return breaker.BreakByTimeout(time.Hour), nil
}

func failure(fail bool) error {
	br, err := fails(fail)
	if err != nil {
		return err
	}
	return br.Err()
}

func main() {
	noClose()
	anything()
	narrowed()
	loop(3)
	jumps()
	labelled()
	inAnIf()
	fmt.Println("  sometimes:", sometimes(false) == nil, sometimes(true).Err())
	overwritten()
	shadowed()
	inACase(1)
	inACase(2)
	values := make(chan int, 1)
	values <- 1
	inASelect(values)
	overSeveralLines()
	commented()
	onOneLine()
	several()
	fmt.Println("  inALiteral:", inALiteral()())
	fmt.Println("  panics:", panics())
	generic(breaker.New())
	fmt.Println("  failure:", failure(false), failure(true))
}
