package breakersync

import (
	"errors"
	"fmt"
)

// ErrCapacity is what Acquire returns when you ask for more permits than the semaphore has. Waiting
// for them would never end.
var ErrCapacity = errors.New("breakersync: more permits than the semaphore has")

// ErrGoexit is the cause of a group in which a task called runtime.Goexit. t.FailNow does that, for
// example.
var ErrGoexit = errors.New("breakersync: a task called runtime.Goexit")

// A PanicError is what Wait of a group panics with if a task has panicked. It is also the cause of
// the group's breaker.
type PanicError struct {
	// Value is what the task panicked with.
	Value any
	// Stack is the stack of the task at that moment.
	Stack []byte
}

// Error says what the task panicked with, and where.
func (e *PanicError) Error() string {
	return fmt.Sprintf("breakersync: a task panicked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
