package verify

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerio"
)

// An ioStep is one step of a program on a connection of breakerio.
type ioStep struct {
	op string
	// size is how many bytes, or how many seconds from now; see ioDeadline.
	size int
}

var ioSteps = rapid.Custom(func(t *rapid.T) ioStep {
	return ioStep{
		op: rapid.SampledFrom([]string{
			"read", "read", "read", "write", "write", "write", "peer reads", "peer reads", "peer writes", "peer writes",
			"set read deadline", "set write deadline", "set deadline", "sleep", "sleep",
			"trip", "release", "close", "peer closes",
		}).Draw(t, "op"),
		size: rapid.IntRange(1, 6).Draw(t, "size"),
	}
})

// ioEnd is how an operation ends.
type ioEnd string

const (
	ioDone        ioEnd = "done"
	ioEOF         ioEnd = "EOF"
	ioClosed      ioEnd = "closed"
	ioTimeout     ioEnd = "timeout"
	ioInterrupted ioEnd = "interrupted"
	ioOther       ioEnd = "another error"
)

var errTripped = errors.New("tripped by the program")

func ioEndOf(err error) ioEnd {
	switch {
	case err == nil:
		return ioDone
	case errors.Is(err, errTripped) && errors.Is(err, breaker.Interrupted) && !os.IsTimeout(err):
		return ioInterrupted
	case err == io.EOF:
		return ioEOF
	case errors.Is(err, io.ErrClosedPipe):
		return ioClosed
	case errors.Is(err, os.ErrDeadlineExceeded) && os.IsTimeout(err) && !errors.Is(err, breaker.Interrupted):
		return ioTimeout
	default:
		return ioOther
	}
}

// An ioModel says what a connection over net.Pipe does, bound to a breaker.
type ioModel struct {
	now          time.Time
	read, write  ioPending
	bound        bool // not released, not closed
	fired        bool // tripped while bound
	tripped      bool
	closed, gone bool // on this side, on the other
}

type ioPending struct {
	deadline time.Time
	active   bool
	size, n  int
	// want is how it has to have ended, once it isn't active.
	want ioEnd
}

func (p *ioPending) end(how ioEnd) {
	if p.active {
		p.active, p.want = false, how
	}
}

func (p *ioPending) expired(now time.Time) bool {
	return !p.deadline.IsZero() && !p.deadline.After(now)
}

// settle ends what can't go on. The order is that in which things are looked at.
func (m *ioModel) settle() {
	for i, p := range []*ioPending{&m.read, &m.write} {
		switch {
		case m.bound && m.tripped:
			p.end(ioInterrupted)
		case m.closed:
			p.end(ioClosed)
		case m.gone && i == 0:
			p.end(ioEOF)
		case m.gone:
			p.end(ioClosed)
		case p.expired(m.now):
			p.end(ioTimeout)
		}
	}
}

// trip has the breaker touch what is bound to it, and nothing else.
func (m *ioModel) trip() {
	m.fired = m.fired || m.bound && !m.tripped
	m.tripped = true
	m.force()
}

// force is what the trip does to the deadlines: it has the last word as long as the connection is
// bound.
func (m *ioModel) force() {
	if m.bound && m.tripped && !m.gone {
		m.read.deadline, m.write.deadline = m.now, m.now
	}
}

type ioResult struct {
	n   int
	err error
}

// ioRun is a program that runs.
type ioRun struct {
	m         ioModel
	br        *breaker.Breaker
	conn, far net.Conn
	reads     chan ioResult
	writes    chan ioResult
}

