// Package stops registers callbacks.
package stops

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
)

var process = breaker.New()

type server struct {
	quit  breaker.Interface
	stop  *breaker.Breaker
	conns []net.Conn
	mu    sync.Mutex
}

func (s *server) serve(conn net.Conn) {
	s.quit.OnTrip(func() { conn.Close() }) // want `the stop of OnTrip is discarded: the callback, and what it refers to, is kept until s.quit, which is in a field that outlives the call, trips`
}

func (s *server) local(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = s.stop.OnTrip(func() { conn.SetDeadline(time.Now()) }) // want `kept until s.stop`
	return nil
}

func function(cancel func()) {
	process.OnTrip(cancel) // want `kept until process, which is the package's, trips`
}

func accepts(l net.Listener, br *breaker.Breaker) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		br.OnTrip(func() { conn.Close() }) // want `the loop registers one callback after the other with br`
	}
}

func receives(conns chan net.Conn) {
	br := breaker.BreakByTimeout(time.Hour)
	defer br.Close()
	for conn := range conns {
		br.OnTrip(func() { conn.Close() }) // want `the loop registers one callback after the other with br`
	}
}

// What follows is fine.

func (s *server) taken(conn net.Conn) {
	stop := s.quit.OnTrip(func() { conn.Close() })
	defer stop()
	defer s.quit.OnTrip(func() { conn.Close() })()
}

func (s *server) start() {
	s.quit.OnTrip(s.shutdown)
	s.quit.OnTrip(func() { s.mu.Lock(); defer s.mu.Unlock() })
	for _, conn := range s.conns {
		s.quit.OnTrip(func() { conn.Close() })
	}
	process.OnTrip(func() { fmt.Println("the end") })
}

func (s *server) shutdown() {}

func (s *server) adopt(conn net.Conn) {
	s.conns = append(s.conns, conn)
	s.quit.OnTrip(func() { conn.Close() })
}

func newServer() *server {
	s := &server{}
	process.OnTrip(s.shutdown)
	return s
}

func own(conn net.Conn) {
	br := breaker.BreakByTimeout(time.Hour)
	defer br.Close()
	br.OnTrip(func() { conn.Close() })
}

func parameter(br breaker.Interface, conn net.Conn) {
	br.OnTrip(func() { conn.Close() })
}

func counted(br breaker.Interface, n int) {
	for i := 0; i < n; i++ {
		br.OnTrip(func() { fmt.Println(i) })
	}
	for _, name := range []string{"a", "b"} {
		br.OnTrip(func() { fmt.Println(name) })
	}
}

func onceInALoop(br breaker.Interface, values chan int) {
	for value := range values {
		if value == 0 {
			br.OnTrip(func() { fmt.Println(value) })
			return
		}
	}
	for {
		each := breaker.BreakByTimeout(time.Hour)
		each.OnTrip(func() {})
		each.Close()
	}
}
