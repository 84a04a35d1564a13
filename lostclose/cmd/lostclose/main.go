// Command lostclose looks for breakers that are never closed. Run it by itself or as a tool of go
// vet:
//
//	lostclose ./...
//	go vet -vettool=$(which lostclose) ./...
//
// By itself it also applies what it suggests, with -fix. It exits with 3 if it has found something,
// go vet with 1.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/kamilsk/breaker/lostclose"
)

// singlechecker also speaks the protocol of go vet: -V=full, -flags, and one .cfg file for each
// package.
func main() { singlechecker.Main(lostclose.Analyzer) }
