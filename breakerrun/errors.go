package breakerrun

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kamilsk/breaker"
)

// StopAll is returned by a part to stop the others. It is not an error for Run, as fs.SkipAll is
// none for fs.WalkDir. It matches breaker.Interrupted and context.Canceled, because it is the cause
// of the other parts' stop.
var StopAll error = &endError{text: "breakerrun: a part has stopped all"}

// ErrGoexit is the error of a part that ended by runtime.Goexit, which t.FailNow calls.
var ErrGoexit = errors.New("ended by runtime.Goexit")

// endError is to this package what breaker.ErrClosed is to that one.
type endError struct {
	text string
	// part is the one that failed, or nil.
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

// As finds the part. There is no Unwrap: a part that failed by a timeout would make every other
// part's context expire.
func (e *endError) As(target any) bool {
	part, ok := target.(**PartError)
	if !ok || e.part == nil {
		return false
	}
	*part = e.part
	return true
}

// An Outcome says how a part ended that didn't end well.
type Outcome int

const (
	// Failed is a part that returned an error or panicked.
	Failed Outcome = iota + 1
	// Cut is a part that was still draining when the grace period ended. It has returned since.
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

// PartError says what became of one part.
type PartError struct {
	// Part is its name.
	Part string
	// Outcome says how it ended.
	Outcome Outcome
	// Err is what it returned, or a *PanicError. It is nil if the part was abandoned, and may be
	// nil if it was cut.
	Err error
	// Cause says what ended the grace period, for Cut and Abandoned. It matches
	// context.DeadlineExceeded if time ran out. After a second signal it is a breaker.SignalError,
	// and else the cause of the breaker in WithCut.
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

// Unwrap returns Err and Cause, those of them that aren't nil.
func (e *PartError) Unwrap() []error {
	var errs []error
	for _, err := range [...]error{e.Err, e.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Errors is what Run returns: the parts that failed, were cut or were abandoned, in the order in
// which that happened. Like the result of errors.Join it matches what any of them matches.
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
	// Stack is that of the goroutine that panicked.
	Stack []byte
	// Others says what became of the other parts, or is nil.
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
