package breakerio

import (
	"io"

	"github.com/kamilsk/breaker"
)

// An Option configures Reader, Writer and Stdin.
type Option func(*options)

type options struct {
	goroutine bool
}

// WithGoroutine makes Reader, Writer and Stdin accept what they otherwise refuse with
// ErrNotInterruptible. Each Read or Write then runs on a goroutine of its own, and on a copy of at
// most 32 KB. For everything else the option changes nothing.
//
// The trip ends the wait but not the operation. The goroutine outlives the trip until the operation
// ends, perhaps forever. What it reads meanwhile is lost. What it writes is written, although Write
// has reported less.
func WithGoroutine() Option { return func(o *options) { o.goroutine = true } }

func optionsOf(function string, how []Option) (o options) {
	for _, option := range how {
		if option == nil {
			panic("breakerio: " + function + ": an option is nil")
		}
		option(&o)
	}
	return o
}

// pump does one operation at a time, each on a goroutine of its own.
type pump struct {
	br breaker.Interface
	do func([]byte) (int, error)
	// turn has one element. The holder may use buf, and puts the element back unless the operation
	// goes on alone.
	turn chan struct{}
	buf  []byte
}

// maxPump is the largest piece that is copied for an operation.
const maxPump = 32 << 10

func newPump(br breaker.Interface, do func([]byte) (int, error)) *pump {
	p := &pump{br: br, do: do, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

type outcome struct {
	n   int
	err error
}

// start takes the turn and begins an operation on at most size bytes. It returns nil if the breaker
// has tripped.
func (p *pump) start(size int, fill []byte) (done chan outcome, buf []byte) {
	select {
	case <-p.turn:
	case <-p.br.Done():
		return nil, nil
	}
	size = min(size, maxPump)
	if cap(p.buf) < size {
		p.buf = make([]byte, size)
	}
	buf = p.buf[:size]
	copy(buf, fill)
	done = make(chan outcome, 1)
	go func() {
		n, err := p.do(buf)
		done <- outcome{n, err}
	}()
	return done, buf
}

// wait returns the outcome, or false if the trip came first. Then the turn is gone.
func (p *pump) wait(done chan outcome) (outcome, bool) {
	select {
	case o := <-done:
		return o, true
	case <-p.br.Done():
	}
	select {
	case o := <-done: // both have happened: what was read or written counts
		return o, true
	default:
		return outcome{}, false
	}
}

func (p *pump) Read(b []byte) (int, error) {
	done, buf := p.start(len(b), nil)
	if done == nil {
		return 0, causeOf(p.br)
	}
	o, ok := p.wait(done)
	if !ok {
		return 0, causeOf(p.br)
	}
	copy(b, buf[:max(o.n, 0)])
	p.turn <- struct{}{}
	return o.n, o.err
}

func (p *pump) Write(b []byte) (written int, err error) {
	for {
		piece := b[written:min(written+maxPump, len(b))]
		done, _ := p.start(len(piece), piece)
		if done == nil {
			return written, causeOf(p.br)
		}
		o, ok := p.wait(done)
		if !ok {
			return written, causeOf(p.br)
		}
		p.turn <- struct{}{}
		written += max(o.n, 0)
		if o.err == nil && o.n != len(piece) {
			o.err = io.ErrShortWrite
		}
		if o.err != nil || written == len(b) {
			return written, o.err
		}
	}
}
