package main

import (
	"runtime"
	"strings"
)

// goroutines counts goroutines by who started them.
type goroutines struct{ http, program, signal, breaker int }

func countGoroutines() (g goroutines) {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) { // it may have been cut off
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	for stack := range strings.SplitSeq(string(stacks[:n]), "\n\n") {
		_, creator, _ := strings.Cut(stack, "\ncreated by ") // not there for the one that runs main
		switch {
		case strings.HasPrefix(creator, "net"):
			g.http++
		case strings.HasPrefix(creator, "os/signal."):
			g.signal++
		case strings.HasPrefix(creator, "github.com/kamilsk/breaker."):
			g.breaker++
		default:
			g.program++
		}
	}
	return g
}
