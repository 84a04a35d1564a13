//go:build breaker_explore

package breaker

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamilsk/breaker/internal/explore"
	"github.com/kamilsk/breaker/internal/registry"
)

// FuzzExplore runs programs that are longer, and of more threads, than TestExplore can search: both
// the program and its schedule are decoded from bytes. What must hold is the same.
//
//	go test -tags breaker_explore -run '^$' -fuzz FuzzExplore .
//
// The corpus is in testdata/fuzz.
func FuzzExplore(f *testing.F) {
	f.Add([]byte{0, 2, 0, 8, 8, 9, 0x10, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, lead := decodeProgram(data)
		registry.SetWide(true)
		if got := explore.Lead(p.setup, lead); got.Message != "" {
			t.Fatalf("%s: %s\n%s", p.name, got.Message, strings.Join(got.Trace, "\n"))
		}
	})
}

// decodeProgram returns the program that the bytes begin with, and the rest, which is its schedule.
// The first byte is the beginning, the second the number of threads; then come the operations of
// each, and how many.
func decodeProgram(data []byte) (program, []byte) {
	next := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		x := int(data[0]) % n
		data = data[1:]
		return x
	}
	beginning := next(len(beginnings))
	threads := make([][]op, 2+next(3))
	for i := range threads {
		for range 1 + next(4) {
			threads[i] = append(threads[i], single[next(len(single))]...)
		}
	}
	all := slices.Concat(threads...)
	if slices.Contains(all, "await") {
		threads = append(threads, []op{"TripA"}) // or what would end the wait might come after it
	}
	if beginning < 2 && slices.Contains(all, "stopShared") {
		beginning += 2 // there is something to stop
	}
	return plain(beginning, threads...), data
}
