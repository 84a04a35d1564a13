//go:build !linux && !darwin

package breakerio

import (
	"fmt"
	"os"
	"time"
)

// fileSource returns the end for reading from a file: a regular one, or one with deadlines. The
// file loses its deadlines, because only setting one shows whether it has any.
func fileSource(f *os.File) (end, error) {
	e, err := fileEnd(f, f.SetReadDeadline)
	e.reader = f
	return e, err
}

// fileSink returns the end for writing to a file.
func fileSink(f *os.File) (end, error) {
	e, err := fileEnd(f, f.SetWriteDeadline)
	e.writer = f
	return e, err
}

func fileEnd(f *os.File, set func(time.Time) error) (end, error) {
	info, err := f.Stat()
	if err != nil {
		return end{}, err
	}
	if info.Mode().IsRegular() || info.IsDir() {
		return end{}, nil
	}
	if err := set(time.Time{}); err != nil {
		return end{}, fmt.Errorf("%s %w", f.Name(), ErrNotInterruptible)
	}
	return withDeadlines(set), nil
}
