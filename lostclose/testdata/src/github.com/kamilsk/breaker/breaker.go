// Package breaker has the names of the real one, and nothing in them.
package breaker

import (
	"context"
	"os"
	"time"
)

type Interface interface {
	Close()
	Done() <-chan struct{}
	Err() error
	Cause() error
	Deadline() (time.Time, bool)
	OnTrip(f func()) (stop func() bool)
	breaker() *Breaker
}

type State uint8

const Open State = 0

type Breaker struct{ _ [0]func() }

func (*Breaker) Close()                             {}
func (*Breaker) Done() <-chan struct{}              { return nil }
func (*Breaker) Err() error                         { return nil }
func (*Breaker) Trip(cause error) bool              { return false }
func (*Breaker) Cause() error                       { return nil }
func (*Breaker) OnTrip(f func()) (stop func() bool) { return nil }
func (*Breaker) Deadline() (at time.Time, ok bool)  { return }
func (*Breaker) State() State                       { return Open }
func (*Breaker) String() string                     { return "" }
func (*Breaker) Wait() error                        { return nil }
func (*Breaker) AwaitClosed()                       {}
func (*Breaker) IsReleased() bool                   { return false }
func (b *Breaker) breaker() *Breaker                { return b }

type Idle struct{ Breaker }

func (*Idle) Touch() bool                      { return false }
func (*Idle) Reset(timeout time.Duration) bool { return false }

func New() *Breaker                                                          { return nil }
func Any(breakers ...Interface) *Breaker                                     { return nil }
func BreakByChannel(signal <-chan struct{}) *Breaker                         { return nil }
func BreakByContext(ctx context.Context, cancel context.CancelFunc) *Breaker { return nil }
func BreakByDeadline(deadline time.Time) *Breaker                            { return nil }
func BreakByDeadlineCause(deadline time.Time, cause error) *Breaker          { return nil }
func BreakByIdle(timeout time.Duration) *Idle                                { return nil }
func BreakBySignal(sig ...os.Signal) *Breaker                                { return nil }
func BreakByTimeout(timeout time.Duration) *Breaker                          { return nil }
func BreakByTimeoutCause(timeout time.Duration, cause error) *Breaker        { return nil }
func Multiplex(breakers ...Interface) *Breaker                               { return nil }
func MultiplexTwo(one, two Interface) *Breaker                               { return nil }
func MultiplexThree(one, two, three Interface) *Breaker                      { return nil }
func WithContext(ctx context.Context) (Interface, context.Context)           { return nil, nil }
func NopCloser(br Interface) Interface                                       { return nil }
func ToContext(br Interface) context.Context                                 { return nil }

func Within(ctx context.Context, timeout time.Duration, watched ...Interface) *Breaker { return nil }
func WithinCause(ctx context.Context, timeout time.Duration, cause error, watched ...Interface) *Breaker {
	return nil
}
