//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
)

// The first signal interrupts the requests and waits for their answers; the second one doesn't wait.
func TestTwoSignals(t *testing.T) {
	for _, first := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(first.String(), func(t *testing.T) {
			limit := breaker.BreakByTimeout(10 * time.Second)
			defer limit.Close()
			cmd := program(limit, "-addr", "127.0.0.1:0", "-pace", "1h")
			var failure bytes.Buffer
			cmd.Stderr = &failure
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			output := bufio.NewScanner(stdout)
			addr := await(t, output, `Serving on http://(\S+)`)

			// Connections are accepted in their order, so when the third is answered, the server has the other two.
			request, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			defer request.Close()
			_, err = fmt.Fprintf(request, "GET / HTTP/1.1\r\nHost: %s\r\nX-Timeout: 1h\r\n\r\n", addr)
			require.NoError(t, err)
			silent, err := net.Dial("tcp", addr) // has the shutdown wait: a request may be on its way
			require.NoError(t, err)
			defer silent.Close()
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			answered, err := client.Get("http://" + addr)
			require.NoError(t, err)
			require.NoError(t, answered.Body.Close())

			require.NoError(t, cmd.Process.Signal(first))
			response, err := http.ReadResponse(bufio.NewReader(request), nil)
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusPartialContent, response.StatusCode)
			assert.Equal(t, "signal: "+first.String(), response.Header.Get(causeHeader))

			await(t, output, `^(signal received: `+first.String()+`)`)
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
			for output.Scan() {
			}
			exit := new(exec.ExitError)
			require.ErrorAs(t, cmd.Wait(), &exit)
			assert.Equal(t, 1, exit.ExitCode())
			assert.Equal(t, "server: requests were cut off: signal received: interrupt\n", failure.String())
		})
	}
}

// await returns what the pattern captures in the first line that it matches.
func await(t *testing.T, output *bufio.Scanner, pattern string) string {
	t.Helper()
	for re := regexp.MustCompile(pattern); output.Scan(); {
		if found := re.FindStringSubmatch(output.Text()); found != nil {
			return found[1]
		}
	}
	require.FailNow(t, "the output has ended", "no line matches %s", pattern)
	return ""
}
