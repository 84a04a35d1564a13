//go:build unix

package breakerhttp_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// As systemd does it, the listeners are files 3, 4, … of a process of its own, whose number is in
// the environment. That is known only when it runs, so it sets that itself.
func init() {
	children["systemd"] = func() {
		if os.Getenv("LISTEN_PID") == "self" {
			os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		}
		listeners, err := breakerhttp.SystemdListeners()
		fmt.Println(len(listeners), err)
		again, err := breakerhttp.SystemdListeners()
		fmt.Println(len(again), err, os.Getenv("LISTEN_FDS"))
		if len(listeners) == 0 {
			return
		}
		stop := breaker.BreakBySignal(syscall.SIGTERM)
		fmt.Println("serving")
		server := &http.Server{Handler: http.HandlerFunc(hello)}
		fmt.Println(breakerhttp.Serve(server, listeners[0], stop, breakerhttp.WithListeners(listeners[1:]...)))
	}
}

func systemd(t *testing.T, pid, count string, files ...*os.File) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asChild+"=systemd", "LISTEN_PID="+pid, "LISTEN_FDS="+count)
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	return cmd
}

func TestSystemd_Listeners(t *testing.T) {
	var files []*os.File
	var addresses []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		file, err := listener.(*net.TCPListener).File()
		require.NoError(t, err)
		defer file.Close()
		files, addresses = append(files, file), append(addresses, listener.Addr().String())
	}
	cmd := systemd(t, "self", "2", files...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, address := range addresses {
		response, err := client.Get("http://" + address)
		if assert.NoError(t, err) {
			response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
		}
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	text, err := io.ReadAll(out)
	assert.NoError(t, err)
	assert.NoError(t, cmd.Wait())
	assert.Equal(t, "2 <nil>\n0 <nil> \nserving\n<nil>\n", string(text))

	// The socket outlives the service: a client that connects meanwhile waits for the next.
	conn, err := net.Dial("tcp", addresses[0])
	assert.NoError(t, err)
	conn.Close()
}

func TestSystemd_ListenersNone(t *testing.T) {
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer file.Close()
	for name, tt := range map[string]struct {
		pid, count string
		want       string
	}{
		"no systemd":        {"", "", "0 <nil>\n0 <nil> \n"},
		"another process's": {"1", "1", "0 <nil>\n0 <nil> 1\n"},
		"malformed":         {"self", "many", "0 breakerhttp: SystemdListeners: LISTEN_FDS is not a number: \"many\"\n0 <nil> \n"},
		"no listener":       {"self", "1", "0 breakerhttp: SystemdListeners: file 3: file file+net LISTEN_FD_3: getsockopt: socket operation on non-socket\n0 <nil> \n"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := systemd(t, tt.pid, tt.count, file).Output()
			assert.NoError(t, err)
			assert.Equal(t, tt.want, string(text))
		})
	}
}
