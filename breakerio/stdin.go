package breakerio

import (
	"io"
	"os"
	"time"

	"github.com/kamilsk/breaker"
)

// Stdin returns os.Stdin with its reads bound to the breaker. When br trips, a blocked Read returns
// the cause of br at once. What was typed but not read stays where it is. os.Stdin and its terminal
// stay as they were: Stdin changes no mode or flag that other processes share, neither O_NONBLOCK
// nor the mode of the line.
//
//	system                     terminal  pipe, FIFO  socket  file  /dev/null
//	Linux                      yes       yes         yes     yes   yes
//	darwin                     yes       yes         yes     yes   yes
//	Windows                    no        no          no      yes   no
//	other Unix                 no        no          no      yes   no
//
// Yes means without a goroutine. A file never needs a wait. No means ErrNotInterruptible, unless
// you pass WithGoroutine. On every system, if standard input has working deadlines, they interrupt
// it. On Unix it has them if it was passed in non-blocking mode.
//
// On Linux a terminal or pipe is opened anew, in non-blocking mode, and waiting for it costs no
// thread. Where that isn't permitted (after su, for example), and on darwin, a blocked Read takes a
// thread, as one of os.Stdin does. Then, if another process reads the same input at the same
// moment, the Read may find nothing left and stay blocked.
//
// A pipe that was opened anew stays open when you close os.Stdin, so its writer doesn't notice.
// Close the result as well.
//
// Close unregisters from br and closes what was opened. It doesn't close os.Stdin, which you can
// then read as before. Stdin panics if br is nil. It may be called concurrently.
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
