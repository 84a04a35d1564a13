// Package owned gives breakers to Multiplex, which closes them.
package owned

import (
	"context"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

var process = breaker.BreakBySignal(os.Interrupt)

var view = breaker.NopCloser(breaker.BreakBySignal(os.Interrupt))

type server struct {
	quit breaker.Interface
	stop *breaker.Breaker
	view breaker.Interface
	zero breaker.Breaker
	all  []breaker.Interface
	run  *breaker.Breaker
}

func newServer(quit breaker.Interface) *server {
	return &server{quit: quit, view: breaker.NopCloser(quit)}
}

func (s *server) request() error {
	br := breaker.Multiplex(s.quit, breaker.BreakByTimeout(time.Hour)) // want `breaker.Multiplex closes s.quit, which is in a field that outlives the call: give it as NopCloser\(s.quit\), or use Any`
	defer br.Close()
	return br.Err()
}

func (s *server) returned() *breaker.Breaker {
	return breaker.MultiplexTwo(breaker.BreakByTimeout(time.Hour), s.stop) // want `breaker.MultiplexTwo closes s.stop`
}

func (s *server) nested() {
	br := breaker.Multiplex(breaker.Multiplex(s.quit, breaker.New()), breaker.BreakByTimeout(time.Hour)) // want `breaker.Multiplex closes s.quit`
	defer br.Close()
}

func (s *server) element() {
	br := breaker.Multiplex(s.all[0], &s.zero, breaker.BreakByTimeout(time.Hour)) // want `closes s.all\[0\]` `closes &s.zero`
	defer br.Close()
}

func (s *server) inALiteral() func() {
	return func() {
		br := breaker.Multiplex(s.quit, breaker.BreakByTimeout(time.Hour)) // want `closes s.quit`
		defer br.Close()
	}
}

func global() {
	br := breaker.Multiplex(process, breaker.BreakByTimeout(time.Hour)) // want `closes process, which is the package's`
	defer br.Close()
}

func parameter(process *breaker.Breaker) {
	br := breaker.Multiplex(process, breaker.BreakByTimeout(time.Hour)) // want `closes process, which is the caller's`
	defer br.Close()
}

// What follows is fine.

func (s *server) watched() {
	br := breaker.Multiplex(breaker.NopCloser(s.quit), s.view, view, breaker.BreakByTimeout(time.Hour))
	defer br.Close()
	any := breaker.Any(s.quit, process)
	defer any.Close()
}

func (s *server) start() {
	s.run = breaker.Multiplex(s.quit, s.stop)
}

func (s *server) shutdown() {
	br := breaker.Multiplex(s.quit, breaker.BreakByTimeout(time.Hour))
	defer br.Close()
	defer s.quit.Close()
}

func both(one, two breaker.Interface) *breaker.Breaker { return breaker.Multiplex(one, two) }

func every(all ...breaker.Interface) {
	br := breaker.Multiplex(all...)
	defer br.Close()
}

func own(ctx context.Context) {
	one := breaker.BreakByContext(ctx, nil)
	local := server{quit: breaker.BreakByTimeout(time.Hour)}
	br := breaker.Multiplex(one, local.quit)
	defer br.Close()
}
