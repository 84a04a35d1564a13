package breakerexec

import "github.com/kamilsk/breaker"

// Error says that a breaker has stopped a command, or kept it from starting. It matches Cause, Exit
// and breaker.Interrupted, by errors.Is and errors.As.
type Error struct {
	// Cause is the cause of the breaker. It is never nil.
	Cause error
	// Exit is the error of exec.Cmd.Wait: usually an *exec.ExitError. It is nil if the command
	// wasn't started, or has exited with code 0 all the same.
	Exit error

	started bool
}

// Error says why the command was stopped, and how it has ended.
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
