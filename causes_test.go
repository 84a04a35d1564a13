package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/kamilsk/breaker"
)

var errNil = (*typedNil)(nil)

// typedNil is an error that no method of can be called on nil.
type typedNil struct{ text string }

func (e *typedNil) Error() string        { return e.text }
func (e *typedNil) Is(target error) bool { return e.text == target.Error() }

type hostile struct{ do func() }

func (hostile) Error() string   { return "hostile" }
func (h hostile) Is(error) bool { h.do(); return false }
func (h hostile) Unwrap() error { h.do(); return nil }
func (h hostile) As(any) bool   { h.do(); return false }

type endless struct{}

func (endless) Error() string { return "endless" }
func (endless) Unwrap() error { return endless{} }

type mute struct{}

func (mute) Error() string { panic("mute") }

// promise 21: a cause is a cause, whatever its methods do.
func TestCauses_CantHurt(t *testing.T) {
	for name, causeFor := range map[string]func(*breaker.Breaker) error{
		"a typed nil":   func(*breaker.Breaker) error { return errNil },
		"Is panics":     func(*breaker.Breaker) error { return &hostile{func() { panic(errB) }} },
		"Is calls back": func(br *breaker.Breaker) error { return &hostile{br.Close} },
		"Is leaves":     func(*breaker.Breaker) error { return &hostile{runtime.Goexit} },
		"wraps itself":  func(*breaker.Breaker) error { return endless{} },
		"joins itself":  func(*breaker.Breaker) error { return errors.Join(endless{}, endless{}) },
		"Error panics":  func(*breaker.Breaker) error { return mute{} },
	} {
		for from, trip := range map[string]func(*breaker.Breaker, error, context.CancelCauseFunc){
			"Trip":      func(br *breaker.Breaker, cause error, _ context.CancelCauseFunc) { br.Trip(cause) },
			"a context": func(_ *breaker.Breaker, cause error, cancel context.CancelCauseFunc) { cancel(cause) },
		} {
			for watched := range 2 {
				t.Run(name+", from "+from, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					br := breaker.BreakByContext(ctx, nil)
					cause := causeFor(br)
					outer := breaker.Multiplex(br)
					calls := 0
					if watched == 1 {
						outer.OnTrip(func() { calls++ })
					}
					done := make(chan struct{})
					go func() {
						defer close(done)
						trip(br, cause, cancel)
					}()
					await(t, "the trip", done)
					go br.Err()
					await(t, "Done", outer.Done())
					outer.AwaitClosed()
					if name != "Is calls back" {
						assert.True(t, br.Cause() == cause)
						assert.True(t, outer.Cause() == cause)
					}
					assert.Equal(t, watched, calls)
					assert.NotPanics(t, func() { _ = br.String() })
					cancel(nil)
				})
			}
		}
	}
}
