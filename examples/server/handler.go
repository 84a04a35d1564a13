package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kamilsk/breaker"
)

const (
	timeoutHeader  = "X-Timeout"
	causeHeader    = "X-Interrupted-By"
	byClient       = "client"
	defaultTimeout = 7 * time.Millisecond

	chunkSize = 1 << 10
	chunks    = 64
	wholeSize = chunks * chunkSize
)

// stream answers with a body that takes time to make, and with as much of it as there is if the request is interrupted.
type stream struct {
	process *breaker.Breaker // ends with the process, and is never closed by a request
	pace    time.Duration    // what one chunk takes
	log     func(outcome)    // called when a request has ended
}

func (s stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	ended := outcome{request: describe(r)}
	defer func() {
		ended.took = time.Since(started)
		s.log(ended)
	}()

	timeout, err := timeoutOf(r)
	if err != nil {
		ended.status, ended.note = http.StatusBadRequest, err.Error()
		http.Error(w, ended.note, ended.status)
		ended.bytes = len(ended.note) + 1 // http.Error ends the line
		return
	}

	br := breaker.Multiplex(
		breaker.BreakByTimeout(timeout),
		breaker.BreakByContext(r.Context(), nil),
		breaker.NopCloser(s.process),
	)
	// Stops the timer, and lets go of the context and of the process. Without NopCloser the first request to end
	// would close what all the others watch.
	defer br.Close()

	body := s.work(br)

	// The status and Content-Range come before the body and depend on how far the work gets. That is why the chunks are
	// kept until then, and not written one by one.
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	ended.status, ended.bytes = http.StatusOK, len(body)
	// What counts is the work: a breaker that trips after the last chunk has interrupted nothing.
	if len(body) < wholeSize {
		ended.status, ended.cause = http.StatusPartialContent, nameOf(br.Cause())
		header.Set("Content-Range", contentRange(len(body)))
		header.Set(causeHeader, ended.cause)
		// A 206 is meant for requests with a Range header, and cacheable. This one depends on the moment.
		header.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(ended.status)
	_, _ = w.Write(body) // fails if the client is gone, which nobody is left to be told
}

// work produces the body bit by bit, and returns what there is when the breaker trips.
func (s stream) work(br breaker.Interface) []byte {
	ticker := time.NewTicker(s.pace)
	defer ticker.Stop()

	var body []byte
	for n := range chunks {
		select {
		case <-ticker.C: // stands for a row of a query, a page of a report, a frame of a film
			body = fmt.Appendf(body, "%-*d\n", chunkSize-1, n)
		case <-br.Done():
			return body
		}
	}
	return body
}

// timeoutOf returns the time that the request may take. The error is a sentence for the client.
func timeoutOf(r *http.Request) (time.Duration, error) {
	values := r.Header.Values(timeoutHeader)
	if len(values) == 0 {
		return defaultTimeout, nil
	}
	text := strings.Join(values, ", ") // one field, by RFC 9110; two durations are none
	timeout, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %q is not a Go duration such as 150ms or 2s", timeoutHeader, text)
	case timeout <= 0:
		return 0, fmt.Errorf("%s: %q leaves no time, it has to be more than 0", timeoutHeader, text)
	}
	return timeout, nil
}

// contentRange tells which part of the whole the first so many bytes are.
//
// Positions are inclusive, so an empty part can't be written as one: "0--1" is no number, and "0-0" is one byte. What RFC 9110
// has for "no part of it" is "*/whole". It gives that a meaning for status 416 only, but it is well-formed, it tells the
// truth, and no client can take it for data. (Some other status for zero bytes would be no better: to
// the client it makes no difference whether the first chunk was just finished or not.)
func contentRange(size int) string {
	if size == 0 {
		return fmt.Sprintf("bytes */%d", wholeSize)
	}
	return fmt.Sprintf("bytes 0-%d/%d", size-1, wholeSize)
}

// nameOf says in a word why a request was interrupted.
func nameOf(cause error) string {
	// From the particular to the general: to be of use to callers of package context, a SignalError and the cause of
	// a plain Close match context.Canceled, too.
	var arrived breaker.SignalError
	switch {
	case errors.As(cause, &arrived):
		return "signal: " + arrived.Signal.String()
	case errors.Is(cause, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(cause, breaker.Interrupted):
		return "shutdown" // the process was told to end in another way
	case errors.Is(cause, context.Canceled):
		return byClient // net/http cancels the context of a request whose client is gone
	default:
		return cause.Error()
	}
}
