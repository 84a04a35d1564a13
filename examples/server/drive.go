package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

// driveLimit bounds what comes before the shutdown: with grace, the program ends within 10 seconds, whatever happens.
const driveLimit = 6 * time.Second

// demonstrate is the program without -addr: a server, and clients that show what it does.
func demonstrate(out io.Writer) error {
	process := breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM)
	defer process.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d := newDriver(out, "http://"+listener.Addr().String(), process)
	ended := make(chan error, 1)
	go func() { ended <- serve(listener, d, process, func() {}) }()

	failure := d.drive()
	if failure != nil {
		process.Trip(failure) // or nothing would end the server
	}
	if err := <-ended; err != nil || failure != nil {
		return err
	}
	d.conclude()
	return nil
}

// driver is the clients' side, and sits before the handler to see requests arrive.
type driver struct {
	out     io.Writer
	url     string
	process *breaker.Breaker
	handler stream
	client  *http.Client

	arrived chan struct{} // one for each request that has reached the server
	hungUp  chan outcome  // what the server says of a request whose client is gone

	before, during goroutines
}

func newDriver(out io.Writer, url string, process *breaker.Breaker) *driver {
	d := &driver{
		out:     out,
		url:     url,
		process: process,
		// Without idle connections the goroutines of net/http are easily told: they come and go with the requests.
		client:  &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		arrived: make(chan struct{}),
		hungUp:  make(chan outcome, 1),
	}
	d.handler = stream{process: process, pace: defaultPace, log: func(o outcome) {
		if o.cause != byClient {
			return
		}
		select {
		case d.hungUp <- o:
		default: // a request that isn't ours
		}
	}}
	return d
}

func (d *driver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case d.arrived <- struct{}{}:
	case <-d.process.Done(): // nobody counts any more
	case <-r.Context().Done():
	}
	d.handler.ServeHTTP(w, r)
}

// drive sends requests, and an interrupt in the end.
func (d *driver) drive() error {
	limit := breaker.BreakByTimeout(driveLimit)
	defer limit.Close()
	ctx := breaker.ToContext(limit)

	fmt.Fprintf(d.out, "A request wants %d chunks of %d bytes; one is made every %v, all of them take %v.\n",
		chunks, chunkSize, defaultPace, chunks*defaultPace)
	fmt.Fprintf(d.out, "With the header %s it says how long it may take.\n\n", timeoutHeader)
	printHead(d.out)
	d.before = countGoroutines()
	for _, step := range []func(context.Context) error{
		d.one("5s"), d.one("150ms"), d.one(""), d.one("1ns"), d.one("-5ms"), d.one("soon"),
		d.leaving, d.crowd, d.interrupted,
	} {
		if d.process.Err() != nil {
			return d.process.Cause() // somebody's Ctrl-C: the server is going away
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// one sends one request.
func (d *driver) one(timeout string) func(context.Context) error {
	return func(ctx context.Context) error {
		printRows(d.out, d.start(ctx, timeout)()...)
		return nil
	}
}

// leaving sends a request whose client hangs up.
func (d *driver) leaving(ctx context.Context) error {
	impatient := breaker.Multiplex(breaker.BreakByTimeout(50*time.Millisecond), breaker.BreakByContext(ctx, nil))
	defer impatient.Close()
	d.start(breaker.ToContext(impatient), "5s")()

	select {
	case o := <-d.hungUp:
		o.request += ", client leaves at 50ms"
		o.note = "nobody is left to get it; this is what the server's log says"
		printRows(d.out, o)
	case <-d.process.Done():
	case <-ctx.Done():
	}
	return nil
}

// crowd sends 200 requests at once, and counts goroutines while they are in flight.
func (d *driver) crowd(ctx context.Context) error {
	fmt.Fprintln(d.out, "\n200 requests at once (the time includes connecting):")
	wait := d.start(ctx, slices.Repeat([]string{"150ms", "5s"}, 100)...)
	d.during = countGoroutines()
	printRows(d.out, wait()...)
	return nil
}

// interrupted sends requests, and interrupts the process while they are in flight.
func (d *driver) interrupted(ctx context.Context) error {
	wait := d.start(ctx, slices.Repeat([]string{"1m"}, 20)...)
	<-breaker.BreakByTimeout(100 * time.Millisecond).Done() // some chunks later
	fmt.Fprintf(d.out, "\n20 requests in flight, then %s:\n", interruption)
	if err := interruptMyself(d.process); err != nil {
		return err
	}
	printRows(d.out, wait()...)
	select {
	case <-d.process.Done():
		return nil
	case <-ctx.Done():
		return errors.New("the interrupt hasn't arrived")
	}
}

// start sends a request with each of the timeouts, waits until all have arrived, and returns a function that waits
// until all have ended.
func (d *driver) start(ctx context.Context, timeouts ...string) (wait func() []outcome) {
	outcomes := make(chan outcome, len(timeouts))
	for _, timeout := range timeouts {
		go func() { outcomes <- d.send(ctx, timeout) }()
	}
	for range timeouts {
		select {
		case <-d.arrived:
		case <-d.process.Done(): // the others won't get in
		case <-ctx.Done():
		}
	}
	return func() []outcome {
		all := make([]outcome, len(timeouts))
		for i := range all {
			all[i] = <-outcomes
		}
		return all
	}
}

// send sends a request and returns what came back.
func (d *driver) send(ctx context.Context, timeout string) (o outcome) {
	started := time.Now()
	defer func() { o.took = time.Since(started) }()

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return outcome{note: err.Error()}
	}
	if timeout != "" {
		r.Header.Set(timeoutHeader, timeout)
	}
	o.request = describe(r)
	response, err := d.client.Do(r)
	if err != nil {
		o.note = err.Error()
		return o
	}
	defer response.Body.Close()
	o.status, o.cause = response.StatusCode, response.Header.Get(causeHeader)
	body, err := io.ReadAll(response.Body)
	o.bytes = len(body)
	if err != nil {
		o.note = err.Error()
	} else if o.status == http.StatusBadRequest {
		o.note = strings.TrimSpace(string(body))
	}
	return o
}

// conclude shows the goroutines that there were.
func (d *driver) conclude() {
	limit := breaker.BreakByTimeout(time.Second)
	defer limit.Close()
	after := countGoroutines()
	for after.http+after.breaker > 0 && limit.Err() == nil { // what has been told to end does so in its own time
		runtime.Gosched()
		after = countGoroutines()
	}
	fmt.Fprintf(d.out, "\nThe server has shut down, no request was cut off.\n\n")

	const row = "%-40s %10v %14v %14v\n"
	fmt.Fprintf(d.out, row, "GOROUTINES", "AT FIRST", "WITH THE 200", "IN THE END")
	fmt.Fprintf(d.out, row, "net/http's own", d.before.http, d.during.http, after.http)
	fmt.Fprintf(d.out, row, "this program's: server, clients", d.before.program, d.during.program, after.program)
	fmt.Fprintf(d.out, row, "os/signal's own", d.before.signal, d.during.signal, after.signal)
	fmt.Fprintf(d.out, row, "breaker's: for SIGINT, for SIGTERM", d.before.breaker, d.during.breaker, after.breaker)
}
