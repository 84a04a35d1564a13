//go:build unix

package breakerhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerhttp"
)

// Real signals need a process on which they may have their real effect: the test binary runs
// itself, as one of these programs. Each sends its signals to itself, and prints what came of it.
func init() {
	children["drain"] = func() {
		p := newProgram()
		r, from := p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		for range 100 { // the grace period is all theirs
			p.check(r.Context().Err())
		}
		close(p.proceed)
		fmt.Println("client:", <-from)
		fmt.Println("Serve:", <-p.served)
	}
	children["cut"] = func() {
		p := newProgram()
		r, from := p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		p.check(r.Context().Err())
		kill(syscall.SIGINT) // not the one that began it, but one that means the same
		fmt.Println("client:", <-from)
		p.report(<-p.served)
	}
	children["cut by a signal asked for"] = func() {
		p := newProgram(breakerhttp.WithSignals(syscall.SIGUSR1))
		_, from := p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGUSR1)
		fmt.Println("client:", <-from)
		p.report(<-p.served)
	}
	children["no second signal"] = func() {
		p := newProgram(breakerhttp.WithSignals())
		p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		p.killed()
	}
	children["third signal"] = func() {
		p := newProgram()
		p.stay = true
		r, _ := p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGTERM)
		<-r.Context().Done()
		fmt.Println("cause:", context.Cause(r.Context()))
		p.killed()
	}
	// What a wrapper forwards arrives twice, and is one signal all the same.
	children["forwarded"] = func() {
		p := newProgramWith(breakerhttp.WithSignalGap(forever)) // however long the second takes
		r, from := p.request()
		kill(syscall.SIGINT)
		<-p.draining
		kill(syscall.SIGINT)
		p.settle()
		p.check(r.Context().Err())
		close(p.proceed)
		fmt.Println("client:", <-from)
		fmt.Println("Serve:", <-p.served)
	}
	// Whatever it was that began the shutdown, here a context, the next signal doesn't kill the
	// process. After the gap it counts.
	children["NotifyContext"] = func() {
		ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		p := newProgramUntil(breaker.BreakByContext(ctx, cancel), breakerhttp.WithSignalGap(0))
		_, from := p.request()
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGTERM)
		fmt.Println("client:", <-from)
		p.report(<-p.served)
	}
	// Right after the first signal, while that one is being dealt with, there is no instant at
	// which a second one would kill the process. Whether it still counts as the first or cuts
	// already is open.
	children["no gap"] = func() {
		for delay := range 200 {
			p := newProgram()
			_, from := p.request()
			kill(syscall.SIGTERM)
			for p.stop.Err() == nil {
				// Without asynchronous preemption, the collector would wait for this loop, and all
				// for the collector.
				runtime.Gosched()
			}
			for begun := time.Now(); time.Since(begun) < time.Duration(2*delay)*time.Microsecond; {
			}
			kill(syscall.SIGTERM)
			p.settle()
			close(p.proceed)
			<-from
			<-p.served
			p.stop.Close()
		}
		fmt.Println("alive")
	}
}

func kill(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(err)
	}
}

// program is a server that ends by SIGINT and SIGTERM, as a real one does.
type program struct {
	url      string
	stop     *breaker.Breaker
	stay     bool               // in the handler, in spite of the cut
	arrived  chan *http.Request // from the handler
	proceed  chan struct{}
	draining chan struct{}
	served   chan error
}

// newProgram has every signal count, at whatever distance.
func newProgram(options ...breakerhttp.ServeOption) *program {
	return newProgramWith(append(options, breakerhttp.WithSignalGap(0))...)
}

func newProgramWith(options ...breakerhttp.ServeOption) *program {
	return newProgramUntil(breaker.BreakBySignal(os.Interrupt, syscall.SIGTERM), options...)
}

func newProgramUntil(stop *breaker.Breaker, options ...breakerhttp.ServeOption) *program {
	p := &program{
		arrived:  make(chan *http.Request),
		proceed:  make(chan struct{}),
		draining: make(chan struct{}),
		served:   make(chan error, 1),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	p.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(p.handle)}
	server.RegisterOnShutdown(func() { close(p.draining) })
	p.stop = stop
	options = append([]breakerhttp.ServeOption{breakerhttp.WithGrace(forever), breakerhttp.WithCutTimeout(forever)}, options...)
	go func() { p.served <- breakerhttp.Serve(server, listener, p.stop, options...) }()
	return p
}

func (p *program) handle(w http.ResponseWriter, r *http.Request) {
	p.arrived <- r
	done := r.Context().Done()
	if p.stay {
		done = nil
	}
	select {
	case <-p.proceed:
	case <-done:
	}
	fmt.Fprintf(w, "cause %v", context.Cause(r.Context()))
}

// request sends one, and returns it as its handler has it, and where the answer comes from.
func (p *program) request() (*http.Request, <-chan string) {
	answers := make(chan string, 1)
	go func() {
		response, err := http.Get(p.url)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answers <- fmt.Sprintf("%d, %s, %v", response.StatusCode, text, err)
	}()
	return <-p.arrived, answers
}

// killed sends a signal that is to have its default effect. The handler for the one before is taken
// down in its own time: if that has swallowed it, there is another one. They don't come all at
// once, because a process that is dying of one takes a second one badly.
func (*program) killed() {
	for {
		kill(syscall.SIGTERM)
		<-breaker.BreakByTimeout(100 * time.Millisecond).Done()
	}
}

// settle returns when signals sent before have arrived, as far as that can be told: of those
// pending, SIGWINCH comes last.
func (*program) settle() {
	br := breaker.BreakBySignal(syscall.SIGWINCH)
	kill(syscall.SIGWINCH)
	<-br.Done()
}

func (*program) check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func (*program) report(err error) {
	var cut *breakerhttp.CutError
	var by breaker.SignalError
	fmt.Println("Serve:", errors.As(err, &cut), cut.Requests, cut.Connections, errors.As(err, &by), by.Signal)
}

func TestServe_Signals(t *testing.T) {
	tests := map[string]struct {
		prints string
		killed syscall.Signal
	}{
		"drain": {prints: "client: 200, cause <nil>, <nil>\nServe: <nil>\n"},
		"cut": {prints: "client: 200, cause breakerhttp: cut by the server's shutdown, <nil>\n" +
			"Serve: true 1 0 true interrupt\n"},
		"cut by a signal asked for": {prints: "client: 200, cause breakerhttp: cut by the server's shutdown, <nil>\n" +
			"Serve: true 1 0 true user defined signal 1\n"},
		"forwarded": {prints: "client: 200, cause <nil>, <nil>\nServe: <nil>\n"},
		"NotifyContext": {prints: "client: 200, cause breakerhttp: cut by the server's shutdown, <nil>\n" +
			"Serve: true 1 0 true terminated\n"},
		"no second signal": {killed: syscall.SIGTERM},
		"third signal":     {prints: "cause: breakerhttp: cut by the server's shutdown\n", killed: syscall.SIGTERM},
		"no gap":           {prints: "alive\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			self, err := os.Executable()
			require.NoError(t, err)
			child := exec.CommandContext(t.Context(), self)
			child.Env = append(os.Environ(), asChild+"="+name)
			child.Stderr = os.Stderr
			out, err := child.Output()
			assert.Equal(t, tt.prints, string(out))
			if tt.killed == 0 {
				assert.NoError(t, err)
				return
			}
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			status := exit.Sys().(syscall.WaitStatus)
			assert.True(t, status.Signaled())
			assert.Equal(t, tt.killed, status.Signal())
		})
	}
}
