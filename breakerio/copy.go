package breakerio

import (
	"io"
	"net"
	"os"

	"github.com/kamilsk/breaker"
)

// Copy copies from src to dst until src ends or br trips. It returns how many bytes were written.
// After a trip the error is the cause of br, in the form that Conn describes. It is nil only if src
// ended first, as with io.Copy.
//
// A blocked Read or Write ends at once at the trip if Reader takes src, or Writer takes dst,
// without WithGoroutine. Otherwise the copying stops before the next one. That is at most 32 KB
// later, or 1 MB where the kernel copies, which it does in the same cases as with io.Copy. What a
// Read has returned is written first, unless the Write is interrupted.
//
// Copy unregisters from br before it returns. It closes neither br nor dst nor src. After the trip,
// the read deadline of src and the write deadline of dst lie in the past: set new ones before you
// use them again. Without a trip they are as they were.
//
// Copy costs two registrations and no goroutine. It may be called concurrently. It panics if br,
// dst or src is nil.
func Copy(br breaker.Interface, dst io.Writer, src io.Reader) (written int64, err error) {
	mustBreaker("Copy", br)
	if dst == nil {
		panic("breakerio: Copy: the writer is nil")
	}
	if src == nil {
		panic("breakerio: Copy: the reader is nil")
	}
	if br.Err() != nil {
		return 0, causeOf(br)
	}

	// On an error this end can't be woken, or the file is closed. In that case the first operation
	// reports it.
	source, err := sourceOf(src)
	if err != nil {
		source = end{reader: src}
	}
	sink, err := sinkOf(dst)
	if err != nil {
		sink = end{writer: dst}
	}
	var in, out guard
	in.arm(br, source.wake, nil)
	out.arm(br, sink.wake, nil)
	defer func() {
		fired := in.release()
		fired = out.release() || fired
		for _, e := range []end{source, sink} {
			if e.finish != nil {
				// Of a second description, whose reads and writes have reported what there is.
				_ = e.finish()
			}
		}
		if fired && (err == nil || isTimeout(err)) {
			// Also if src has ended: the caller has to know that the deadlines are in the past.
			err = explain(br, err)
		}
	}()

	if to, ok := sink.writer.(io.ReaderFrom); ok && isKernels(source.reader) {
		return copyByKernel(br, to, source.reader)
	}
	return copyByHand(br, sink.writer, source.reader)
}

// isKernels reports whether the kernel may be able to copy from a reader.
func isKernels(r io.Reader) bool {
	switch r.(type) {
	case *os.File, *net.TCPConn, *net.UnixConn, wrapper:
		return true
	}
	return false
}

// copyByKernel lets the writer copy, in pieces: a copy between two disks can't be ended otherwise.
func copyByKernel(br breaker.Interface, to io.ReaderFrom, src io.Reader) (written int64, err error) {
	const piece = 1 << 20
	for {
		limited := &io.LimitedReader{R: src, N: piece}
		n, err := to.ReadFrom(limited)
		written += n
		if err != nil || n < piece {
			return written, err
		}
		if br.Err() != nil {
			return written, causeOf(br)
		}
	}
}

// copyByHand is the loop of io.Copy, which asks the breaker each time.
func copyByHand(br breaker.Interface, dst io.Writer, src io.Reader) (written int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		if br.Err() != nil {
			return written, causeOf(br)
		}
		read, readErr := src.Read(buf)
		if read > 0 {
			n, err := dst.Write(buf[:read])
			written += int64(max(n, 0))
			if err != nil {
				return written, err
			}
			if n != read {
				return written, io.ErrShortWrite
			}
		}
		if readErr == io.EOF {
			return written, nil
		}
		if readErr != nil {
			return written, readErr
		}
	}
}
