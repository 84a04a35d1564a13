// Views prints what is seen of breakers after the functions have returned that made them. A line that ends in "fixed" gets a deferred
// Close, the others don't.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
)

type key struct{}

type server struct {
	ctx  context.Context
	done <-chan struct{}
	ask  func() error
}

func (s *server) say(name string) {
	fmt.Println(name)
	if s.ctx != nil {
		fmt.Println("  context:", s.ctx.Err(), context.Cause(s.ctx))
	}
	if s.done != nil {
		select {
		case <-s.done:
			fmt.Println("  done")
		default:
			fmt.Println("  not done")
		}
	}
	if s.ask != nil {
		fmt.Println("  asked:", s.ask())
	}
}

func returnsContext() context.Context {
	br := breaker.BreakByTimeout(time.Hour)
	return breaker.ToContext(br)
}

func returnsDerived() context.Context {
	br := breaker.BreakByTimeout(time.Hour)
	ctx, _ := context.WithCancel(breaker.ToContext(br))
	return ctx
}

func returnsValued() context.Context {
	br := breaker.BreakByTimeout(time.Hour)
	ctx := breaker.ToContext(br)
	return context.WithValue(ctx, key{}, "a")
}

func returnsDone() <-chan struct{} {
	br := breaker.BreakByTimeout(time.Hour)
	done := br.Done()
	return done
}

func returnsAsker() func() error {
	br := breaker.BreakByTimeout(time.Hour)
	return br.Err
}

func returnsLiteral() func() error {
	br := breaker.BreakByTimeout(time.Hour)
	return func() error { return br.Cause() }
}

func returnsNopCloser() *server {
	br := breaker.BreakByTimeout(time.Hour)
	view := breaker.NopCloser(br)
	return &server{done: view.Done(), ask: view.Err}
}

func returnsMultiplex() *breaker.Breaker {
	br := breaker.BreakByTimeout(time.Hour)
	return breaker.Multiplex(breaker.NopCloser(br), breaker.BreakByTimeout(2*time.Hour))
}

func returnsAny() breaker.Interface {
	br := breaker.BreakByTimeout(time.Hour)
	return breaker.Any(br)
}

func returnsWithin() breaker.Interface {
	br := breaker.BreakByTimeout(time.Hour)
	return breaker.Within(context.Background(), time.Hour, br)
}

func stores(s *server) {
	br := breaker.BreakByTimeout(time.Hour)
	s.ctx = breaker.ToContext(br)
}

func storesByAHelper(s *server) {
	br := breaker.BreakByTimeout(time.Hour)
	keep(s, br)
}

func keep(s *server, br breaker.Interface) { s.ctx, s.done = breaker.ToContext(br), br.Done() }

func storesByTwoHelpers(s *server) {
	br := breaker.BreakByTimeout(time.Hour)
	s.ctx = toContext(br)
}

func toContext(br breaker.Interface) context.Context { return breaker.ToContext(br) }

func sends(out chan<- context.Context) {
	br := breaker.BreakByTimeout(time.Hour)
	out <- breaker.ToContext(br)
}

func startsAGoroutine(group *sync.WaitGroup, begin chan struct{}) {
	br := breaker.BreakByTimeout(time.Hour)
	group.Add(1)
	go func() {
		defer group.Done()
		<-begin
		fmt.Println("  goroutine:", br.Err())
	}()
}

func startsAGoroutineWithAView(group *sync.WaitGroup, begin chan struct{}) {
	br := breaker.BreakByTimeout(time.Hour)
	group.Add(1)
	go watch(group, begin, breaker.ToContext(br))
}

func watch(group *sync.WaitGroup, begin chan struct{}, ctx context.Context) {
	defer group.Done()
	<-begin
	fmt.Println("  goroutine:", ctx.Err())
}

func withContext() context.Context {
	br, ctx := breaker.WithContext(context.Background())
	fmt.Println("  inside:", br.Err())
	return ctx
}

func deferredBefore() {
	var br *breaker.Breaker
	defer func() { fmt.Println("  at the end:", br.Err()) }()
	br = breaker.BreakByTimeout(time.Hour)
}

func named() (ctx context.Context) {
	br := breaker.BreakByTimeout(time.Hour)
	ctx = breaker.ToContext(br)
	return
}

// What follows is fixed: nothing outlives the function.

func asks() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	fmt.Println("  inside:", br.Err(), br.Cause(), br.State())
}

func asksAtTheEnd() (err error) {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	defer func() { err = br.Err() }()
	defer fmt.Println("  deferred:", br.Err())
	return nil
}

func returnsTheError() error {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	ctx := breaker.ToContext(br)
	_, ok := br.Deadline()
	fmt.Println("  deadline:", ok, ctx.Err(), context.Cause(ctx), ctx.Value(key{}))
	return ctx.Err()
}

func helpers() {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	look(br)
	func() { fmt.Println("  literal:", br.Err()) }()
}

func look(br breaker.Interface) { fmt.Println("  looked:", br.Err()) }

func waits(values chan int) int {
	br := breaker.BreakByTimeout(time.Hour) // fixed
	done := br.Done()
	for {
		select {
		case <-done:
			return 0
		case value := <-values:
			return value
		}
	}
}

func within() {
	br := breaker.Within(context.Background(), time.Hour) // fixed
	fmt.Println("  inside:", br.Err())
}

func withContextInside() {
	br, ctx := breaker.WithContext(context.Background()) // fixed
	fmt.Println("  inside:", br.Err(), ctx.Err())
}

func idle() {
	br := breaker.BreakByIdle(time.Hour) // fixed
	fmt.Println("  touched:", br.Touch(), br.Err())
}

func main() {
	(&server{ctx: returnsContext()}).say("returnsContext")
	(&server{ctx: returnsDerived()}).say("returnsDerived")
	(&server{ctx: returnsValued()}).say("returnsValued")
	(&server{done: returnsDone()}).say("returnsDone")
	(&server{ask: returnsAsker()}).say("returnsAsker")
	(&server{ask: returnsLiteral()}).say("returnsLiteral")
	returnsNopCloser().say("returnsNopCloser")
	m := returnsMultiplex()
	(&server{ask: m.Err}).say("returnsMultiplex")
	a := returnsAny()
	(&server{ask: a.Err}).say("returnsAny")
	w := returnsWithin()
	(&server{ask: w.Err}).say("returnsWithin")
	s := &server{}
	stores(s)
	s.say("stores")
	s = &server{}
	storesByAHelper(s)
	s.say("storesByAHelper")
	s = &server{}
	storesByTwoHelpers(s)
	s.say("storesByTwoHelpers")
	out := make(chan context.Context, 1)
	sends(out)
	(&server{ctx: <-out}).say("sends")
	for _, start := range []func(*sync.WaitGroup, chan struct{}){startsAGoroutine, startsAGoroutineWithAView} {
		var group sync.WaitGroup
		begin := make(chan struct{})
		start(&group, begin)
		fmt.Println("starts")
		close(begin)
		group.Wait()
	}
	(&server{ctx: withContext()}).say("withContext")
	fmt.Println("deferredBefore")
	deferredBefore()
	(&server{ctx: named()}).say("named")

	fmt.Println("asks")
	asks()
	fmt.Println("asksAtTheEnd", asksAtTheEnd())
	fmt.Println("returnsTheError", returnsTheError())
	fmt.Println("helpers")
	helpers()
	values := make(chan int, 1)
	values <- 1
	fmt.Println("waits", waits(values))
	within()
	withContextInside()
	idle()
}
