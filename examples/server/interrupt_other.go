//go:build !unix

package main

import (
	"os"

	"github.com/kamilsk/breaker"
)

const interruption = "an interrupt, but not a real one: on this system a process can't signal itself, so its breaker is tripped by hand"

// interruptMyself does what a Ctrl-C would lead to: Windows sends that to everything on the same console.
func interruptMyself(process *breaker.Breaker) error {
	process.Trip(breaker.SignalError{Signal: os.Interrupt})
	return nil
}
