//go:build unix

package breakerexec_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerexec"
)

// The shell has started a sleep in the background, and waits for it. Both end.
func ExampleRun() {
	br := breaker.BreakByTimeout(10 * time.Millisecond)
	defer br.Close()

	err := breakerexec.Run(br, exec.Command("sh", "-c", "sleep 1000 & wait"), time.Second)

	var exit *exec.ExitError
	fmt.Println(errors.Is(err, br.Cause()), errors.As(err, &exit))
	fmt.Println(exit)
	// Output:
	// true true
	// signal: terminated
}

// A command that ignores SIGTERM is killed after the grace.
func ExampleRun_grace() {
	br := breaker.New()
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done")
	ready, ours, _ := os.Pipe()
	cmd.Stdout = ours
	process, err := breakerexec.Start(br, cmd, 10*time.Millisecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = ready.Read(make([]byte, 6))

	br.Trip(errors.New("no longer needed"))
	fmt.Println(process.Wait())
	// Output: breakerexec: stopped: no longer needed: signal: killed
}

// Signals go to the whole group.
func ExampleStart() {
	br := breaker.New()
	defer br.Close()

	process, err := breakerexec.Start(br, exec.Command("sleep", "1000"), time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = process.Signal(syscall.SIGINT)
	fmt.Println(process.Wait())
	// Output: signal: interrupt
}
