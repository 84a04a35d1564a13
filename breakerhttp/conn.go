package breakerhttp

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kamilsk/breaker"
)

// lastWords is how long a handler may still write once its request has ended, and how long what it
// has written may take to be sent.
const lastWords = time.Second

// WithConnDeadlines has the end of a request end its handler's Read from the body and Write to the
// client, too. Neither knows a context: without it, a handler that is blocked by a client that
// sends slowly, or doesn't read, stays until the connection is closed.
//
// At the end of the request, whatever its cause, a Read of the body fails, and so does each later
// one; a Write that is blocked fails. The handler may still answer, within a second. Then Write
// fails, too. The errors match os.ErrDeadlineExceeded.
//
// A connection of HTTP/1 whose body was cut off is closed after the answer. Others stay in use.
//
// The deadlines are set by http.ResponseController, so middleware in between has to have Unwrap;
// where they can't be set, WithConnDeadlines does nothing. They aren't set before the request ends:
// with HTTP/1, a read deadline that passes while the handler runs would cancel the contexts of all
// requests that follow on the connection (golang/go#70834).
func WithConnDeadlines() HandlerOption { return func(h *handler) { h.connDeadlines = true } }

// connDeadlines ends the reads and writes of a request.
type connDeadlines struct {
	control *http.ResponseController
	rec     *recorder
	br      *breaker.Breaker
	stop    func() bool
	body    *countedBody // nil: there is none
	http1   bool
	// writeTimeout is what the write deadline is to be again afterwards, zero for none.
	writeTimeout time.Time

	// readExpired and expired are written by expire, and read after it has returned.
	readExpired, expired bool
}

// watchConn begins. It replaces the body of the request, which has to be a copy.
func watchConn(w http.ResponseWriter, r *http.Request, rec *recorder, br *breaker.Breaker) *connDeadlines {
	d := &connDeadlines{control: http.NewResponseController(w), rec: rec, br: br, http1: r.ProtoMajor == 1}
	if r.Body != nil && r.Body != http.NoBody {
		d.body = &countedBody{ReadCloser: r.Body}
		r.Body = d.body
	}
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		d.writeTimeout = time.Now().Add(server.WriteTimeout)
	}
	d.stop = br.OnTrip(d.expire)
	return d
}

// expire is called when the request ends. The errors say that deadlines can't be set here.
func (d *connDeadlines) expire() {
	d.expired = true
	now := time.Now()
	if d.body != nil && !d.body.read.Load() {
		// Once the body is read, net/http reads on by itself to notice when the client hangs up,
		// and takes a deadline for that.
		d.readExpired = d.control.SetReadDeadline(now) == nil
	}
	deadline := now.Add(lastWords)
	if d.rec.writing.Load() > 0 {
		deadline = now
	}
	_ = d.control.SetWriteDeadline(deadline)
}

// end ends the watch, and leaves the connection to the next request, or closes it. Unless the
// handler has returned, net/http closes it.
func (d *connDeadlines) end(returned bool) {
	if d.stop() {
		return
	}
	d.br.AwaitClosed() // expire has returned
	if !d.expired || !d.http1 || !returned || d.rec.hijacked {
		return // a stream of HTTP/2 has deadlines of its own
	}
	if d.readExpired {
		switch {
		case d.rec.status == 0:
			d.rec.Header().Set("Connection", "close")
		case d.rec.fullDuplex, d.body.read.Load():
			// The header is gone, and net/http would use the connection again, in the middle of the
			// body, or with its context cancelled, if the end of the body and that of the request
			// came at the same time.
			_ = d.control.Flush() // if it fails, the connection is of no use either
			panic(http.ErrAbortHandler)
		}
	}
	if d.rec.status != 0 && d.control.Flush() != nil {
		return // the client doesn't read: the deadline, which has passed, ends the connection
	}
	_ = d.control.SetWriteDeadline(d.writeTimeout)
}

// countedBody knows whether it was read to its end.
type countedBody struct {
	io.ReadCloser
	read atomic.Bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.read.Store(true)
	}
	return n, err
}
