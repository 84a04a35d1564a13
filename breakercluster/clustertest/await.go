package clustertest

import (
	"testing"
	"time"
)

// patience bounds what never comes; nothing is expected to take it.
const patience = time.Minute

// Await waits until the condition holds. It fails the test after a minute.
func Await(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatal("it never came:", what)
		}
	}
}
