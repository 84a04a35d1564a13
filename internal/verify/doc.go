// Package verify holds the proofs of package breaker that need more than its own dependencies: random programs
// against a model, linearizability of recorded histories, what code written for package context expects, and real
// consumers. It is a module of its own, so that none of this reaches those who import the library.
//
//	go test ./...                                       1,000 programs and graphs, 500 histories of each kind
//	BREAKER_PROGRAMS=100000 go test -run Random ./...   as many programs as one likes; also -rapid.checks
//	BREAKER_HISTORIES=20000 go test -run Linear ./...   as many histories
//	go test -run '^$' -fuzz FuzzProgram ./...           programs decoded from bytes, guided by coverage
package verify
