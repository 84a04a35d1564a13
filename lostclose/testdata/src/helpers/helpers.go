// Package helpers has functions that others call with breakers, or get them from. // want package:`reaches`
package helpers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kamilsk/breaker"
)

var errBusy = errors.New("busy")

type Job struct {
	breaker.Interface
	name string
}

type Server struct{ br breaker.Interface }

func Timeout() *breaker.Breaker { // want Timeout:`makes\(0,-1\)`
	return breaker.BreakByTimeout(time.Hour)
}

func Indirectly() breaker.Interface { // want Indirectly:`makes\(0,-1\)`
	br := Timeout()
	return br
}

func OrFails(name string) (*breaker.Breaker, error) { // want OrFails:`makes\(0,1\)`
	if name == "" {
		return nil, errBusy
	}
	return breaker.BreakByTimeout(time.Hour), nil
}

func OrIsMissing(name string) (br *breaker.Breaker, ok bool) { // want OrIsMissing:`makes\(0,1\)`
	if name != "" {
		br = breaker.BreakByTimeout(time.Hour)
		return br, true
	}
	return
}

func Second(ctx context.Context) (context.Context, *breaker.Breaker) { // want Second:`makes\(1,-1\)`
	br := breaker.BreakByContext(ctx, nil)
	return breaker.ToContext(br), br
}

func Several(name string) (*breaker.Breaker, error) { // want Several:`makes\(0,1\)`
	return OrFails(name)
}

func (s *Server) Request() *breaker.Breaker { // want Request:`makes\(0,-1\)`
	return breaker.Multiplex(breaker.NopCloser(s.br), breaker.BreakByTimeout(time.Hour))
}

func NewJob(name string) *Job { // want NewJob:`makes\(0,-1\)`
	return &Job{Interface: breaker.BreakByTimeout(time.Hour), name: name}
}

func Recursive(n int) *breaker.Breaker { // want Recursive:`makes\(0,-1\)`
	if n == 0 {
		return breaker.BreakByTimeout(time.Hour)
	}
	return breaker.Any(Recursive2(n - 1)) //lostclose:ignore the test is about who makes it
}

func Recursive2(n int) *breaker.Breaker { // want Recursive2:`makes\(0,-1\)`
	return Recursive(n)
}

// Those who keep what they return, or return what holds nothing, make nothing.

func (s *Server) Shared() breaker.Interface { return s.br }

func (s *Server) Kept() *breaker.Breaker {
	br := breaker.BreakByTimeout(time.Hour)
	s.br = br
	return br
}

func Plain() *breaker.Breaker { return breaker.New() }

func Tripped() *breaker.Breaker { return breaker.BreakByTimeout(0) }

func Sometimes(s *Server, fresh bool) breaker.Interface {
	if fresh {
		return breaker.BreakByTimeout(time.Hour)
	}
	return s.br
}

// Helpers.

func IsOver(br breaker.Interface) bool { return br.Err() != nil } // want IsOver:`confines\(0\)`

func Say(br breaker.Interface) { fmt.Println(br, br.Cause()) } // want Say:`confines\(0\)`

func Twice(br *breaker.Breaker) { // want Twice:`confines\(0\)`
	Say(br)
	if IsOver(br) {
		return
	}
}

func AsContext(br breaker.Interface) context.Context { // want AsContext:`watches\(0\)`
	return breaker.ToContext(br)
}

func Selects(br breaker.Interface, values chan int) int { // want Selects:`confines\(0\)`
	select {
	case <-br.Done():
		return 0
	case value := <-values:
		return value
	}
}

func Same(br breaker.Interface) breaker.Interface { return br } // want Same:`forwards\(0,0\)`

func Must[T any](v T, err error) T { // want Must:`forwards\(0,0\)`
	if err != nil {
		panic(err)
	}
	return v
}

func Closes(br breaker.Interface) { br.Close() }

func Waits(br breaker.Interface) { <-br.Done() }

func Keeps(s *Server, br breaker.Interface) { s.br = br }

func InBackground(br breaker.Interface) {
	go func() {
		defer br.Close()
	}()
}
