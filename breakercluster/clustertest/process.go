//go:build unix

package clustertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
)

// ports is the last port that was returned.
var ports atomic.Int64

// FreePort returns a port that no other process uses, now or soon: systems choose the ports of
// clients from a higher range.
func FreePort() int {
	const first, many = 20000, 10000
	ports.CompareAndSwap(0, rand.Int64N(many))
	for {
		port := first + int(ports.Add(1)%many)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
}

// Process is a server in a process of its own.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	output bytes.Buffer
}

// Start starts a server, and kills it when the test ends. If it exits before, the test logs its
// output.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	p := &Process{cmd: exec.Command(name, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			const last = 2000
			output := p.output.Bytes()
			t.Logf("%s: …%s", name, output[max(0, len(output)-last):])
		}
	})
	return p
}

// Kill kills the server and what it has started, as a crash does, and waits for its end.
func (p *Process) Kill() {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
	}
}

// Terminate asks the server to end, and waits until it has.
func (p *Process) Terminate(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal)
	<-p.exited
}

// Wait waits until a process that ends by itself has ended.
func (p *Process) Wait() { <-p.exited }
