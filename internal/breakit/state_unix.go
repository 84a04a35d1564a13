//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package breakit

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

var errLocked = errors.New("the file is locked")

// lock locks the file until it is closed, which the end of the process does in any case.
func lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// unused fails with errLocked as long as another process has called lock. It locks the file against
// that. Many may do so at a time, because they would else take each other for the process that the
// file is of.
func unused(f *os.File) error { return flock(f, syscall.LOCK_SH) }

func flock(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return errLocked
	}
	return err
}

// ours checks that no other user can write to the directory. Any user may have made the one among
// the temporary files.
func ours(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s isn't a directory that belongs to you alone", dir)
	}
	return nil
}
