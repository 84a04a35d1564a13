// Package copylocks copies breakers in each of the ways that go vet knows. It is only ever vetted.
package copylocks

import "github.com/kamilsk/breaker"

type limiter struct {
	breaker.Breaker
}

func byAssignment(br *breaker.Breaker) {
	another := *br
	another.Close()
}

func byValue(br breaker.Breaker) { br.Close() }

func embedded(l limiter) { l.Close() }
