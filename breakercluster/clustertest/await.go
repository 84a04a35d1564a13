package clustertest

import (
	"testing"
	"time"
)

// patience bounds a wait for something that never comes. A passing test is far below it.
const patience = time.Minute

// Await waits until the condition holds, and fails the test if it doesn't within a minute.
func Await(t testing.TB, condition func() bool, what string) {
	t.Helper()
	for begin := time.Now(); !condition(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatal("it never came:", what)
		}
	}
}
