//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package breakit

import (
	"errors"
	"os"
)

var errLocked, errNoState = errors.New("the file is locked"), errors.New("there is no ps on this system")

func lock(*os.File) error { return errNoState }

func unused(*os.File) error { return errNoState }

func ours(string) error { return errNoState }
