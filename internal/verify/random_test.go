package verify

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// weights are how often each operation is chosen: without breakers to work on there is nothing to
// see, and one that ends everything early hides the rest.
var weights = map[operation]int{
	opNew: 2, opTimeout: 2, opDeadline: 1, opChannel: 3, opContextBreaker: 3, opMultiplex: 5, opContext: 4,
	opTrip: 2, opClose: 1, opOnTrip: 4, opStop: 1, opSend: 1, opCloseChannel: 1, opCancel: 1, opSleep: 2, opAsk: 1, opReveal: 1,
	opAny: 3, opWithin: 4, opTimeoutCause: 1, opIdle: 2, opTouch: 2, opReset: 1,
}

var chosen = func() (all []operation) {
	for op := range operations {
		for range weights[op] {
			all = append(all, op)
		}
	}
	return all
}()

// commands draws one command. All of it is drawn before the program runs: what is drawn inside a
// bubble would be drawn by another goroutine than the one that rapid watches.
var commands = rapid.Custom(func(t *rapid.T) command {
	c := command{op: rapid.SampledFrom(chosen).Draw(t, "op")}
	for i := range c.x {
		c.x[i] = rapid.Byte().Draw(t, "x")
	}
	return c
})

// Promises 1 to 11 and 13 to 16, for whatever can be built from the whole API: after every command
// of a random program, all that can be observed is what the model says.
func TestRandom_Programs(t *testing.T) {
	idle := 0
	for range 10 { // until whatever earlier tests left has been put away
		runtime.GC()
		require.NoError(t, run(t, nil, &idle))
	}
	rapid.Check(t, func(r *rapid.T) {
		var program []command
		for range 6 { // of a handful each: a single slice would be that short on average
			program = append(program, rapid.SliceOf(commands).Draw(r, "commands")...)
		}
		if err := run(t, program, &idle); err != nil {
			r.Fatal(err)
		}
	})
}
