// Command profile shows which code forgets Close. It serves some requests, some of which forget
// Close, and writes the profile of the live breakers.
//
//	go run ./examples/profile breaker.pprof
//	go tool pprof -http=: breaker.pprof
package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerprof"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: profile FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves, and writes the profile to the file of that name.
func run(name string) error {
	breakerprof.SetRate(1)
	defer breakerprof.SetRate(0)
	serve()
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	profile := pprof.Lookup(breakerprof.Name)
	if err := profile.WriteTo(f, 0); err != nil {
		_ = f.Close()
		return err
	}
	fmt.Println(profile.Count(), "breakers are alive; to see where they were made: go tool pprof -http=:", name)
	return f.Close()
}

// process is watched by all requests. It retains the requests that aren't closed.
var process = breaker.New()

func serve() {
	for i := range 1000 {
		tidy()
		if i%5 == 0 {
			forgetful()
		}
		if i%20 == 0 {
			retrying()
		}
	}
}

func tidy() {
	br := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.NopCloser(process))
	defer br.Close()
	work(br)
}

// forgetful leaves a timer and a registration behind, for an hour.
func forgetful() {
	//lostclose:ignore it is what the profile is to find
	br := breaker.Multiplex(breaker.BreakByTimeout(time.Hour), breaker.NopCloser(process))
	work(br)
}

// retrying leaves a timer.
func retrying() {
	//lostclose:ignore it is what the profile is to find
	br := breaker.BreakByDeadline(time.Now().Add(time.Hour))
	work(br)
}

func work(br breaker.Interface) { _ = br.Err() }
