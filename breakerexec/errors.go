package breakerexec

import "github.com/kamilsk/breaker"

// Error says that a breaker has stopped a command, or kept it from starting.
//
// By errors.Is and errors.As it matches Cause, Exit, and breaker.Interrupted.
type Error struct {
	// Cause is the cause of the breaker. It is never nil.
	Cause error
	// Exit is what exec.Cmd.Wait has returned: mostly an *exec.ExitError. It is nil if the command
	// wasn't started, and if it has ended with the exit code 0 nevertheless.
	Exit error

	started bool
}

// Error returns the cause, and how the command has ended.
func (e *Error) Error() string {
	switch {
	case !e.started:
		return "breakerexec: not started: " + e.Cause.Error()
	case e.Exit == nil:
		return "breakerexec: stopped: " + e.Cause.Error()
	default:
		return "breakerexec: stopped: " + e.Cause.Error() + ": " + e.Exit.Error()
	}
}

// Unwrap returns Cause, and Exit if it isn't nil.
func (e *Error) Unwrap() []error {
	if e.Exit == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Exit}
}

// Is reports whether the target is breaker.Interrupted.
func (e *Error) Is(target error) bool { return target == breaker.Interrupted }
