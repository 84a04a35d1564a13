package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

// The owner of a breaker trips it, with a reason. Whoever works asks between two steps.
func ExampleNew() {
	br := breaker.New()
	defer br.Close()

	budget := 3
	steps := 0
	for br.Err() == nil {
		steps++
		if budget--; budget == 0 {
			br.Trip(errors.New("the budget is spent"))
		}
	}
	fmt.Println(steps, "steps,", br.Err())
	fmt.Println("because", br.Cause())
	// Output:
	// 3 steps, operation interrupted
	// because the budget is spent
}

// A command that runs until it is done, or until someone asks it to end.
func ExampleTerminationSignals() {
	interrupter := breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer interrupter.Close()

	if interrupter.Err() == nil {
		fmt.Println("working")
	}
	// Output: working
}

// Wait for the end, and say why it came.
func ExampleBreaker_Wait() {
	interrupter := breaker.Multiplex(
		breaker.BreakByTimeout(time.Millisecond),
		breaker.BreakBySignal(breaker.TerminationSignals()...),
	)
	fmt.Println(interrupter.Wait())
	// Output: breaker: timed out
}

// To reach everyone who waits, close the channel.
func ExampleBreakByChannel() {
	shutdown := make(chan struct{})
	one := breaker.BreakByChannel(shutdown)
	two := breaker.BreakByChannel(shutdown)
	fmt.Println(one.Err(), two.Err())

	close(shutdown)
	<-one.Done()
	<-two.Done()
	fmt.Println(one.Err(), "and", two.Err())
	// Output:
	// <nil> <nil>
	// operation interrupted and operation interrupted
}

// The breaker takes over the cause of the context. It calls cancel when it is closed, so nothing
// else has to.
func ExampleBreakByContext() {
	br := breaker.BreakByContext(context.WithTimeout(context.Background(), time.Hour))
	br.Close()
	fmt.Println(br.Err(), "because", br.Cause())

	ctx, cancel := context.WithCancelCause(context.Background())
	br = breaker.BreakByContext(ctx, nil)
	cancel(errors.New("the client has gone"))
	fmt.Println(br.Err(), "because", br.Cause())
	fmt.Println(errors.Is(br.Err(), breaker.Interrupted), errors.Is(br.Err(), context.Canceled))
	// Output:
	// operation interrupted: context canceled because breaker: closed
	// operation interrupted: context canceled because the client has gone
	// true true
}

func ExampleBreakByDeadline() {
	br := breaker.BreakByDeadline(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	defer br.Close()

	fmt.Println(br.Err())
	fmt.Println(errors.Is(br.Cause(), context.DeadlineExceeded))
	at, ok := br.Deadline()
	fmt.Println(at, ok)
	// Output:
	// operation interrupted
	// true
	// 2000-01-01 00:00:00 +0000 UTC true
}

// From here on an interrupt doesn't kill the process: it trips the breaker. After Close it kills
// again.
func ExampleBreakBySignal() {
	stop := breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM)
	defer stop.Close()

	select {
	case <-stop.Done():
		var signal breaker.SignalError
		if errors.As(stop.Cause(), &signal) {
			fmt.Println("stopped by", signal.Signal)
		}
	default:
		fmt.Println("nobody has stopped us")
	}
	// Output: nobody has stopped us
}

func ExampleBreakByTimeout() {
	br := breaker.BreakByTimeout(time.Millisecond)
	defer br.Close()

	<-br.Done()
	fmt.Println(br.Err())
	fmt.Println(errors.Is(br.Cause(), context.DeadlineExceeded))
	// Output:
	// operation interrupted
	// true
}

// Whichever comes first. The others are closed with it.
func ExampleMultiplex() {
	owner := breaker.New()
	interrupter := breaker.Multiplex(
		breaker.BreakByTimeout(time.Hour),
		breaker.BreakBySignal(os.Interrupt),
		owner,
	)
	defer interrupter.Close()

	owner.Trip(errors.New("enough"))
	<-interrupter.Done()
	fmt.Println(interrupter.Cause())
	// Output: enough
}

// A request watches the breaker of the whole process, and must not close it.
func ExampleNopCloser() {
	process := breaker.New()
	defer process.Close()

	for request := range 2 {
		br := breaker.Multiplex(
			breaker.NopCloser(process),
			breaker.BreakByTimeout(time.Hour),
		)
		br.Close() // the request has ended
		fmt.Println("request", request, "is over, process:", process.State())
	}
	// Output:
	// request 0 is over, process: open
	// request 1 is over, process: open
}

// Everything else in Go takes a context. It ends with the breaker, for the same reason.
func ExampleToContext() {
	br := breaker.New()
	defer br.Close()

	ctx, cancel := context.WithCancel(breaker.ToContext(br))
	defer cancel()

	br.Trip(errors.New("the leader has changed"))
	<-ctx.Done()
	fmt.Println(ctx.Err())
	fmt.Println(context.Cause(ctx))
	// Output:
	// context canceled
	// the leader has changed
}

