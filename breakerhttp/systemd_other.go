//go:build !unix

package breakerhttp

import "net"

// SystemdListeners returns none: there is no systemd on this system.
func SystemdListeners() (listeners []net.Listener, err error) { return nil, nil }
