package breakit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// entry is what ps knows of a breakit. Idle is counted from the modification time of the file.
type entry struct {
	Pid     int           `json:"pid"`
	Command []string      `json:"command"`
	Limit   string        `json:"limit"`
	Since   time.Time     `json:"since"`
	Until   time.Time     `json:"until"`
	Idle    time.Duration `json:"idle"`
}

// suffix marks a file that is complete. A file gets it by being renamed, after it was locked.
const suffix = ".json"

// file is the entry of this process. It is open, and locked, until the process ends.
type file struct{ *os.File }

// register writes the entry. No two processes use one name, so that what ps removes is what it has
// looked at.
func register(e entry) (*file, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	for {
		f, err := write(filepath.Join(dir, fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())), e)
		// ps may take a file that isn't locked yet for one of a process that has ended, and remove
		// it.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errLocked) {
			return f, err
		}
	}
}

func write(name string, e entry) (*file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	if err == nil {
		err = lock(f)
	}
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = os.Rename(name, name+suffix)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(name)
		return nil, err
	}
	return &file{f}, nil
}

func (f *file) path() string { return f.Name() + suffix }

// touch notes that there was output.
func (f *file) touch() {
	now := time.Now()
	_ = os.Chtimes(f.path(), now, now)
}

func (f *file) remove() { _ = os.Remove(f.path()) }

// entries returns those of the processes that live, and removes what others have left.
func entries() ([]entry, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, f := range files {
		if e, ok := read(filepath.Join(dir, f.Name())); ok {
			all = append(all, e)
		}
	}
	return all, nil
}

func read(path string) (e entry, ok bool) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return e, false // it has just ended
	}
	defer func() { _ = f.Close() }()
	if unused(f) == nil {
		_ = os.Remove(path)
		return e, false
	}
	if !strings.HasSuffix(path, suffix) {
		return e, false
	}
	info, err := f.Stat()
	if err != nil || json.NewDecoder(f).Decode(&e) != nil {
		return e, false
	}
	if e.Idle > 0 {
		e.Until = earliest(e.Until, e.Idle, info.ModTime())
	}
	return e, true
}

// stateDir returns the directory for the files, which belongs to this user alone.
func stateDir() (string, error) {
	if base := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) && ours(base) == nil {
		dir := filepath.Join(base, "breakit")
		if err := os.Mkdir(dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			if ours(dir) == nil {
				return dir, nil
			}
		}
	}
	dir := filepath.Join(os.TempDir(), "breakit-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, ours(dir)
}