// The zero value is an open breaker, so a type may embed one, and thereby is one.
func ExampleBreaker() {
	type worker struct {
		breaker.Breaker
		name string
	}
	w := &worker{name: "worker"}
	w.OnTrip(func() { fmt.Println(w.name, "stops:", w.Cause()) })

	all := breaker.Multiplex(w, breaker.BreakByTimeout(time.Hour))
	defer all.Close()

	w.Trip(errors.New("out of memory"))
	fmt.Println(all.Cause())
	// Output:
	// worker stops: out of memory
	// out of memory
}

// Only one trip counts, however many there are.
func ExampleBreaker_Trip() {
	br := breaker.New()
	fmt.Println(br.Trip(errors.New("first")))
	fmt.Println(br.Trip(errors.New("second")))
	fmt.Println(br.Cause())
	// Output:
	// true
	// false
	// first
}

// Err says that a breaker has tripped, Cause says why.
func ExampleBreaker_Cause() {
	explain := func(br *breaker.Breaker) string {
		var signal breaker.SignalError
		switch cause := br.Cause(); {
		case cause == nil:
			return "still open"
		case errors.As(cause, &signal):
			return "stopped by " + signal.Signal.String()
		case errors.Is(cause, context.DeadlineExceeded):
			return "out of time"
		case errors.Is(cause, breaker.ErrClosed):
			return "closed by its owner"
		default:
			return cause.Error()
		}
	}
	closed := breaker.New()
	closed.Close()

	fmt.Println(explain(breaker.New()))
	fmt.Println(explain(breaker.Multiplex(breaker.New(), breaker.BreakByTimeout(0))))
	fmt.Println(explain(closed))
	// Output:
	// still open
	// out of time
	// closed by its owner
}

// A callback needs no goroutine to wait for the trip, and can be taken back when it no longer
// matters.
func ExampleBreaker_OnTrip() {
	br := breaker.New()

	stop := br.OnTrip(func() { fmt.Println("the first request is interrupted") })
	fmt.Println("the first request has ended in time:", stop())

	br.OnTrip(func() { fmt.Println("the second request is interrupted") })
	br.Close()
	// Output:
	// the first request has ended in time: true
	// the second request is interrupted
}

// A handler that answers with what it has when its time is over: 200 if that is all, 206 if it is a
// part.
func Example_handler() {
	type interruption interface {
		Done() <-chan struct{}
		Err() error
	}
	type shard func(br interruption) (row string, err error)

	search := func(shards ...shard) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			limit, err := time.ParseDuration(r.Header.Get("X-Timeout"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			br := breaker.Multiplex(
				breaker.BreakByTimeout(limit),
				breaker.BreakByContext(r.Context(), nil), // the client may leave
			)
			defer br.Close()

			var rows []string
			for _, ask := range shards {
				row, err := ask(br)
				if err != nil {
					w.WriteHeader(http.StatusPartialContent)
					break
				}
				rows = append(rows, row)
			}
			fmt.Fprint(w, strings.Join(rows, ", "))
		}
	}

	answers := func(row string) shard {
		return func(interruption) (string, error) { return row, nil }
	}
	hangs := func(br interruption) (string, error) {
		<-br.Done()
		return "", br.Err()
	}

	ask := func(handler http.Handler, timeout string) {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("X-Timeout", timeout)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		fmt.Println(response.Code, response.Body)
	}
	ask(search(answers("one"), answers("two"), answers("three")), "1m")
	ask(search(answers("one"), answers("two"), hangs), "1ms")
	// Output:
	// 200 one, two, three
	// 206 one, two
}

// A retry loop takes whatever has Done and Err, and goes on until that says no.
func Example_retry() {
	type interruption interface {
		Done() <-chan struct{}
		Err() error
	}
	retry := func(br interruption, action func() error) error {
		for br.Err() == nil {
			if action() == nil {
				return nil
			}
			select { // a pause that can be interrupted
			case <-br.Done():
			case <-time.After(time.Millisecond):
			}
		}
		return br.Err()
	}

	br := breaker.BreakByTimeout(time.Minute)
	defer br.Close()

	attempts := 0
	err := retry(br, func() error {
		if attempts++; attempts < 3 {
			return errors.New("connection refused")
		}
		return nil
	})
	fmt.Println(attempts, "attempts, error:", err)

	err = retry(br, func() error {
		br.Trip(errors.New("another one was faster")) // the loop has nothing to do with that
		return errors.New("connection refused")
	})
	fmt.Println(err, "because", br.Cause())
	// Output:
	// 3 attempts, error: <nil>
	// operation interrupted because another one was faster
}

// A semaphore waits for a slot, or for the breaker.
func Example_semaphore() {
	type interruption interface {
		Done() <-chan struct{}
		Err() error
	}
	slots := make(chan struct{}, 2)
	acquire := func(br interruption, places int) error {
		for taken := range places {
			select {
			case slots <- struct{}{}:
			case <-br.Done():
				for range taken {
					<-slots
				}
				return br.Err()
			}
		}
		return nil
	}

	patient := breaker.BreakByTimeout(time.Minute)
	defer patient.Close()
	fmt.Println(acquire(patient, 2))

	impatient := breaker.BreakByTimeout(time.Millisecond)
	defer impatient.Close()
	fmt.Println(acquire(impatient, 1))
	// Output:
	// <nil>
	// operation interrupted
}
