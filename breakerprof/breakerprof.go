package breakerprof

import (
	"runtime/pprof"
	"sync"

	"github.com/kamilsk/breaker/internal/census"
)

// Name is the profile's.
const Name = "breaker"

// profile is made when it is first needed, so that a program that never asks for it doesn't list
// it.
var profile = sync.OnceValue(func() *pprof.Profile { return pprof.NewProfile(Name) })

// SetRate records one of rate breakers made from now on, chosen at random; 0 or less records none.
// It returns the rate before. What has been recorded stays until it is closed, or collected.
// SetRate may be called concurrently.
//
// Each breaker has the chance 1/rate, independently of the others. So a count c of the profile
// stands for about c*rate breakers, give or take 2*rate*sqrt(c).
func SetRate(rate int) (before int) {
	if rate <= 0 {
		return census.Sample(0, nil)
	}
	return census.Sample(rate, profile())
}
