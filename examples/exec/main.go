// Command exec stops a shell after a limit, with the processes that the shell has started.
//
//	go run ./examples/exec    # on Unix
package main

import (
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/breakerexec"
)

func main() {
	br := breaker.BreakByTimeout(200 * time.Millisecond)
	defer br.Close()

	const grace = 10 * time.Second
	began := time.Now()
	// os/exec would end the shell alone. The sleep in the background would go on.
	err := breakerexec.Run(br, exec.Command("sh", "-c", "sleep 600 & sleep 600"), grace)

	var stopped *breakerexec.Error
	if !errors.As(err, &stopped) {
		fmt.Println("not stopped:", err)
		return
	}
	fmt.Println("stopped:", stopped.Cause)
	fmt.Println("within the grace:", time.Since(began) < grace)
}
