// Package containers keeps breakers under other names: variables, structs, slices, arrays, maps.
package containers

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

type job struct {
	br   breaker.Interface
	name string
}

type embedding struct {
	*breaker.Breaker
	name string
}

type box[T any] struct{ v T }

func (b *box[T]) get() T { return b.v }

func busy() bool { return false }

func alias() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	other := br
	fmt.Println(other.Err())
}

func aliasClosedOnOnePath() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	var other breaker.Interface = br
	if busy() {
		other.Close()
	}
}

func inAStruct() {
	j := job{br: breaker.BreakByTimeout(time.Hour), name: "a"} // want `made by breaker.BreakByTimeout is only watched`
	fmt.Println(j.name, j.br.Err())
}

func inAStructByPosition() error {
	j := &job{breaker.BreakByTimeout(time.Hour), "a"} // want `not closed on every path: the return on line`
	if busy() {
		return j.br.Err()
	}
	j.br.Close()
	return nil
}

func inAField() {
	var j job
	j.br = breaker.BreakByTimeout(time.Hour) // want `made by breaker.BreakByTimeout is only watched`
	fmt.Println(j.name, j.br.Err())
}

func embedded() {
	e := embedding{Breaker: breaker.BreakByTimeout(time.Hour)} // want `made by breaker.BreakByTimeout is only watched`
	fmt.Println(e.name, e.Err())
}

func generic() {
	b := box[*breaker.Breaker]{breaker.BreakByTimeout(time.Hour)} // want `made by breaker.BreakByTimeout is only watched`
	fmt.Println(b.v.Err())
}

func inASlice(n int) {
	var all []breaker.Interface
	for range n {
		all = append(all, breaker.BreakByTimeout(time.Hour)) // want `made by breaker.BreakByTimeout is only watched`
	}
	for _, br := range all {
		fmt.Println(br.Err())
	}
	fmt.Println(len(all), all[0].Err())
}

func inAMap() {
	m := map[string]breaker.Interface{}
	m["a"] = breaker.BreakByTimeout(time.Hour)                                      // want `made by breaker.BreakByTimeout is only watched`
	other := map[string]breaker.Interface{"b": breaker.BreakBySignal(os.Interrupt)} // want `made by breaker.BreakBySignal is only watched`
	fmt.Println(m["a"].Err(), other["b"].Err())
}

func inAnArray() {
	pair := [2]*breaker.Breaker{breaker.BreakByTimeout(time.Hour), breaker.New()} // want `made by breaker.BreakByTimeout is only watched`
	fmt.Println(pair[0].Err())
}

func printed() {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	log.Print(br)
	log.Printf("%v", br)
	fmt.Fprintln(os.Stderr, br)
	slog.Info("made", "breaker", br)
	slog.New(slog.NewTextHandler(io.Discard, nil)).Info("made", "breaker", br)
	println(br)
}

func onlyBorrowed(ctx context.Context) {
	br := breaker.BreakByTimeout(time.Hour) // want `br is not closed on every path`
	any := breaker.Any(br, breaker.New())
	defer any.Close()
	request := breaker.Within(ctx, time.Minute, br)
	defer request.Close()
}

func newConstructors(ctx context.Context, at time.Time) {
	breaker.Any(breaker.New())                  // want `made by breaker.Any is discarded`
	breaker.BreakByDeadlineCause(at, nil)       // want `made by breaker.BreakByDeadlineCause is discarded`
	breaker.BreakByTimeoutCause(time.Hour, nil) // want `made by breaker.BreakByTimeoutCause is discarded`
	breaker.Within(ctx, time.Hour)              // want `made by breaker.Within is discarded`
	breaker.WithinCause(ctx, time.Hour, nil)    // want `made by breaker.WithinCause is discarded`
	idle := breaker.BreakByIdle(time.Hour)      // want `idle is not closed on every path`
	fmt.Println(idle.Touch(), idle.Reset(time.Minute))
	breaker.Within(ctx, 0)
	breaker.BreakByTimeoutCause(0, nil)
	breaker.Any()
}

// What follows is fine.

func aliasIsFine() {
	br := breaker.BreakByTimeout(time.Hour)
	other := br
	defer other.Close()
	first := breaker.BreakByTimeout(time.Hour)
	second := first
	first = nil
	second.Close()
	var closer interface{ Close() } = breaker.BreakByTimeout(time.Hour)
	defer closer.Close()
	var anything any = breaker.BreakByTimeout(time.Hour)
	anything.(breaker.Interface).Close()
}

func rotated(n int) {
	current := breaker.BreakByTimeout(time.Hour)
	for range n {
		next := breaker.BreakByTimeout(time.Hour)
		current.Close()
		current = next
	}
	current.Close()
}

func structsAreFine() *job {
	j := job{br: breaker.BreakByTimeout(time.Hour), name: "a"}
	defer j.br.Close()
	e := embedding{Breaker: breaker.BreakByTimeout(time.Hour)}
	defer e.Close()
	var k job
	k.br = breaker.BreakByTimeout(time.Hour)
	k.br.Close()
	b := &box[*breaker.Breaker]{v: breaker.BreakByTimeout(time.Hour)}
	b.get().Close()
	r := &job{br: breaker.BreakByTimeout(time.Hour)}
	return r
}

func slicesAreFine(n int, out chan []*breaker.Breaker) {
	var all []breaker.Interface
	for range n {
		all = append(all, breaker.BreakByTimeout(time.Hour))
	}
	for _, br := range all {
		br.Close()
	}
	var deferred []*breaker.Breaker
	defer func() {
		for i := range deferred {
			deferred[i].Close()
		}
	}()
	deferred = append(deferred, breaker.BreakByTimeout(time.Hour))
	owned := []breaker.Interface{breaker.BreakByTimeout(time.Hour)}
	br := breaker.Multiplex(owned...)
	defer br.Close()
	sent := []*breaker.Breaker{breaker.BreakByTimeout(time.Hour)}
	out <- sent
	for _, br := range []breaker.Interface{breaker.BreakByTimeout(time.Hour)} {
		br.Close()
	}
}

func mapsAreFine(shared map[string]breaker.Interface) {
	m := map[string]breaker.Interface{"a": breaker.BreakByTimeout(time.Hour)}
	for _, br := range m {
		br.Close()
	}
	shared["a"] = breaker.BreakByTimeout(time.Hour)
	alias := shared
	alias["b"] = breaker.BreakByTimeout(time.Hour)
	n := map[string]breaker.Interface{"a": breaker.BreakByTimeout(time.Hour)}
	for name := range n {
		n[name].Close()
	}
}

func closures() {
	j := &job{}
	j.br = breaker.BreakByTimeout(time.Hour)
	defer func() { j.br.Close() }()
}
