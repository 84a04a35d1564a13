//go:build unix

package main

import (
	"syscall"

	"github.com/kamilsk/breaker"
)

const interruption = "SIGINT, sent to this very process"

func interruptMyself(*breaker.Breaker) error { return syscall.Kill(syscall.Getpid(), syscall.SIGINT) }
