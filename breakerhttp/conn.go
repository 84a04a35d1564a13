package breakerhttp

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kamilsk/breaker"
)

// lastWords is how long a handler may still write once its request has ended. What it has written
// may take as long again to be sent.
const lastWords = time.Second

// WithConnDeadlines makes the end of a request also end the handler's Read from the body and Write
// to the client. Neither takes a context. Without the option, a client that sends slowly or doesn't
// read blocks the handler until the connection is closed.
//
// When the request ends, whatever the cause, a blocked Read of the body fails, and so do later
// ones. A blocked Write fails. The handler may still answer within a second. After that, Write
// fails, too. The errors match os.ErrDeadlineExceeded.
//
// An HTTP/1 connection whose body was cut off is closed after the answer. Others stay in use.
//
// The deadlines are set by http.ResponseController, so middleware in between needs a method Unwrap.
// Where they can't be set, WithConnDeadlines does nothing. They aren't set before the request ends:
// with HTTP/1, a read deadline that passes while the handler runs would cancel the contexts of all
// later requests on the connection (golang/go#70834).
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

// watchConn begins the watch. It replaces the body of the request, which must be a copy.
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

// expire is called when the request ends. It ignores errors: they say that the connection doesn't
// support deadlines.
func (d *connDeadlines) expire() {
	d.expired = true
	now := time.Now()
	if d.body != nil && !d.body.read.Load() {
		// Once the body is read, net/http reads on to notice when the client hangs up. It would
		// take a deadline for that.
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
			// The header has been sent, so net/http would use the connection again. It would do so
			// in the middle of the body. Or, if the body and the request ended at the same time,
			// with a cancelled context.
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
