package breakerexec

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// streams copies between the caller's readers and writers and the pipes of the command.
//
// os/exec would do the same, with as many goroutines. But it reaps the process before it waits for
// them, and then the group can no longer be signalled. It also waits for a Stdin that never returns
// from Read, whatever WaitDelay is.
type streams struct {
	theirs []*os.File // the ends of the command
	stdin  *os.File   // our ends
	output []*os.File
	copies []func()

	// outputs and inputs are closed when the last copy of their kind has ended.
	outputs, inputs chan struct{}
	// moved counts the bytes of all outputs.
	moved atomic.Int64
	// running counts the outputs that are being copied.
	running atomic.Int32

	mu  sync.Mutex
	err error
}

const (
	// lull is how long a pipe may be silent after a trip. If it is silent for longer, we assume
	// that a process which the trip doesn't reach holds it. What the group has written is in the
	// pipe already, so only our own copying takes time.
	lull = 100 * time.Millisecond
	// most bounds what is read after a trip: the largest pipe that an unprivileged process can have
	// by default on Linux.
	most = 1 << 20
)

// connect replaces by pipes the streams of the command that have to be copied.
func (s *streams) connect(cmd *exec.Cmd) (err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.outputs, s.inputs = make(chan struct{}), make(chan struct{})
	stderr := cmd.Stderr
	if stderr != nil && same(stderr, cmd.Stdout) {
		// One pipe for both, as in os/exec: the order of what is written is kept, and the writer is
		// never called concurrently.
		defer func() { cmd.Stderr = cmd.Stdout }()
		stderr = nil
	}
	if needsCopy(cmd.Stdin) {
		theirs, ours, err := os.Pipe()
		if err != nil {
			return err
		}
		s.theirs, s.stdin = append(s.theirs, theirs), ours
		from := cmd.Stdin
		s.copies = append(s.copies, func() {
			defer close(s.inputs)
			into := refusable{Writer: ours}
			if _, err := io.Copy(&into, from); !into.refused {
				s.fail(err)
			} // a command needn't read its input
			_ = ours.Close()
		})
		cmd.Stdin = theirs
	} else {
		close(s.inputs)
	}
	if needsCopy(cmd.Stdout) {
		pipe, err := s.pipeTo(cmd.Stdout)
		if err != nil {
			return err
		}
		cmd.Stdout = pipe
	}
	if needsCopy(stderr) {
		pipe, err := s.pipeTo(stderr)
		if err != nil {
			return err
		}
		cmd.Stderr = pipe
	}
	if s.running.Load() == 0 {
		close(s.outputs)
	}
	return nil
}

func needsCopy(stream any) bool {
	_, file := stream.(*os.File)
	return stream != nil && !file
}

// same reports whether two writers are equal. Types that can't be compared are never equal.
func same(a, b any) bool {
	defer func() { _ = recover() }()
	return a == b
}

func (s *streams) pipeTo(w io.Writer) (*os.File, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs, s.output = append(s.theirs, theirs), append(s.output, ours)
	s.running.Add(1)
	s.copies = append(s.copies, func() {
		_, err := io.Copy(w, counting{ours, &s.moved})
		s.fail(err)
		_ = ours.Close() // the command then fails to write, and doesn't hang
		if s.running.Add(-1) == 0 {
			close(s.outputs)
		}
	})
	return theirs, nil
}

// counting counts the bytes read. A pipe that we have closed is at its end.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	if errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

// refusable notes whether an error comes from the pipe, and not from the reader.
type refusable struct {
	io.Writer
	refused bool
}

func (r *refusable) Write(p []byte) (int, error) {
	n, err := r.Writer.Write(p)
	r.refused = r.refused || err != nil
	return n, err
}

// start begins to copy.
func (s *streams) start() {
	for _, f := range s.theirs {
		_ = f.Close()
	}
	s.theirs = nil
	for _, copies := range s.copies {
		go copies()
	}
	s.copies = nil
}

// close closes all pipes. That ends the copies, except one that is inside the caller's Read or
// Write.
func (s *streams) close() {
	for _, f := range s.theirs {
		_ = f.Close()
	}
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	for _, f := range s.output {
		_ = f.Close()
	}
}

// await waits for the copies, for at most delay unless that is 0. It returns false if they haven't
// ended in time, or at an interruption.
func (s *streams) await(delay time.Duration, interrupted <-chan struct{}) bool {
	var late <-chan time.Time
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		late = timer.C
	}
	for _, ended := range []chan struct{}{s.outputs, s.inputs} {
		select {
		case <-ended:
			continue
		default:
		}
		select {
		case <-ended:
		case <-interrupted:
			return true
		case <-late:
			s.close()
			<-s.outputs
			return false
		}
	}
	return true
}

// drain reads what the group has left in the pipes, and then closes them.
func (s *streams) drain(delay time.Duration) {
	if delay == 0 {
		delay = lull
	}
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	for begin, before := s.moved.Load(), int64(-1); ; {
		now := s.moved.Load()
		if now == before || now-begin > most {
			break
		}
		before = now
		select {
		case <-s.outputs:
			return
		case <-time.After(delay):
		}
	}
	s.close()
	<-s.outputs // nothing may write to the caller's writer after Wait
}

// fail keeps the first error.
func (s *streams) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *streams) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
