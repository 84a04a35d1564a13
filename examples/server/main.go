// Command server is an HTTP server whose every request can be interrupted: by its own timeout, by its client, or by a
// signal to the process, whichever comes first.
//
//	go run ./examples/server                        # drives itself and shows what happens
//	go run ./examples/server -addr 127.0.0.1:8080   # serves until Ctrl-C, for curl
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

const (
	defaultPace = 5 * time.Millisecond
	grace       = 3 * time.Second // what a shutdown may take
)

func main() {
	addr := flag.String("addr", "", "only serve on this `address`, until Ctrl-C")
	pace := flag.Duration("pace", defaultPace, fmt.Sprintf("with -addr: the `time` that each of the %d chunks takes", chunks))
	flag.Parse()
	if *pace <= 0 {
		fmt.Fprintln(os.Stderr, "server: -pace has to be more than 0")
		os.Exit(2)
	}

	var err error
	if *addr == "" {
		err = demonstrate(os.Stdout)
	} else {
		err = listenAndServe(*addr, *pace, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// listenAndServe is the program with -addr.
func listenAndServe(addr string, pace time.Duration, out io.Writer) error {
	process := breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM)
	defer process.Close()

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `Serving on http://%s until Ctrl-C. The work takes %v, -pace changes that. Try:

  curl -sD - -o body -H 'X-Timeout: 1m' http://%[1]s          # 200; 206 if Ctrl-C comes first
  curl -sD - -o body http://%[1]s                             # 206, after %[3]v
  curl -m 0.1 -o body -H 'X-Timeout: 1m' http://%[1]s         # hangs up: see the log

`, listener.Addr(), chunks*pace, defaultTimeout)
	printHead(out)
	handler := stream{process: process, pace: pace, log: func(o outcome) { printRows(out, o) }}
	err = serve(listener, handler, process, func() {
		fmt.Fprintf(out, "\n%v: ending within %v, on a second one at once\n", process.Cause(), grace)
	})
	if err == nil {
		fmt.Fprintln(out, "no request was cut off")
	}
	return err
}

// serve answers requests until the process breaker trips, then ends what is left. The error is nil if that was a
// signal, and all requests have been answered.
func serve(listener net.Listener, handler http.Handler, process *breaker.Breaker, onSignal func()) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { process.Trip(server.Serve(listener)) }() // a listener that fails is one more reason to end

	<-process.Done()

	// One arrival never trips a breaker made after it: this one waits for the second Ctrl-C. (One that comes even
	// before this has its default effect, and ends the process as well.)
	patience := breaker.Multiplex(
		breaker.BreakByTimeout(grace),
		breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM),
	)
	defer patience.Close()
	onSignal()
	err := shutdown(server, patience)

	if cause := process.Cause(); !errors.As(cause, new(breaker.SignalError)) {
		return cause
	}
	return err
}

// shutdown lets the requests in flight end, as long as the patience lasts.
//
// They watch the process breaker, so each of them is writing what it has at this moment, and the wait is short. But
// it is no shorter than the slowest of them: a handler that doesn't look at its breaker, or a client that doesn't read, would
// keep the process for ever if Shutdown weren't given a limit.
func shutdown(server *http.Server, patience *breaker.Breaker) error {
	err := server.Shutdown(breaker.ToContext(patience))
	if err == nil {
		return nil
	}
	_ = server.Close() // its error would say no more than that there was somebody to cut off
	if cause := patience.Cause(); cause != nil {
		err = cause
	}
	return fmt.Errorf("requests were cut off: %w", err)
}
