package breakerrun_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
	"github.com/kamilsk/breaker/breakerrun"
)

// A service: a public server, a worker behind it, and an admin server that stays up until both are
// done.
func Example() {
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		return listener
	}
	publicListener, adminListener := listen(), listen()
	public := &http.Server{Handler: http.NotFoundHandler()}
	admin := &http.Server{Handler: http.NotFoundHandler()}

	stop := breaker.New() // in a service: breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer stop.Close()
	err := breakerrun.Run(stop,
		breakerrun.Readiness("readiness", func(ready bool) {
			fmt.Println("ready:", ready)
			if ready {
				stop.Close() // the signal
			}
		}, 10*time.Millisecond),
		breakerrun.Server("public", func(stop, cut breaker.Interface) error {
			defer fmt.Println("public server is done")
			return breakerhttp.Serve(public, publicListener, stop, breakerhttp.WithCut(cut))
		}),
		breakerrun.Worker("mailer", func(stop, cut breaker.Interface) error {
			<-stop.Done() // takes jobs until then; works on them with breaker.ToContext(cut)
			fmt.Println("mailer is done")
			return nil
		}),
		breakerrun.Graceful("admin",
			func() error { return admin.Serve(adminListener) },
			func(ctx context.Context) error {
				fmt.Println("admin drains")
				return admin.Shutdown(ctx)
			},
			admin.Close,
			breakerrun.WithStage(breakerrun.Admin), breakerrun.WithLimit(time.Second)),
	)
	fmt.Println("error:", err)
	// Output:
	// ready: true
	// ready: false
	// public server is done
	// mailer is done
	// admin drains
	// error: <nil>
}

// The first part that fails stops the others, which learn why.
func ExampleRun() {
	stop := breaker.New()
	defer stop.Close()
	err := breakerrun.Run(stop,
		breakerrun.Worker("importer", func(_, _ breaker.Interface) error {
			return errors.New("no such table")
		}),
		breakerrun.Worker("mailer", func(stop, _ breaker.Interface) error {
			<-stop.Done()
			fmt.Println("mailer:", stop.Cause())
			return stop.Err() // no error: it was told to
		}),
	)
	fmt.Println(err)
	// Output:
	// mailer: breakerrun: a part has failed: importer: failed: no such table
	// breakerrun: importer: failed: no such table
}

// Tight limits, and a part that ignores them all: Run returns, and says so.
func ExampleNew() {
	letGo := make(chan struct{})
	defer close(letGo)
	stop := breaker.New()
	stop.Close()
	r := breakerrun.New(
		breakerrun.WithGrace(20*time.Millisecond),
		breakerrun.WithCutTimeout(500*time.Millisecond),
	)
	err := r.Run(stop,
		breakerrun.Server("slow", func(_, cut breaker.Interface) error { <-cut.Done(); return cut.Err() }),
		breakerrun.Worker("deaf", func(_, _ breaker.Interface) error { <-letGo; return nil }),
	)
	var errs breakerrun.Errors
	if errors.As(err, &errs) {
		for _, part := range errs {
			fmt.Println(part.Part, part.Outcome, errors.Is(part, context.DeadlineExceeded))
		}
	}
	// Output:
	// slow cut true
	// deaf abandoned true
}

// A part that has done its work ends the program.
func ExampleWorker() {
	stop := breaker.New()
	defer stop.Close()
	fmt.Println(breakerrun.Run(stop,
		breakerrun.Worker("import", func(_, _ breaker.Interface) error {
			fmt.Println("imported")
			return breakerrun.StopAll
		}),
		breakerrun.Worker("progress", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil }),
	))
	// Output:
	// imported
	// <nil>
}

func ExampleWithSignals() {
	r := breakerrun.New(
		breakerrun.WithSignals(os.Interrupt, syscall.SIGQUIT), // cut by these
		breakerrun.WithSignalGap(2*time.Second),
	)
	stop := breaker.BreakBySignal(os.Interrupt)
	defer stop.Close()
	fmt.Println(r.Run(stop, breakerrun.Worker("nothing", func(_, _ breaker.Interface) error { return nil })))
	// Output: <nil>
}

func ExampleWithCut() {
	deadline := breaker.BreakByTimeout(25 * time.Second) // of the process, whatever it does
	defer deadline.Close()
	stop := breaker.New()
	stop.Close()
	fmt.Println(breakerrun.New(breakerrun.WithCut(deadline)).Run(stop,
		breakerrun.Worker("worker", func(stop, _ breaker.Interface) error { <-stop.Done(); return nil })))
	// Output: <nil>
}
