//go:build unix

package breakerrun_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/kamilsk/breaker/breakerrun"
)

// Real signals need a process on which they may have their real effect: the test binary runs
// itself, as one of these programs. Each sends its signals to itself, and prints what came of it.
func init() {
	termination := func() breaker.Interface { return breaker.BreakBySignal(breaker.TerminationSignals()...) }
	children["one signal drains"] = func() {
		p := start(termination())
		kill(syscall.SIGTERM)
		<-p.draining
		close(p.proceed)
		fmt.Println("Run:", <-p.ended)
	}
	children["a second signal cuts"] = func() {
		p := start(termination(), breakerrun.WithSignalGap(0))
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGINT)
		fmt.Println("Run:", <-p.ended)
	}
	children["a signal that arrives twice is one"] = func() {
		p := start(termination(), breakerrun.WithSignalGap(time.Hour))
		kill(syscall.SIGINT)
		<-p.draining
		for range 100 {
			kill(syscall.SIGINT)
			settle()
		}
		close(p.proceed)
		fmt.Println("Run:", <-p.ended)
	}
	children["the signal of the user's own counts, too"] = func() {
		p := start(breaker.BreakBySignal(syscall.SIGUSR1), breakerrun.WithSignalGap(0))
		kill(syscall.SIGUSR1)
		<-p.draining
		kill(syscall.SIGUSR1)
		fmt.Println("Run:", <-p.ended)
	}
	children["signal.NotifyContext"] = func() {
		ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer cancel()
		p := start(breaker.BreakByContext(ctx, nil), breakerrun.WithSignalGap(0))
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGTERM)
		fmt.Println("Run:", <-p.ended)
	}
	// Nothing has asked for the end yet: the first signal does, the second cuts.
	children["after a failure"] = func() {
		stop := termination()
		p := start(stop, breakerrun.WithSignalGap(0))
		close(p.fail)
		<-p.draining
		kill(syscall.SIGTERM)
		<-stop.Done()
		settle()
		select {
		case <-p.cut:
			fmt.Println("cut by the first")
		default:
		}
		kill(syscall.SIGTERM)
		fmt.Println("Run:", <-p.ended)
	}
	children["none asked for"] = func() {
		p := start(termination(), breakerrun.WithSignals())
		kill(syscall.SIGTERM)
		<-p.draining
		killed()
	}
	children["the third signal"] = func() {
		p := start(termination(), breakerrun.WithSignalGap(0))
		p.deaf = true
		kill(syscall.SIGTERM)
		<-p.draining
		kill(syscall.SIGTERM)
		<-p.cut
		fmt.Println("cut")
		killed()
	}
	children["given back"] = func() {
		p := start(termination())
		kill(syscall.SIGTERM)
		<-p.draining
		close(p.proceed)
		fmt.Println("Run:", <-p.ended)
		killed()
	}
	// Right after the first signal there is no instant at which a second one would kill the
	// process.
	children["no gap"] = func() {
		for delay := range 200 {
			stop := termination()
			p := start(stop)
			kill(syscall.SIGTERM)
			for stop.Err() == nil {
				runtime.Gosched()
			}
			for begun := time.Now(); time.Since(begun) < time.Duration(2*delay)*time.Microsecond; {
			}
			kill(syscall.SIGTERM)
			settle()
			close(p.proceed)
			<-p.ended
			stop.Close()
		}
		fmt.Println("alive")
	}
	children["a panic after all is over"] = func() {
		stop, late := breaker.New(), make(chan struct{})
		stop.Close()
		r := breakerrun.New(breakerrun.WithGrace(0), breakerrun.WithCutTimeout(0))
		fmt.Println("Run:", r.Run(stop, breakerrun.Worker("deaf", func(_, _ breaker.Interface) error {
			<-late
			panic("too late")
		})))
		close(late)
		select {}
	}
}

// program is a Run with a worker that drains until it may end.
type program struct {
	deaf                                  bool
	started, fail, draining, proceed, cut chan struct{}
	ended                                 <-chan error
}

func start(stop breaker.Interface, options ...breakerrun.Option) *program {
	p := &program{
		started: make(chan struct{}),
		fail:    make(chan struct{}), draining: make(chan struct{}), proceed: make(chan struct{}), cut: make(chan struct{}),
	}
	options = append([]breakerrun.Option{
		breakerrun.WithGrace(time.Hour), breakerrun.WithCutTimeout(time.Hour),
	}, options...)
	p.ended = run(breakerrun.New(options...), stop,
		breakerrun.Worker("job", func(stop, cut breaker.Interface) error {
			close(p.started)
			<-stop.Done()
			close(p.draining)
			select {
			case <-p.proceed:
				return nil
			case <-cut.Done():
				close(p.cut)
				if p.deaf {
					select {}
				}
				return nil
			}
		}),
		// A server: nil says that it has lost nothing, however early the cut comes.
		breakerrun.Server("other", func(stop, _ breaker.Interface) error {
			select {
			case <-p.fail:
				return errBoom
			case <-stop.Done():
				return nil
			}
		}, breakerrun.WithStage(breakerrun.Work)))
	<-p.started
	return p
}

func kill(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(err)
	}
}

// killed sends a signal that is to have its default effect. The handler for the one before is taken
// down in its own time: if that has swallowed it, there is another one.
func killed() {
	for {
		kill(syscall.SIGTERM)
		<-breaker.BreakByTimeout(100 * time.Millisecond).Done()
	}
}

// settle returns when signals sent before have arrived, as far as that can be told: of those
// pending, SIGWINCH comes last.
func settle() {
	br := breaker.BreakBySignal(syscall.SIGWINCH)
	kill(syscall.SIGWINCH)
	<-br.Done()
}

func TestSignals(t *testing.T) {
	tests := map[string]struct {
		prints string
		killed syscall.Signal
		crash  bool
	}{
		"one signal drains":                        {prints: "Run: <nil>\n"},
		"a second signal cuts":                     {prints: "Run: breakerrun: job: cut (signal received: interrupt)\n"},
		"a signal that arrives twice is one":       {prints: "Run: <nil>\n"},
		"the signal of the user's own counts, too": {prints: "Run: breakerrun: job: cut (signal received: user defined signal 1)\n"},
		"signal.NotifyContext":                     {prints: "Run: breakerrun: job: cut (signal received: terminated)\n"},
		"after a failure":                          {prints: "Run: breakerrun: other: failed: boom; job: cut (signal received: terminated)\n"},
		"none asked for":                           {killed: syscall.SIGTERM},
		"the third signal":                         {prints: "cut\n", killed: syscall.SIGTERM},
		"given back":                               {prints: "Run: <nil>\n", killed: syscall.SIGTERM},
		"no gap":                                   {prints: "alive\n"},
		"a panic after all is over": {
			prints: "Run: breakerrun: deaf: abandoned (breaker deadline exceeded)\n", crash: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			self, err := os.Executable()
			require.NoError(t, err)
			child := exec.CommandContext(t.Context(), self)
			child.Env = append(os.Environ(), asChild+"="+name)
			out, err := child.Output()
			if tt.crash {
				assert.Regexp(t, "^Run: breakerrun: deaf: abandoned", string(out))
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit)
				assert.Contains(t, string(exit.Stderr), "deaf panicked: too late")
				return
			}
			assert.Equal(t, tt.prints, string(out))
			if tt.killed == 0 {
				assert.NoError(t, err)
				return
			}
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), err)
			status := exit.Sys().(syscall.WaitStatus)
			assert.True(t, status.Signaled())
			assert.Equal(t, tt.killed, status.Signal())
		})
	}
}
