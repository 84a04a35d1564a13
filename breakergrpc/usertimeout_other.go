//go:build !linux

package breakergrpc

import "net"

// setUserTimeout does nothing where a grpc.Server does nothing.
func setUserTimeout(net.Conn) {}
