package breakerprof

import (
	"runtime/pprof"
	"sync"

	"github.com/kamilsk/breaker/internal/census"
)

// Name is the name of the profile.
const Name = "breaker"

// profile is made at its first use. A program that never uses it doesn't list it.
var profile = sync.OnceValue(func() *pprof.Profile { return pprof.NewProfile(Name) })

// SetRate records one of rate breakers made from now on, chosen at random. With 0 or less it
// records none. It returns the previous rate. A recorded breaker stays in the profile until it is
// closed or garbage collected. SetRate may be called concurrently.
//
// Each breaker has the chance 1/rate, independently of the others. So a count c in the profile
// stands for about c*rate breakers, plus or minus 2*rate*sqrt(c).
func SetRate(rate int) (before int) {
	if rate <= 0 {
		return census.Sample(0, nil)
	}
	return census.Sample(rate, profile())
}
