// Package fine has nothing to report.
package fine

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
)

var errBusy = errors.New("busy")

var process = breaker.BreakBySignal(os.Interrupt)

var processContext = breaker.ToContext(breaker.BreakBySignal(os.Interrupt))

func busy() bool { return false }

func use(br breaker.Interface) { br.Close() }

type server struct {
	br  breaker.Interface
	all []*breaker.Breaker
}

func holdsNothing(ctx context.Context) {
	breaker.New()
	_ = breaker.New()
	br := breaker.New()
	fmt.Println(br.Done(), br.Err())
	fmt.Println(breaker.ToContext(breaker.New()))

	breaker.BreakByTimeout(0)
	breaker.BreakByTimeout(-time.Second)
	breaker.BreakBySignal()
	breaker.Multiplex()
	breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0))
	breaker.BreakByChannel(nil)
	breaker.Multiplex(nil)
	breaker.BreakByContext(nil, nil)
}

func deferred() error {
	br := breaker.BreakByTimeout(time.Hour)
	defer br.Close()
	if busy() {
		return errBusy
	}
	return nil
}

func deferredInALiteral() {
	br := breaker.BreakByTimeout(time.Hour)
	defer func() {
		if br != nil {
			br.Close()
		}
	}()
}

func deferredBefore() error {
	var br *breaker.Breaker
	defer func() {
		if br != nil {
			br.Close()
		}
	}()
	if busy() {
		return errBusy
	}
	br = breaker.BreakByTimeout(time.Hour)
	return nil
}

func addressedBefore() {
	var br *breaker.Breaker
	register(&br)
	br = breaker.BreakByTimeout(time.Hour)
}

var registered **breaker.Breaker

func register(br **breaker.Breaker) { registered = br }

func methodValue(t *testing.T) {
	br := breaker.BreakByTimeout(time.Hour)
	t.Cleanup(br.Close)
}

func onBothBranches() {
	br := breaker.BreakByTimeout(time.Hour)
	if busy() {
		br.Close()
		return
	}
	br.Trip(errBusy)
}

func returned() *breaker.Breaker {
	br := breaker.BreakByTimeout(time.Hour)
	return br
}

func returnedAtOnce(ctx context.Context) (breaker.Interface, context.Context) {
	return breaker.WithContext(ctx)
}

func returnedNaked() (br *breaker.Breaker) {
	br = breaker.BreakByTimeout(time.Hour)
	return
}

func passed() {
	br := breaker.BreakByTimeout(time.Hour)
	use(br)
	use(breaker.BreakByTimeout(time.Hour))
	go use(breaker.BreakByTimeout(time.Hour))
}

func multiplexed() {
	br := breaker.BreakByTimeout(time.Hour)
	both := breaker.Multiplex(br, breaker.BreakBySignal(os.Interrupt))
	defer both.Close()
}

func multiplexedInPlace() {
	var br = breaker.BreakByTimeout(time.Hour)
	br = breaker.Multiplex(br, breaker.BreakBySignal(os.Interrupt))
	defer br.Close()
}

func stored(s *server, m map[string]breaker.Interface, ch chan breaker.Interface, p *breaker.Interface) *server {
	s.br = breaker.BreakByTimeout(time.Hour)
	m["a"] = breaker.BreakByTimeout(time.Hour)
	*p = breaker.BreakByTimeout(time.Hour)
	ch <- breaker.BreakByTimeout(time.Hour)
	one := breaker.BreakByTimeout(time.Hour)
	s.all = append(s.all, one)
	two := breaker.BreakByTimeout(time.Hour)
	m["b"] = two
	three := breaker.BreakByTimeout(time.Hour)
	ch <- three
	four := breaker.BreakByTimeout(time.Hour)
	p = &[]breaker.Interface{four}[0]
	five := breaker.BreakByTimeout(time.Hour)
	register(&five)
	six := breaker.BreakByTimeout(time.Hour)
	other := six
	other.Close()
	return &server{br: breaker.BreakByTimeout(time.Hour)}
}

func storedOutside() {
	var br *breaker.Breaker
	func() {
		br = breaker.BreakByTimeout(time.Hour)
	}()
	br.Close()
}

func sent(out chan *breaker.Breaker, quit chan struct{}) {
	br := breaker.BreakByTimeout(time.Hour)
	select {
	case out <- br:
	case <-quit:
		br.Close()
	}
}

