// Command run starts an HTTP server and a worker, and shuts them down stage by stage: the server
// first, then the worker, which still has the server's last job to do.
//
//	go run ./examples/run
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
	"github.com/kamilsk/breaker/breakerrun"
)

func main() {
	stop := breaker.BreakBySignal(breaker.TerminationSignals()...)
	defer stop.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}

	jobs := make(chan string, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop.Close()                       // in life, a signal
		time.Sleep(100 * time.Millisecond) // stands for work, during which the shutdown begins
		jobs <- "a job from " + r.URL.Path
	})}

	answered := make(chan struct{})
	go func() {
		defer close(answered)
		response, err := http.Get("http://" + listener.Addr().String() + "/last")
		if err != nil {
			log.Fatal(err)
		}
		_ = response.Body.Close()
		fmt.Println("client: ", response.Status)
	}()

	err = breakerrun.Run(stop,
		breakerrun.Server("http", func(stop, cut breaker.Interface) error {
			defer fmt.Println("server:  drained")
			return breakerhttp.Serve(server, listener, stop, breakerhttp.WithCut(cut))
		}),
		breakerrun.Worker("worker", func(stop, cut breaker.Interface) error {
			<-stop.Done() // trips when the server has drained
			fmt.Println("worker: ", <-jobs)
			return nil
		}),
	)
	<-answered
	fmt.Println("Run returned", err)
}
