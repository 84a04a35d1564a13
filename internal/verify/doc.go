// Package verify holds the proofs of package breaker that need more than its own dependencies:
// random programs against a model, linearizability of recorded histories, what code written for
// package context expects, and real consumers. It is a module of its own, so that none of this
// reaches importers of the library.
//
//	go test ./...
//
// runs 1,000 programs and graphs, and 500 histories of each kind. For more of the former, of the
// latter, and for programs decoded from bytes, guided by coverage:
//
//	BREAKER_PROGRAMS=100000 go test -run Random ./...
//	BREAKER_HISTORIES=20000 go test -run Linear ./...
//	go test -run '^$' -fuzz FuzzProgram ./...
package verify
