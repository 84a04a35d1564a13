package breakerio

import (
	"io"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

// Stdin returns os.Stdin with its reads bound to the breaker: one that is blocked when br trips
// ends at once, with the cause of br as error. What was typed and not read stays where it is.
// os.Stdin and its terminal are left as they were: no mode and no flag that other processes share
// is changed, neither O_NONBLOCK nor that of the line.
//
//	system                     terminal  pipe, FIFO  socket  file  /dev/null
//	Linux                      yes       yes         yes     yes   yes
//	darwin                     yes       yes         yes     yes   yes
//	Windows                    no        no          no      yes   no
//	other Unix                 no        no          no      yes   no
//
// Yes means without a goroutine; a file is never waited for. No means ErrNotInterruptible, unless
// you say WithGoroutine. On every system, a standard input that has working deadlines (on Unix, one
// that came in non-blocking mode) is interrupted by them.
//
// On Linux a terminal or pipe is opened anew, in non-blocking mode, and waiting for it costs no
// thread. If that isn't permitted (after su, for instance), and on darwin, a blocked Read takes a
// thread, as one of os.Stdin does. Then, if another process reads the same input at the same
// moment, the Read may find nothing left and stay blocked.
//
// While a pipe is opened anew, its writer isn't told if you close os.Stdin. Close the result as
// well.
//
// Close unregisters from br and gives back what was opened. It doesn't close os.Stdin, which can
// then be read as before. Stdin panics if br is nil.
func Stdin(br breaker.Interface, how ...Option) (io.ReadCloser, error) {
	mustBreaker("Stdin", br)
	file := os.Stdin
	r, err := newReader("Stdin", br, file, how)
	if err != nil {
		return nil, err
	}
	if d, ok := r.(deadlineReader); ok && d.end.reader == io.Reader(file) {
		// Deadlines on os.Stdin are rare, and its next reader doesn't expect ours.
		d.finish = func() error {
			if d.fired.Load() {
				return file.SetReadDeadline(time.Time{})
			}
			return nil
		}
	}
	return r, nil
}