func waited() {
	<-breaker.BreakByTimeout(time.Second).Done()
	br := breaker.BreakByTimeout(time.Second)
	<-br.Done()
	again := breaker.BreakByTimeout(time.Second)
	done := again.Done()
	<-done
	view := breaker.ToContext(breaker.BreakByTimeout(time.Second))
	<-view.Done()
	last := breaker.BreakByTimeout(time.Second)
	fmt.Println(last.Wait())
}

func waitedByRange() {
	br := breaker.BreakByTimeout(time.Second)
	for range br.Done() {
	}
}

func waitedInALoop(values chan int) {
	br := breaker.BreakByTimeout(time.Hour)
	for {
		select {
		case <-br.Done():
			return
		case value := <-values:
			fmt.Println(value)
		}
	}
}

func waitedOrClosed(values chan int) int {
	br := breaker.BreakByTimeout(time.Hour)
	select {
	case _, ok := <-br.Done():
		fmt.Println(ok)
		return 0
	case value := <-values:
		br.Close()
		return value
	}
}

func waitedElsewhere() {
	br := breaker.BreakByTimeout(time.Hour)
	go func() {
		<-br.Done()
		fmt.Println(br.Cause())
	}()
}

func waitedElsewhereInALoop(values chan int) {
	br := breaker.BreakByTimeout(time.Hour)
	go func() {
		for {
			select {
			case <-br.Done():
				return
			case <-values:
			}
		}
	}()
}

func asked() {
	br := breaker.BreakByTimeout(time.Hour)
	for br.Err() == nil {
	}
}

func askedAndReturned() error {
	br := breaker.BreakByTimeout(time.Hour)
	for {
		if err := br.Err(); err != nil {
			return err
		}
		if cause := br.Cause(); nil != cause {
			return cause
		}
		if br.IsReleased() || breaker.ToContext(br).Err() != nil {
			return nil
		}
		if errors.Is(br.Err(), context.Canceled) && busy() {
			return nil
		}
		switch ctx := breaker.ToContext(br); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !(context.Cause(ctx) == nil):
			return nil
		}
	}
}

func madeUnderACondition() {
	var br *breaker.Breaker
	if busy() {
		br = breaker.BreakByTimeout(time.Hour)
	}
	if br != nil {
		br.Close()
	}
}

func doesNotReturn(t *testing.T, n int) {
	br := breaker.BreakByTimeout(time.Hour)
	switch n {
	case 0:
		os.Exit(1)
	case 1:
		log.Fatal("the end")
	case 2:
		panic("the end")
	case 3:
		t.Fatal("the end")
	case 4:
		die()
	case 5:
		select {}
	case 6:
		for {
		}
	}
	br.Close()
}

func die() { os.Exit(1) }

func everyIteration() {
	for range 3 {
		br := breaker.BreakByTimeout(time.Hour)
		if busy() {
			br.Close()
			continue
		}
		br.Close()
	}
}

func certainlyRuns() {
	one := breaker.BreakByTimeout(time.Hour)
	for range 2 {
		one.Close()
	}
	two := breaker.BreakByTimeout(time.Hour)
	for range []int{1, 2} {
		two.Close()
	}
	three := breaker.BreakByTimeout(time.Hour)
	for range [2]int{} {
		three.Close()
	}
}

func inAGroup(group *sync.WaitGroup) {
	br := breaker.BreakByTimeout(time.Hour)
	group.Go(func() {
		defer br.Close()
		fmt.Println(br.Err())
	})
}

func sourceIsClosed() {
	request := breaker.New()
	defer request.Close()
	br := breaker.Multiplex(request, breaker.BreakByTimeout(time.Hour))
	fmt.Println(br.Err())
	breaker.Multiplex(breaker.NopCloser(request), breaker.BreakByTimeout(time.Hour))
}

func sourceIsTripped() {
	request := breaker.New()
	br := breaker.Multiplex(request, breaker.BreakByTimeout(time.Hour))
	fmt.Println(br.Err())
	request.Trip(errBusy)
}

func sourceIsCanceled(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	br := breaker.BreakByContext(ctx, nil)
	fmt.Println(br.Err())
	var other, stop = context.WithCancel(parent)
	both := breaker.Multiplex(breaker.BreakByContext(other, nil), breaker.BreakByTimeout(time.Hour))
	fmt.Println(both.Err())
	stop()
}

func sourceChannelIsClosed() {
	quit := make(chan struct{})
	br := breaker.BreakByChannel(quit)
	fmt.Println(br.Err())
	close(quit)
}

func unreachable() {
	return
	br := breaker.BreakByTimeout(time.Hour)
	fmt.Println(br.Err())
	return
}
