package breakergrpc

import (
	"net"
	"syscall"
)

// setUserTimeout sets what a grpc.Server sets by default, and only on a *net.TCPConn, which ours
// isn't: 20 s for data to be acknowledged.
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
