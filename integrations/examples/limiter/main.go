// Command limiter shows a rate limiter with a breaker in it: thousands of requests wait for their
// turn, each with a time limit of its own, and one trip wakes them all. It compares what that costs
// with the same limiter over package context.
//
//	go run ./examples/limiter
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/kamilsk/breaker"
)

const (
	every = 10 * time.Second // one permission
	// The time limit of a request: longer than anyone would have to wait.
	patient = 10_000 * time.Hour
)

var errShutdown = errors.New("the server shuts down")

func main() {
	waiters := flag.Int("n", 10_000, "how `many` requests wait, 1 to 1000000")
	flag.Parse()
	if *waiters < 1 || *waiters > 1_000_000 {
		fmt.Fprintln(os.Stderr, "limiter: -n has to be from 1 to 1000000")
		os.Exit(2)
	}
	if err := run(os.Stdout, *waiters); err != nil {
		fmt.Fprintln(os.Stderr, "limiter:", err)
		os.Exit(1)
	}
}

const (
	head = "%-34s %7s %12s %7s %11s %11s\n"
	row  = "%-34s %7d %12.2f %7.0f %8.2f µs %8.2f µs\n"
)

// run measures all variants and prints a table.
func run(out io.Writer, waiters int) error {
	fmt.Fprintf(out, "%d requests wait for a limiter, each with a time limit. One trip wakes them all.\n\n", waiters)
	fmt.Fprintf(out, head, "EACH REQUEST", "WOKEN", "GOROUTINES*", "BYTES*", "TO BEGIN*", "TO WAKE*")
	// The first one pays for goroutines that the others use again.
	measure(variants[0].make(), waiters)
	for _, v := range variants {
		r := measure(v.make(), waiters)
		if r.woken != waiters {
			return fmt.Errorf("%s: %d of %d woke with the cause", v.name, r.woken, waiters)
		}
		each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(waiters) }
		fmt.Fprintf(out, row, v.name, r.woken, r.goroutines, r.bytes, each(r.begin), each(r.wake))
	}
	fmt.Fprintln(out, "\n* for each request: goroutines besides its own, and bytes of the heap, while all wait")
	return nil
}

// variants are ways to write the limiter and its requests.
var variants = []struct {
	name string
	make func() *scene
}{
	{"breaker: waits for both", overBreaker((*Limiter).Wait)},
	{"context: waits for both", overContext((*contextLimiter).wait)},
	{"breaker: merges, by Multiplex", overBreaker((*Limiter).waitMerged)},
	{"context: merges, by AfterFunc", overContext((*contextLimiter).waitMerged)},
	{"context: merges, by a goroutine", overContext((*contextLimiter).waitMergedByGoroutine)},
}

func overBreaker(wait func(*Limiter, breaker.Interface) error) func() *scene {
	return func() *scene {
		limiter := NewLimiter(rate.Every(every), 1)
		return &scene{
			rate: limiter.rate,
			trip: func() { limiter.Trip(errShutdown) },
			wait: func() error {
				request := breaker.BreakByTimeout(patient)
				defer request.Close()
				return wait(limiter, request)
			},
		}
	}
}

func overContext(wait func(*contextLimiter, context.Context) error) func() *scene {
	return func() *scene {
		life, cancel := context.WithCancelCause(context.Background())
		limiter := &contextLimiter{life, rate.NewLimiter(rate.Every(every), 1)}
		return &scene{
			rate: limiter.rate,
			trip: func() { cancel(errShutdown) },
			wait: func() error {
				request, cancel := context.WithTimeout(context.Background(), patient)
				defer cancel()
				return wait(limiter, request)
			},
		}
	}
}
