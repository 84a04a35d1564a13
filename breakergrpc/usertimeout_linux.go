package breakergrpc

import (
	"net"
	"syscall"
)

// setUserTimeout gives the peer 20 s to acknowledge data. A grpc.Server does that by default, but
// only for a *net.TCPConn, which ours isn't.
func setUserTimeout(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	const tcpUserTimeout, milliseconds = 0x12, 20_000
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, milliseconds)
	})
}
