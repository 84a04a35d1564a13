// Command semaphore limits how many jobs run at a time, and how long each waits for its turn.
//
//	go run ./examples/semaphore
package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/kamilsk/breaker"
	"github.com/kamilsk/breaker/semaphore"
)

func main() {
	semaphore.SetCapacity(2)
	var done, refused sync.Map
	var jobs sync.WaitGroup
	for i := range 4 {
		jobs.Go(func() {
			// Acquire closes the breaker before it returns.
			if err := semaphore.Acquire(breaker.BreakByTimeout(200*time.Millisecond), 1); err != nil {
				refused.Store(i, err)
				return
			}
			defer semaphore.Release(1)
			time.Sleep(2 * time.Second) // stands for work
			done.Store(i, true)
		})
	}
	jobs.Wait()
	fmt.Println("done:", count(&done), "refused:", count(&refused))
	refused.Range(func(_, err any) bool { fmt.Println("why:", err); return false })
}

func count(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}
