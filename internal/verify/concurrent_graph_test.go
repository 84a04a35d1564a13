package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kamilsk/breaker"
)

// promise 18 when several breakers of a graph trip at the same time: a callback finds closed all
// that depends on its breaker, also what another goroutine is just tripping. It isn't asked for
// what such a dependent owns, which that other goroutine may still be about to close.
func TestConcurrentGraph_ConcurrentGraphs(t *testing.T) {
	for n := range setting("BREAKER_PROGRAMS", 1_000) {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		size := 2 + random.IntN(12)
		all := make([]*breaker.Breaker, size)
		follows := make([][]int, size)
		var log []string
		for i := range all {
			var args []breaker.Interface
			line := fmt.Sprintf("b%d := ", i)
			owner := random.IntN(2) == 0
			how, behind, names := random.IntN(4), -1, ""
			for range random.IntN(3) {
				if i == 0 {
					break
				}
				parent := random.IntN(i)
				follows[parent] = append(follows[parent], i)
				if owner && random.IntN(2) == 0 {
					args, names = append(args, all[parent]), names+fmt.Sprintf(" b%d", parent)
					continue
				}
				behind = parent
				args, names = append(args, breaker.NopCloser(all[parent])), names+fmt.Sprintf(" NopCloser(b%d)", parent)
			}
			switch {
			case len(args) == 0:
				all[i] = breaker.New()
				line += "New()"
			case owner || how == 0:
				all[i] = breaker.Multiplex(args...)
				line += "Multiplex" + names
			case how == 1:
				all[i] = breaker.Any(args...)
				line += "Any" + names
			case how == 2:
				all[i] = breaker.Within(context.Background(), time.Hour, args...)
				line += "Within" + names
			default:
				all[i] = breaker.Within(breaker.ToContext(all[behind]), time.Hour, args...)
				line += fmt.Sprintf("Within the context of b%d,%s", behind, names)
			}
			log = append(log, line)
		}
		var mu sync.Mutex
		var problems []string
		for i, br := range all {
			after := reach(follows, i)
			br.OnTrip(func() {
				for _, j := range after {
					if all[j].Err() == nil {
						mu.Lock()
						problems = append(problems, fmt.Sprintf("promise 18: in a callback of b%d: b%d is open", i, j))
						mu.Unlock()
					}
				}
			})
		}
		const tripping = 3
		start := newGate(tripping)
		var group sync.WaitGroup
		for range tripping {
			br := all[random.IntN(size)]
			group.Go(func() {
				start.pass()
				br.Trip(numbered(1))
			})
		}
		group.Wait()
		for _, br := range all {
			br.Close()
			br.AwaitClosed()
		}
		if len(problems) > 0 {
			t.Fatalf("%s\nin graph %d\n\t%s", strings.Join(problems, "\n"), n, strings.Join(log, "\n\t"))
		}
	}
}

// reach returns what follows from a vertex, at any depth.
func reach(follows [][]int, from int) (all []int) {
	seen := make([]bool, len(follows))
	for todo := []int{from}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[i] {
			seen[i] = true
			all = append(all, i)
			todo = append(todo, follows[i]...)
		}
	}
	return all
}
