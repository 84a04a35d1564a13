// Command cluster stops a job on every node at once: the nodes are processes, and what connects
// them is a NATS cluster that loses a server on the way.
//
//	go run ./examples/cluster                               # starts three servers of its own
//	go run ./examples/cluster -url nats://127.0.0.1:4222    # uses yours, with JetStream
//
// Servers and workers are this program again, each in a process of its own.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
)

// asRole is the environment variable that tells a process of ours what it is.
const asRole = "BREAKERNATS_EXAMPLE_ROLE"

// roles are what a process can be, apart from the one that the user has started. They read commands
// and write events, and end when their input does, so nothing is left if that one dies.
var roles = map[string]func(in io.Reader, out io.Writer) error{"server": serve, "worker": work}

// patience bounds the whole demonstration. It takes some 10 s, most of it the election of a leader.
const patience = 2 * time.Minute

func main() {
	if role, ok := roles[os.Getenv(asRole)]; ok {
		exitOn(role(os.Stdin, os.Stdout))
		return
	}
	url := flag.String("url", "", "use the server, or the cluster, at this `address`")
	workers := flag.Int("workers", 8, "how `many` processes work on the job")
	flag.Parse()
	if *workers < 2 {
		fmt.Fprintln(os.Stderr, "cluster: -workers has to be at least 2")
		os.Exit(2)
	}
	br := breaker.Multiplex(breaker.BreakByTimeout(patience), breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM))
	defer br.Close()
	exitOn(demonstrate(breaker.ToContext(br), os.Stdout, *url, *workers))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
