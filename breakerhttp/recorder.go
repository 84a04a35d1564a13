package breakerhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// recorder notes what a handler does with its http.ResponseWriter. Every field except writing is
// written by the goroutine of the request.
type recorder struct {
	http.ResponseWriter

	// status is that of the header, zero until it is written.
	status int
	// hijacked is set when the handler has taken the connection away.
	hijacked bool
	// fullDuplex is set when the handler reads on after it has begun to write.
	fullDuplex bool
	// panicked is set unless the handler has returned.
	panicked bool
	// cause is why the request ended, nil if its handler returned before that.
	cause error
	// writing is the number of calls that may be blocked in writing to the client.
	writing atomic.Int32
}

// record returns the writer to be passed on, which has the optional interfaces that w has, and what
// it notes.
func record(w http.ResponseWriter) (http.ResponseWriter, *recorder) {
	rec := &recorder{ResponseWriter: w}
	_, flushes := w.(http.Flusher)
	_, hijacks := w.(http.Hijacker)
	_, pushes := w.(http.Pusher)
	switch flushing := (flusher{rec}); {
	case flushes && hijacks:
		return hijacker{flushing}, rec // HTTP/1
	case flushes && pushes:
		return pusher{flushing}, rec // HTTP/2
	case flushes:
		return flushing, rec
	default:
		return rec, rec
	}
}

// isUntouched reports whether the handler has neither written nor hijacked.
func (rec *recorder) isUntouched() bool { return rec.status == 0 && !rec.hijacked }

// sent returns the status of the answer, or zero if there is none.
func (rec *recorder) sent() int {
	if rec.isUntouched() && !rec.panicked {
		return http.StatusOK // net/http does it
	}
	return rec.status
}

// Unwrap is what http.ResponseController looks for.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

func (rec *recorder) WriteHeader(status int) {
	// An informational status is followed by the one that counts.
	if rec.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(p []byte) (int, error) {
	defer rec.begin()()
	return rec.ResponseWriter.Write(p)
}

func (rec *recorder) WriteString(s string) (int, error) {
	defer rec.begin()()
	return io.WriteString(rec.ResponseWriter, s)
}

// ReadFrom lets net/http send files by sendfile.
func (rec *recorder) ReadFrom(from io.Reader) (int64, error) {
	defer rec.begin()()
	if to, ok := rec.ResponseWriter.(io.ReaderFrom); ok {
		return to.ReadFrom(from)
	}
	return io.Copy(struct{ io.Writer }{rec.ResponseWriter}, from)
}

// EnableFullDuplex is what http.ResponseController looks for.
func (rec *recorder) EnableFullDuplex() error {
	err := http.NewResponseController(rec.ResponseWriter).EnableFullDuplex()
	rec.fullDuplex = err == nil
	return err
}

// begin notes the beginning of a write, and returns a function that notes its end.
func (rec *recorder) begin() (end func()) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	rec.writing.Add(1)
	return rec.end
}

func (rec *recorder) end() { rec.writing.Add(-1) }

type flusher struct{ *recorder }

func (f flusher) Flush() { _ = f.FlushError() }

func (f flusher) FlushError() error {
	defer f.begin()()
	return http.NewResponseController(f.ResponseWriter).Flush()
}

type hijacker struct{ flusher }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := h.ResponseWriter.(http.Hijacker).Hijack()
	h.hijacked = h.hijacked || err == nil
	return conn, buffer, err
}

type pusher struct{ flusher }

func (p pusher) Push(target string, options *http.PushOptions) error {
	return p.ResponseWriter.(http.Pusher).Push(target, options)
}
