package breakerio

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// An end is something to read from or write to, and how to wake a goroutine that is blocked in it.
type end struct {
	reader io.Reader
	writer io.Writer
	// path is a file's name, for errors.
	path string
	// wake is nil if the end never blocks.
	wake func() error
	// set sets a deadline of the user's. It is nil if there are no deadlines.
	set func(time.Time) error
	// abandon closes the end if waking it fails. It may be nil.
	abandon func() error
	// finish closes what was opened for waiting. It may be nil.
	finish func() error
}

// sourceOf returns the end for reading from r.
func sourceOf(r io.Reader) (end, error) {
	switch v := r.(type) {
	case *os.File:
		e, err := fileSource(v)
		e.path = v.Name()
		return e, err
	case *bytes.Buffer, *bytes.Reader, *strings.Reader:
		return end{reader: r}, nil
	case interface{ SetReadDeadline(time.Time) error }:
		e := withDeadlines(v.SetReadDeadline)
		e.reader = r
		if c, ok := r.(io.Closer); ok {
			e.abandon = c.Close
		}
		return e, nil
	}
	return end{}, fmt.Errorf("%T %w", r, ErrNotInterruptible)
}

// sinkOf returns the end for writing to w.
func sinkOf(w io.Writer) (end, error) {
	switch v := w.(type) {
	case *os.File:
		e, err := fileSink(v)
		e.path = v.Name()
		return e, err
	case *bytes.Buffer, *strings.Builder:
		return end{writer: w}, nil
	case interface{ SetWriteDeadline(time.Time) error }:
		e := withDeadlines(v.SetWriteDeadline)
		e.writer = w
		if c, ok := w.(io.Closer); ok {
			e.abandon = c.Close
		}
		return e, nil
	}
	if w == io.Discard {
		return end{writer: w}, nil
	}
	return end{}, fmt.Errorf("%T %w", w, ErrNotInterruptible)
}

// withDeadlines returns an end that is woken by a deadline.
func withDeadlines(set func(time.Time) error) end {
	return end{set: set, wake: func() error { return set(past) }}
}
