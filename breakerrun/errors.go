package breakerrun

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kamilsk/breaker"
)

// StopAll is returned by a part to stop the others. Run doesn't report it as an error, as
// fs.WalkDir doesn't report fs.SkipAll. It matches breaker.Interrupted and context.Canceled,
// because it is the cause of the other parts' stop.
var StopAll error = &endError{text: "breakerrun: a part has stopped all"}

// ErrGoexit is the error of a part that ended by runtime.Goexit. t.FailNow calls it, for example.
var ErrGoexit = errors.New("ended by runtime.Goexit")

// endError is a cause made by this package, like the type of breaker.ErrClosed.
type endError struct {
	text string
	// part is the part that failed, or nil.
	part *PartError
}

func (e *endError) Error() string {
	if e.part != nil {
		return "breakerrun: a part has failed: " + e.part.Error()
	}
	return e.text
}

func (e *endError) Is(target error) bool {
	return target == breaker.Interrupted || target == context.Canceled
}

// As finds the part. There is no Unwrap: if a part fails by a timeout, the contexts of the others
// must not look expired.
func (e *endError) As(target any) bool {
	part, ok := target.(**PartError)
	if !ok || e.part == nil {
		return false
	}
	*part = e.part
	return true
}

// An Outcome says how a part failed to end well.
type Outcome int

const (
	// Failed is a part that returned an error or panicked.
	Failed Outcome = iota + 1
	// Cut is a part that was still draining when the grace period ended. It returned after the cut.
	Cut
	// Abandoned is a part that didn't return after the cut either. Its goroutines may still be
	// running.
	Abandoned
)

// String returns the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case Failed:
		return "failed"
	case Cut:
		return "cut"
	case Abandoned:
		return "abandoned"
	default:
		return fmt.Sprintf("Outcome(%d)", int(o))
	}
}

// PartError says how one part ended.
type PartError struct {
	// Part is its name.
	Part string
	// Outcome says how it ended.
	Outcome Outcome
	// Err is the error that the part returned, or a *PanicError. It is nil if the part was
	// abandoned, and may be nil if it was cut.
	Err error
	// Cause says what ended the grace period, for Cut and Abandoned. It matches
	// context.DeadlineExceeded if time ran out. After a second signal it is a breaker.SignalError.
	// Otherwise it is the cause of the breaker in WithCut.
	Cause error
}

// Error names the part, and says how it ended.
func (e *PartError) Error() string {
	text := e.Part + ": " + e.Outcome.String()
	if e.Cause != nil {
		text += " (" + e.Cause.Error() + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err and Cause, unless they are nil.
func (e *PartError) Unwrap() []error {
	var errs []error
	for _, err := range [...]error{e.Err, e.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Errors is what Run returns: the parts that failed, were cut or were abandoned, in that order of
// time. Like the result of errors.Join it matches what any of them matches.
type Errors []*PartError

// Error joins the texts in one line.
func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i, part := range e {
		texts[i] = part.Error()
	}
	return "breakerrun: " + strings.Join(texts, "; ")
}

// Unwrap returns the parts.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, part := range e {
		errs[i] = part
	}
	return errs
}

// PanicError is what Run panics with after a part has panicked and the others have been shut down.
type PanicError struct {
	// Part is the name of the part.
	Part string
	// Value is what the part panicked with.
	Value any
	// Stack is the stack of the goroutine that panicked.
	Stack []byte
	// Others says which other parts didn't end well, or is nil.
	Others Errors
}

// Error says which part panicked, with what, and where.
func (e *PanicError) Error() string {
	text := fmt.Sprintf("breakerrun: %s panicked: %v\n\n%s", e.Part, e.Value, e.Stack)
	if len(e.Others) > 0 {
		text += "\n" + e.Others.Error()
	}
	return text
}

// Unwrap returns Value, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
