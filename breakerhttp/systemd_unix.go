//go:build unix

package breakerhttp

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstSystemdFD is the number of the first file that systemd hands over: sd_listen_fds(3).
const firstSystemdFD = 3

// SystemdListeners returns the listeners that systemd passes to a service with a socket unit, in
// the order of the unit. It returns none if there are none. While the service restarts, connections
// wait in the sockets instead of being refused.
//
//	listeners, err := breakerhttp.SystemdListeners()
//	// …
//	others := breakerhttp.WithListeners(listeners[1:]...)
//	err = breakerhttp.Serve(server, listeners[0], stop, others)
//
// It removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the environment, as sd_listen_fds(3)
// does on request. So a second call returns none, and child processes don't inherit the listeners.
// If one of the files isn't a listener, or the environment is malformed, it closes all files and
// returns an error that says which. On systems without systemd there are none.
func SystemdListeners() (listeners []net.Listener, err error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) { // not set, or for the parent process
		return nil, nil
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // fails for malformed names only
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("breakerhttp: SystemdListeners: LISTEN_FDS is not a number: %q", count)
	}
	for fd := firstSystemdFD; fd < firstSystemdFD+n; fd++ {
		listener, failed := listenerOf(fd)
		if failed != nil && err == nil {
			err = fmt.Errorf("breakerhttp: SystemdListeners: file %d: %w", fd, failed)
		}
		if failed == nil {
			listeners = append(listeners, listener)
		}
	}
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	return listeners, nil
}

func listenerOf(fd int) (net.Listener, error) {
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd))
	defer file.Close() // the listener has a copy
	return net.FileListener(file)
}
