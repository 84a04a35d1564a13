package main

import (
	"os"

	"github.com/kamilsk/breaker/internal/breakit"
)

func main() { os.Exit(breakit.Main(os.Args[1:], breakit.Extension{})) }