func (r *ioRun) do(s ioStep) error {
	m := &r.m
	switch s.op {
	case "read", "write":
		p, op, results := &m.read, r.conn.Read, r.reads
		if s.op == "write" {
			p, op, results = &m.write, r.conn.Write, r.writes
		}
		if p.active {
			return nil
		}
		p.active, p.size, p.n = true, s.size, 0
		go func() {
			n, err := op(make([]byte, s.size))
			results <- ioResult{n, err}
		}()
	case "peer reads":
		if !m.write.active || m.gone {
			return nil
		}
		n, err := r.far.Read(make([]byte, s.size))
		m.write.n += n
		if want := min(s.size, m.write.size-m.write.n+n); err != nil || n != want {
			return fmt.Errorf("the peer has read %d bytes and not %d: %v", n, want, err)
		}
		if m.write.n == m.write.size {
			m.write.end(ioDone)
		}
	case "peer writes":
		if !m.read.active || m.gone {
			return nil
		}
		m.read.n = min(s.size, m.read.size)
		if n, err := r.far.Write(make([]byte, m.read.n)); err != nil {
			return fmt.Errorf("the peer has written %d bytes: %v", n, err)
		}
		m.read.end(ioDone)
	case "set read deadline", "set write deadline", "set deadline":
		at := r.deadline(s.size)
		set := map[string]func(time.Time) error{
			"set read deadline": r.conn.SetReadDeadline, "set write deadline": r.conn.SetWriteDeadline, "set deadline": r.conn.SetDeadline,
		}[s.op]
		if err := set(at); (err != nil) != (m.closed || m.gone) {
			return fmt.Errorf("%s: %v", s.op, err)
		}
		if m.closed || m.gone {
			return nil
		}
		if s.op != "set write deadline" {
			m.read.deadline = at
		}
		if s.op != "set read deadline" {
			m.write.deadline = at
		}
		m.force()
	case "sleep":
		time.Sleep(time.Duration(s.size) * time.Second)
		m.now = time.Now()
	case "trip":
		if won := r.br.Trip(errTripped); won == m.tripped {
			return fmt.Errorf("Trip returned %t", won)
		}
		m.trip()
	case "release":
		if m.read.active || m.write.active || !m.bound {
			return nil
		}
		inner, err := breakerio.Release(r.conn)
		if (err != nil) != m.fired {
			return fmt.Errorf("Release: %v", err)
		}
		r.conn, m.bound = inner, false
	case "close":
		if err := r.conn.Close(); err != nil {
			return err
		}
		m.closed, m.bound = true, false
	case "peer closes":
		if err := r.far.Close(); err != nil {
			return err
		}
		m.gone = true
	}
	return nil
}

// deadline returns none, a past one, or one so many seconds from now.
func (r *ioRun) deadline(size int) time.Time {
	switch size {
	case 1:
		return time.Time{}
	case 2:
		return r.m.now.Add(-time.Second)
	default:
		return r.m.now.Add(time.Duration(size) * time.Second)
	}
}

// check compares what has ended with what should have, and how.
func (r *ioRun) check() error {
	synctest.Wait()
	r.m.settle()
	for _, side := range []struct {
		name    string
		p       *ioPending
		results chan ioResult
	}{{"Read", &r.m.read, r.reads}, {"Write", &r.m.write, r.writes}} {
		select {
		case got := <-side.results:
			if end := ioEndOf(got.err); side.p.active || end != side.p.want || got.n != side.p.n {
				return fmt.Errorf("%s has ended with %d, %v; the model: active %t, %d, %q",
					side.name, got.n, got.err, side.p.active, side.p.n, side.p.want)
			}
			side.p.want = ""
		default:
			if side.p.want != "" {
				return fmt.Errorf("%s hasn't ended; the model: %d, %q", side.name, side.p.n, side.p.want)
			}
		}
	}
	return nil
}

// runIO runs a program in a bubble of its own and returns where it leaves the model.
func runIO(t *testing.T, program []ioStep) (err error) {
	synctest.Test(t, func(*testing.T) {
		near, far := net.Pipe()
		br := breaker.New()
		r := &ioRun{
			m: ioModel{bound: true, now: time.Now()}, br: br, conn: breakerio.Conn(br, near), far: far,
			reads: make(chan ioResult, 1), writes: make(chan ioResult, 1),
		}
		defer func() {
			br.Close()
			_ = r.conn.Close()
			_ = far.Close()
			synctest.Wait()
		}()
		for i, s := range program {
			if err = r.do(s); err == nil {
				err = r.check()
			}
			if err != nil {
				err = fmt.Errorf("step %d of %v: %w", i, program[:i+1], err)
				return
			}
		}
	})
	return err
}

// A connection bound to a breaker does what one without does, until the trip: then everything ends,
// nothing begins, no deadline helps; and once it is released, the breaker has no say any more.
func TestIO_Programs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var program []ioStep
		for range 4 { // of a handful each: a single slice would be that short on average
			program = append(program, rapid.SliceOf(ioSteps).Draw(r, "steps")...)
		}
		if err := runIO(t, program); err != nil {
			r.Fatal(err)
		}
	})
}
