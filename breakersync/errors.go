package breakersync

import (
	"errors"
	"fmt"
)

// ErrCapacity is what Acquire returns when you ask for more permits than the semaphore has. Waiting
// for them would never end.
var ErrCapacity = errors.New("breakersync: more permits than the semaphore has")

// ErrGoexit is the cause of a group in which a task called runtime.Goexit, as the FailNow of a test
// does.
var ErrGoexit = errors.New("breakersync: a task called runtime.Goexit")

// A PanicError is what a group panics with, in Wait, if a task has panicked. It is the cause of the
// group's breaker too.
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
