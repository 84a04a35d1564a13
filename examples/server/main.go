// Command server is an HTTP server with time limits and a graceful shutdown, and a client that
// shows them. With -addr, it serves.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

func main() {
	addr := flag.String("addr", "", "serve there until Ctrl-C, instead of the demonstration")
	flag.Parse()
	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer stop.Close()
	limited := breakerhttp.Handler(http.HandlerFunc(work), breakerhttp.WithLimit(400*time.Millisecond))
	server := &http.Server{Addr: *addr, Handler: limited}
	if *addr == "" {
		server.Addr = "127.0.0.1:0"
		server.BaseContext = func(l net.Listener) context.Context {
			go demonstrate("http://"+l.Addr().String(), stop)
			return context.Background()
		}
	}
	// Drains for 10 seconds, then cuts, and reports how many requests were cut.
	err := breakerhttp.ListenAndServe(server, stop)
	fmt.Printf("Serve was stopped by %v and returned %v\n", stop.Cause(), err)
}

// work returns a partial result when time runs out. The status and the length aren't known before,
// so it sends them then.
func work(w http.ResponseWriter, r *http.Request) {
	for n := range 10 {
		select {
		case <-time.After(50 * time.Millisecond): // stands for a row of a query, a page of a report
		case <-r.Context().Done():
			fmt.Fprintf(w, "%d of 10 steps: %v", n, context.Cause(r.Context()))
			return
		}
	}
}

func demonstrate(url string, stop *breaker.Breaker) {
	fmt.Print("Package context would say \"deadline exceeded\" three times, and cancel the last request at the signal.\n\n")
	get(url, "120ms")
	get(url, "1h")
	get(url, "0s")
	time.AfterFunc(100*time.Millisecond, func() {
		fmt.Println("                  SIGINT, while a request is in flight:")
		// can't be done on Windows.
		if self, _ := os.FindProcess(os.Getpid()); self.Signal(os.Interrupt) != nil {
			stop.Trip(breaker.SignalError{Signal: os.Interrupt})
		}
	})
	get(url, "1h")
}

func get(url, timeout string) {
	r, _ := http.NewRequest(http.MethodGet, url, nil) // the URL is a listener's
	r.Header.Set("X-Timeout", timeout)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body) // a few bytes, from this very process
	fmt.Printf("X-Timeout: %-6s %d %s\n", timeout, response.StatusCode, bytes.TrimSpace(body))
}
