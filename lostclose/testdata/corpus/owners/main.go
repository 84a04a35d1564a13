// Owners prints what the Close of a breaker does to others: to the children of a Multiplex, to a context, to a signal, to a channel.
package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

type server struct {
	quit breaker.Interface
	ctx  context.Context
}

func (s *server) field() {
	br := breaker.Multiplex(s.quit, breaker.BreakByTimeout(time.Hour))
	fmt.Println("  inside:", br.Err())
}

func parameter(process breaker.Interface) {
	br := breaker.Multiplex(process, breaker.BreakByTimeout(time.Hour))
	fmt.Println("  inside:", br.Err())
}

func all(list ...breaker.Interface) {
	br := breaker.Multiplex(list...)
	fmt.Println("  inside:", br.Err())
}

func local() {
	one := breaker.New()
	defer func() { fmt.Println("  child:", one.Err()) }()
	br := breaker.Multiplex(one, breaker.BreakByTimeout(time.Hour))
	fmt.Println("  inside:", br.Err())
}

func cancels(ctx context.Context, cancel context.CancelFunc) {
	br := breaker.BreakByContext(ctx, cancel)
	fmt.Println("  inside:", br.Err())
}

func cancelsInside(ctx context.Context, cancel context.CancelFunc) {
	br := breaker.Multiplex(breaker.BreakByContext(ctx, cancel), breaker.BreakByTimeout(time.Hour))
	fmt.Println("  inside:", br.Err())
}

// The process would be killed by the signal, if the breaker gave it its default effect back.
func signals() {
	br := breaker.BreakBySignal(syscall.SIGUSR1)
	fmt.Println("  inside:", br.Err())
}

func receives(values chan struct{}) {
	br := breaker.BreakByChannel(values)
	select {
	case <-br.Done():
	default:
	}
}

func within(ctx context.Context, process breaker.Interface) {
	br := breaker.WithinCause(ctx, time.Hour, nil, process) // fixed
	fmt.Println("  inside:", br.Err())
}

func watches(process breaker.Interface) {
	br := breaker.Multiplex(breaker.NopCloser(process), breaker.BreakByTimeout(time.Hour), breaker.Any(process)) // fixed
	fmt.Println("  inside:", br.Err())
	any := breaker.Any(process) // fixed
	fmt.Println("  inside:", any.Err())
}

func context_(ctx context.Context) {
	br := breaker.BreakByContext(ctx, nil) // fixed
	fmt.Println("  inside:", br.Err())
	both := breaker.Multiplex(breaker.BreakByContext(ctx, nil), breaker.BreakByDeadline(time.Now().Add(time.Hour))) // fixed
	fmt.Println("  inside:", both.Err())
}

func main() {
	s := &server{quit: breaker.New()}
	s.field()
	fmt.Println("field", s.quit.Err())
	process := breaker.New()
	parameter(process)
	fmt.Println("parameter", process.Err())
	all(process, breaker.New())
	fmt.Println("all", process.Err())
	local()
	ctx, cancel := context.WithCancel(context.Background())
	cancels(ctx, cancel)
	fmt.Println("cancels", ctx.Err())
	cancelsInside(ctx, cancel)
	fmt.Println("cancelsInside", ctx.Err())
	cancel()

	signals()
	self, err := os.FindProcess(os.Getpid())
	fmt.Println("signals", err, self.Signal(syscall.SIGUSR1))
	time.Sleep(50 * time.Millisecond)

	values := make(chan struct{})
	receives(values)
	select {
	case values <- struct{}{}:
		fmt.Println("received")
	case <-time.After(time.Second):
		fmt.Println("nobody receives")
	}

	process = breaker.New()
	watches(process)
	within(context.Background(), process)
	fmt.Println("watches", process.Err())
	ctx, cancel = context.WithCancel(context.Background())
	context_(ctx)
	fmt.Println("context", ctx.Err())
	cancel()
}
